/**
 * A live document on Yjs: `CrdtDocument`. Bytes are read strictly and found placeable before anything changes (invariants
 * 1 and 12), own writes are one transaction each, and listeners hear net differences after the document is whole.
 */
import * as Y from 'yjs'
import {
  sameValue,
  keyParts,
  type ChangeListener,
  type ChangeOrigin,
  type ClientId,
  type CrdtDocument,
  type Entry,
  type Hlc,
  type KeyParts,
  type KeyText,
  type Register,
  type RegisterChange,
  type Write,
} from '@rejoin/core'
import { EntryArray } from './entry-array.ts'
import { newDoc, pendingCountOf, placeParts, readParts } from './yjs-doc.ts'

export class YjsDocument implements CrdtDocument {
  readonly clientId: ClientId
  readonly #doc: Y.Doc
  readonly #entries: EntryArray
  readonly #listeners = new Set<ChangeListener>()
  readonly #unheard: { changes: readonly RegisterChange[]; origin: ChangeOrigin }[] = []
  /** Registers as they were before the change under way, or null while nobody listens. */
  #before: Map<string, Map<KeyText, Register>> | null = null
  #speaking = false

  constructor(clientId: ClientId) {
    this.clientId = clientId
    this.#doc = newDoc(clientId)
    this.#entries = new EntryArray(this.#doc, false, (table, key) => this.#remember(table, key))
  }

  get newestHlc(): Hlc | null {
    return this.#entries.newestHlc
  }

  get pendingCount(): number {
    return pendingCountOf(this.#doc)
  }

  write(writes: readonly Write[], hlc: Hlc, seen?: (entry: Entry) => boolean): Uint8Array | null {
    return this.#change('local', () => this.#entries.write(writes, hlc, seen))
  }

  apply(updates: readonly Uint8Array[]): void {
    const parts = readParts(updates)
    this.#change('remote', () => placeParts(this.#doc, parts))
  }

  listen(listener: ChangeListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  encode(): Uint8Array {
    return Y.encodeStateAsUpdate(this.#doc)
  }

  stateVector(): Uint8Array {
    return Y.encodeStateVector(this.#doc)
  }

  read(table: string, key: KeyParts): Register {
    return this.#entries.index.read(table, key)
  }

  scan(table: string, prefix: KeyParts): Iterable<Register> {
    return this.#entries.index.scan(table, prefix)
  }

  count(table: string, parts: number): number {
    return this.#entries.index.count(table, parts)
  }

  contested(): Iterable<Register> {
    return this.#entries.index.contested()
  }

  tableNames(): Iterable<string> {
    return this.#entries.index.tableNames()
  }

  destroy(): void {
    this.#listeners.clear()
    this.#entries.detach()
    this.#doc.destroy()
  }

  #change<T>(origin: ChangeOrigin, act: () => T): T {
    this.#before = this.#listeners.size === 0 ? null : new Map()
    const result = act()
    const changes = this.#netChanges()
    this.#before = null
    if (changes.length > 0) this.#tell(changes, origin)
    return result
  }

  #remember(table: string, key: KeyText): void {
    if (this.#before === null) return
    let keys = this.#before.get(table)
    if (keys === undefined) this.#before.set(table, (keys = new Map()))
    if (!keys.has(key)) keys.set(key, this.#entries.index.register(table, key))
  }

  #netChanges(): readonly RegisterChange[] {
    const changes: RegisterChange[] = []
    for (const [table, keys] of this.#before ?? []) {
      for (const [key, before] of keys) {
        const after = this.#entries.index.register(table, key)
        if (!sameRegister(before, after)) changes.push({ table, key: keyParts(key), before, after })
      }
    }
    return changes
  }

  /** A listener may write; what comes of it is told after every listener has heard of this. */
  #tell(changes: readonly RegisterChange[], origin: ChangeOrigin): void {
    this.#unheard.push({ changes, origin })
    if (this.#speaking) return
    this.#speaking = true
    for (let next = this.#unheard.shift(); next !== undefined; next = this.#unheard.shift()) {
      for (const listener of this.#listeners) call(listener, next.changes, next.origin)
    }
    this.#speaking = false
  }
}

/** The document has changed by now, whatever a listener thinks of it: its error goes to the platform, not to the writer. */
function call(listener: ChangeListener, changes: readonly RegisterChange[], origin: ChangeOrigin): void {
  try {
    listener(changes, origin)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

function sameRegister(a: Register, b: Register): boolean {
  return (
    a.length === b.length &&
    a.every((entry, i) => {
      const other = b[i]
      return other !== undefined && entry.hlc === other.hlc && sameValue(entry.value, other.value)
    })
  )
}
