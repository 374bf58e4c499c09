/** The obvious choice: one `Y.Map`, a key a register. It keeps every overwritten key as a struct for ever. */
import * as Y from 'yjs'
import type { Pair } from '../workload.ts'
import { versionOf } from './peers.ts'
import type { BenchDocument, SharedDocument, Subject } from './subject.ts'
import { joined, startOf } from './joined-key.ts'

export const yMap: Subject = {
  version: versionOf('yjs'),
  open: (bytes) => new MapDocument(bytes),
  openShared: () => new MapDocument(),
}

class MapDocument implements BenchDocument, SharedDocument {
  readonly #doc = new Y.Doc()
  readonly #map = this.#doc.getMap<number>('weights')

  constructor(bytes?: Uint8Array) {
    if (bytes !== undefined) Y.applyUpdate(this.#doc, bytes)
  }

  commit(pairs: readonly Pair[]): void {
    this.#doc.transact(() => {
      for (const pair of pairs) this.#map.set(joined(pair.key), pair.value)
    })
  }

  commitAs(writer: number, pairs: readonly Pair[]): void {
    this.#doc.clientID = writer
    this.commit(pairs)
  }

  encode(): Uint8Array {
    return Y.encodeStateAsUpdate(this.#doc)
  }

  get(key: readonly string[]): unknown {
    return this.#map.get(joined(key))
  }

  /** A map has no order: every key is looked at. */
  countUnder(first: string): number {
    const start = startOf(first)
    let count = 0
    for (const [key, value] of this.#map.entries()) if (key.startsWith(start) && value !== undefined) count++
    return count
  }

  tidy(): boolean {
    return false
  }

  tidied(): Uint8Array | null {
    return null
  }

  close(): void {
    this.#doc.destroy()
  }
}
