/**
 * A draft collects what the ops of one commit write, one write a key, before the document is touched. It reads as the
 * document would after those writes, so that a later op of the same commit sees what an earlier one did.
 */
import { assert } from '../assert.ts'
import type { Entry, Register } from '../entry.ts'
import type { Hlc } from '../hlc.ts'
import { keyParts, keyText, prefixText, type KeyParts, type KeyText } from '../key.ts'
import { noRegisters, type Registers } from '../reading/registers.ts'
import { sameValue, type Value } from '../value.ts'
import { isConflict, isParentVisible, readRegister } from '../reading/read.ts'
import type { TableLayout } from './domain.ts'
import { findPlace, type RegisterPlace } from './register-schema.ts'

/** A change of one register: a set writes an entry and deletes those it has seen, a remove only deletes. */
export type Write =
  | { readonly kind: 'set'; readonly table: string; readonly key: KeyParts; readonly value: Value }
  | { readonly kind: 'remove'; readonly table: string; readonly key: KeyParts }

export class Draft implements Registers {
  readonly #base: Registers
  readonly #hlc: Hlc
  /** Of the sets in `asked`, the first `#indexed`: the rest are entered when somebody reads. */
  readonly #pending = new Map<string, Map<KeyText, Entry | null>>()
  #indexed = 0
  readonly #places: { readonly place: RegisterPlace; readonly op: number }[] = []
  #op = 0
  readonly #layouts = new Map<string, TableLayout>()
  /** Every set that an op asked for, also those that a later op of the commit undid. */
  readonly asked: Entry[] = []

  /** `hlc` is the commit's stamp. */
  constructor(base: Registers, hlc: Hlc) {
    this.#base = base
    this.#hlc = hlc
  }

  /** What is written from here on is of the commit's op with this index. */
  beginOp(index: number): void {
    this.#op = index
  }

  /** Sets a register whose key and value were checked. */
  set(place: RegisterPlace, value: Value): void {
    const key = place.field === null ? place.row : [...place.row, place.field]
    const entry = { table: place.layout.name, key, value, hlc: this.#hlc }
    this.asked.push(entry)
    this.#places.push({ place, op: this.#op })
  }

  /** Removes one register, where there is something to remove. */
  remove(table: string, key: KeyParts): void {
    if (this.read(table, key).length > 0) this.#pendingOf(table).set(keyText(key), null)
  }

  /**
   * Removes a row with its fields and every row under it, also those that are hidden since a row between is gone.
   * @param row for a table under that of the row: the first parts of its keys.
   */
  removeRow(layout: TableLayout, row: KeyParts): void {
    this.remove(layout.name, row)
    if (row.length < layout.keyLength) {
      const keys = Array.from(this.scan(layout.name, row), (register) => register[0]?.key)
      for (const key of keys) if (key !== undefined) this.remove(layout.name, key)
    } else if (layout.table.kind === 'records') {
      for (const field of Object.keys(layout.table.fields)) this.remove(layout.name, [...row, field])
    }
    for (const child of layout.children) this.removeRow(child, row)
  }

  /** What is left to write: sets that change what is read or settle a conflict, removes of what is there. */
  writes(): readonly Write[] {
    this.#index()
    const writes: Write[] = []
    for (const [table, pending] of this.#pending) {
      for (const [text, entry] of pending) {
        const key = entry?.key ?? keyParts(text)
        const current = this.#base.read(table, key)
        if (entry === null) {
          if (current.length > 0) writes.push({ kind: 'remove', table, key })
        } else if (this.#changes(entry, current)) {
          writes.push({ kind: 'set', table, key, value: entry.value })
        }
      }
    }
    return writes
  }

  /** A row that was set although the row it belongs under is not there, with the index of the op; or null. */
  missingParent(): { readonly place: RegisterPlace; readonly op: number } | null {
    for (const set of this.#places) {
      const { layout, row, field } = set.place
      const ownKey = field === null ? row : [...row, field]
      if (this.read(layout.name, ownKey).length === 0) continue
      if (field !== null && layout.table.kind === 'records' && this.read(layout.name, row).length === 0)
        return set
      if (!isParentVisible(this, layout, row)) return set
    }
    return null
  }

  read(table: string, key: KeyParts): Register {
    this.#index()
    const pending = this.#pending.get(table)?.get(keyText(key))
    if (pending === undefined) return this.#base.read(table, key)
    return pending === null ? [] : [pending]
  }

  *scan(table: string, prefix: KeyParts): Iterable<Register> {
    this.#index()
    const pending = this.#pending.get(table)
    if (pending === undefined) return yield* this.#base.scan(table, prefix)
    const start = prefixText(prefix)
    const rows = new Map<KeyText, Register>()
    for (const register of this.#base.scan(table, prefix)) rows.set(keyText(register[0]?.key ?? []), register)
    for (const [text, entry] of pending) {
      if (!text.startsWith(start)) continue
      if (entry === null) rows.delete(text)
      else rows.set(text, [entry])
    }
    for (const text of [...rows.keys()].sort()) yield rows.get(text) ?? []
  }

  *contested(): Iterable<Register> {
    this.#index()
    for (const register of this.#base.contested()) {
      const key = register[0]?.key ?? []
      const table = register[0]?.table ?? ''
      if (this.#pending.get(table)?.has(keyText(key)) !== true) yield register
    }
  }

  tableNames(): Iterable<string> {
    this.#index()
    return new Set([...this.#base.tableNames(), ...this.#pending.keys()])
  }

  #changes(entry: Entry, current: Register): boolean {
    const layout = this.#layouts.get(entry.table)
    assert(layout !== undefined, 'a pending set came through set()')
    const field = findPlace(layout, entry.key)?.field ?? null
    const read = readRegister(layout, field, current)
    return read === undefined || !sameValue(read, entry.value) || isConflict(layout, field, current)
  }

  /** A hub asks what is set, and mostly no writer reads: so no index is made for nobody. */
  #index(): void {
    for (; this.#indexed < this.asked.length; this.#indexed++) {
      const entry = this.asked[this.#indexed]
      const layout = this.#places[this.#indexed]?.place.layout
      assert(entry !== undefined && layout !== undefined, 'every set has its place')
      this.#layouts.set(layout.name, layout)
      this.#pendingOf(layout.name).set(keyText(entry.key), entry)
    }
  }

  #pendingOf(table: string): Map<KeyText, Entry | null> {
    let pending = this.#pending.get(table)
    if (pending === undefined) this.#pending.set(table, (pending = new Map()))
    return pending
  }
}

/** A draft over nothing: what it is asked to set follows from the payloads alone. */
export function emptyDraft(hlc: Hlc): Draft {
  return new Draft(noRegisters, hlc)
}
