/**
 * Conflicts: concurrent values of one key, and rows whose parent is gone. Readable, never an error, and the same list on
 * every replica that has seen the same commits (invariant 1).
 */
import type { AnyDomain, TableLayout } from '../domain/domain.ts'
import { findPlace } from '../domain/register-schema.ts'
import type { Entry, Register } from '../entry.ts'
import { parseHlc } from '../hlc.ts'
import { keyText, type KeyParts } from '../key.ts'
import type { Value } from '../value.ts'
import { isConflict, missingParent, readRegister } from './read.ts'
import type { Registers } from './registers.ts'

/** One of the values in a conflict: who meant it, and when. */
export interface Choice {
  readonly value: Value
  readonly hlc: string
  /** The author's tag: five characters that stand for a replica. */
  readonly author: string
  /** Milliseconds since 1970. */
  readonly at: number
}

export type Conflict =
  | {
      readonly kind: 'concurrent'
      readonly table: string
      /** The row's key, without the field. */
      readonly key: KeyParts
      readonly field: string | null
      /** The first is the one that is read. */
      readonly choices: readonly Choice[]
    }
  | {
      readonly kind: 'orphan'
      readonly table: string
      readonly key: KeyParts
      readonly field: string | null
      readonly choices: readonly Choice[]
      readonly parent: { readonly table: string; readonly key: KeyParts }
    }

/** Sorted by table, key and field. Entries of tables the domain does not know are in no conflict. */
export function listConflicts(domain: AnyDomain, registers: Registers): readonly Conflict[] {
  const found = new Map<string, Conflict>()
  for (const register of registers.contested()) {
    const place = placeIn(domain, register)
    if (place === null || !isConflict(place.layout, place.field, register)) continue
    found.set(conflictId(place.layout.name, register), {
      kind: 'concurrent',
      table: place.layout.name,
      key: place.row,
      field: place.field,
      choices: register.map(choiceOf),
    })
  }
  for (const layout of domain.layouts.values()) {
    for (const orphan of orphans(domain, layout, registers)) found.set(orphan.id, orphan.conflict)
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, conflict]) => conflict)
}

function* orphans(
  domain: AnyDomain,
  layout: TableLayout,
  registers: Registers,
): Iterable<{ id: string; conflict: Conflict }> {
  if (layout.table.kind === 'singleton') return
  if (layout.table.kind === 'map' && layout.parent === null) return
  for (const register of registers.scan(layout.name, [])) {
    const place = placeIn(domain, register)
    if (place === null || readRegister(layout, place.field, register) === undefined) continue
    const ownRowMissing = place.field !== null && registers.read(layout.name, place.row).length === 0
    const missing = ownRowMissing ? { layout, row: place.row } : missingParent(registers, layout, place.row)
    if (missing === null) continue
    yield {
      id: conflictId(layout.name, register),
      conflict: {
        kind: 'orphan',
        table: layout.name,
        key: place.row,
        field: place.field,
        choices: register.map(choiceOf),
        parent: { table: missing.layout.name, key: missing.row },
      },
    }
  }
}

function placeIn(domain: AnyDomain, register: Register) {
  const entry = register[0]
  const layout = entry === undefined ? undefined : domain.layouts.get(entry.table)
  return entry === undefined || layout === undefined ? null : findPlace(layout, entry.key)
}

function choiceOf(entry: Entry): Choice {
  const { ms, author } = parseHlc(entry.hlc)
  return { value: entry.value, hlc: entry.hlc, author, at: ms }
}

function conflictId(table: string, register: Register): string {
  return `${table}\u0001${keyText(register[0]?.key ?? [])}`
}
