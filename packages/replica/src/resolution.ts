/** Resolving conflicts: the app's choice as an ordinary op, which replicates like any other. */
import {
  Draft,
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

export type Resolution =
  /** One of a conflict's values: every other one goes. */
  | { readonly kind: 'choose'; readonly value: Value }
  /** Brings back the rows that an orphan belongs under; `value` where its parent is a row of a map, which has one. */
  | { readonly kind: 'restore'; readonly value?: Value }
  /** Removes an orphan. */
  | { readonly kind: 'drop' }

type Entry = BuiltInOp['entries'][number]

/** @throws SyncError INPUT_INVALID when the choice does not fit the conflict. */
export function resolutionOp(
  domain: AnyDomain,
  registers: Registers,
  hlc: Hlc,
  conflict: Conflict,
  resolution: Resolution,
): BuiltInOp {
  const layout = domain.layouts.get(conflict.table)
  if (layout === undefined) throw unfit(conflict, `domain ${domain.name} has no such table`)
  const key = registerKey(conflict)
  switch (resolution.kind) {
    case 'choose':
      if (conflict.kind !== 'concurrent') throw unfit(conflict, 'an orphan is restored or dropped')
      return { type: 'Resolved', entries: [{ table: conflict.table, key, value: jsonOf(resolution.value) }] }
    case 'restore':
      if (conflict.kind !== 'orphan') throw unfit(conflict, 'choose one of its values')
      return { type: 'Restored', entries: missingRows(registers, layout, conflict, resolution.value) }
    case 'drop':
      if (conflict.kind !== 'orphan') throw unfit(conflict, 'choose one of its values')
      return { type: 'Resolved', entries: rowRemoval(registers, layout, conflict, hlc) }
  }
}

/** Every row above that is gone, and the orphan's own where only its fields are left. */
function missingRows(
  registers: Registers,
  layout: TableLayout,
  conflict: Conflict,
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
function rowRemoval(registers: Registers, layout: TableLayout, conflict: Conflict, hlc: Hlc): Entry[] {
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

function unfit({ table, key }: Conflict, why: string): SyncError {
  return new SyncError(
    'INPUT_INVALID',
    `the conflict at ${table} ${JSON.stringify(key)} is not resolved so: ${why}`,
  )
}
