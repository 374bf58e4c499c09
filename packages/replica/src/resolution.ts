/** Resolving conflicts: the app's choice as an ordinary op, which replicates like any other. */
import {
  Draft,
  placeOf,
  SyncError,
  type AnyDomain,
  type BuiltInOp,
  type Conflict,
  type Hlc,
  type KeyParts,
  type Registers,
  type TableLayout,
  type Value,
} from '@rejoin/core'
import { plainFields } from './input.ts'

export type Resolution =
  /** One of a conflict's values, or one of your own that the table's schema allows: every other one goes. */
  | { readonly kind: 'choose'; readonly value: Value }
  /** Brings back the rows that an orphan belongs under; `value` where its parent is a row of a map, which has one. */
  | { readonly kind: 'restore'; readonly value?: Value }
  /** Removes an orphan. */
  | { readonly kind: 'drop' }

type Entry = BuiltInOp['entries'][number]

/** Where a conflict is, and of what kind: all that resolving it goes by. */
type Contested = Pick<Conflict, 'kind' | 'table' | 'key' | 'field'>

/**
 * @param conflict and `resolution`: whatever the app has handed over.
 * @throws SyncError INPUT_INVALID or KEY_INVALID when the choice does not fit the conflict.
 */
export function resolutionOp(
  domain: AnyDomain,
  registers: Registers,
  hlc: Hlc,
  conflict: Conflict,
  resolution: Resolution,
): BuiltInOp {
  const contested = contestedOf(conflict)
  const { kind, value } = plainFields({ name: 'resolution', example: "{ kind: 'drop' }" }, resolution, [
    'kind',
    'value',
  ])
  const layout = domain.layouts.get(contested.table)
  if (layout === undefined) throw unfit(contested, `domain ${domain.name} has no such table`)
  const key = registerKey(contested)
  if (placeOf(layout, key).field !== contested.field) throw unfit(contested, 'its field is part of its key')
  switch (kind) {
    case 'choose':
      if (contested.kind !== 'concurrent') throw unfit(contested, 'an orphan is restored or dropped')
      // Without a value the op would remove what is there.
      if (value === undefined) throw unfit(contested, 'choose one of its values, or one of your own')
      return { type: 'Resolved', entries: [{ table: contested.table, key, value: jsonOf(value) }] }
    case 'restore':
      if (contested.kind !== 'orphan') throw unfit(contested, 'choose one of its values')
      return { type: 'Restored', entries: missingRows(registers, layout, contested, value) }
    case 'drop':
      if (contested.kind !== 'orphan') throw unfit(contested, 'choose one of its values')
      return { type: 'Resolved', entries: rowRemoval(registers, layout, contested, hlc) }
    default:
      throw unfit(contested, 'the kind of a resolution is choose, restore or drop')
  }
}

function contestedOf(conflict: Conflict): Contested {
  const { kind, table, key, field } = plainFields(
    { name: 'conflict', example: 'conflicts() gives' },
    conflict,
    ['kind', 'table', 'key', 'field'],
  )
  if (
    (kind === 'concurrent' || kind === 'orphan') &&
    typeof table === 'string' &&
    isKey(key) &&
    (field === null || typeof field === 'string')
  )
    return { kind, table, key, field }
  throw new SyncError(
    'INPUT_INVALID',
    'a conflict is one that conflicts() gives: it has a kind, table, key and field',
  )
}

function isKey(key: Value | undefined): key is KeyParts {
  return Array.isArray(key) && key.every((part) => typeof part === 'string')
}

/** Every row above that is gone, and the orphan's own where only its fields are left. */
function missingRows(
  registers: Registers,
  layout: TableLayout,
  conflict: Contested,
  value: Value | undefined,
): Entry[] {
  const entries: Entry[] = []
  const first = conflict.field === null ? layout.parent : layout
  for (let at = first; at !== null; at = at.parent) {
    const row = conflict.key.slice(0, at.keyLength)
    if (registers.read(at.name, row).length > 0) continue
    if (at.table.kind === 'map' && value === undefined) {
      throw unfit(conflict, `its parent ${at.name} ${JSON.stringify(row)} holds a value: give it to restore`)
    }
    entries.push({
      table: at.name,
      key: [...row],
      value: at.table.kind === 'map' ? jsonOf(value ?? null) : true,
    })
  }
  if (entries.length === 0) throw unfit(conflict, 'its parent is there again')
  return entries
}

/** The row with its fields and all under it, or the one field that was left behind. */
function rowRemoval(registers: Registers, layout: TableLayout, conflict: Contested, hlc: Hlc): Entry[] {
  if (conflict.field !== null) return [{ table: conflict.table, key: registerKey(conflict) }]
  const draft = new Draft(registers, hlc)
  draft.removeRow(layout, conflict.key)
  const entries = draft.writes().map(({ table, key }): Entry => ({ table, key: [...key] }))
  if (entries.length === 0) throw unfit(conflict, 'it is gone already')
  return entries
}

function registerKey({ key, field }: { key: KeyParts; field: string | null }): string[] {
  return field === null ? [...key] : [...key, field]
}

/** An op's payload is JSON that may be written to; a value is the same, read-only. */
export function jsonOf(value: Value): NonNullable<Entry['value']> {
  return value as NonNullable<Entry['value']>
}

function unfit({ table, key }: Contested, why: string): SyncError {
  return new SyncError(
    'INPUT_INVALID',
    `the conflict at ${table} ${JSON.stringify(key)} is not resolved so: ${why}`,
  )
}
