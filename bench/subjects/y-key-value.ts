/** `YKeyValue` of y-utility: entries in one `Y.Array`, as Rejoin's, found by walking it. */
import * as Y from 'yjs'
import type { Pair } from '../workload.ts'
import { joined, startOf } from './joined-key.ts'
import { importPeer, versionOf } from './peers.ts'
import type { BenchDocument, SharedDocument, Subject } from './subject.ts'

/** The part of it that is used here. */
interface YKeyValue {
  readonly map: ReadonlyMap<string, { readonly key: string; readonly val: number }>
  get(key: string): number | undefined
  set(key: string, value: number): void
}

interface YKeyValueModule {
  YKeyValue: new (array: Y.Array<unknown>) => YKeyValue
}

export async function openYKeyValue(): Promise<Subject> {
  const { YKeyValue } = await importPeer<YKeyValueModule>('y-utility/y-keyvalue')
  return {
    version: versionOf('y-utility'),
    open: (bytes) => new KeyValueDocument(YKeyValue, bytes),
    openShared: () => new KeyValueDocument(YKeyValue),
  }
}

class KeyValueDocument implements BenchDocument, SharedDocument {
  readonly #doc = new Y.Doc()
  readonly #pairs: YKeyValue

  constructor(YKeyValue: YKeyValueModule['YKeyValue'], bytes?: Uint8Array) {
    const array = this.#doc.getArray('weights')
    if (bytes !== undefined) Y.applyUpdate(this.#doc, bytes)
    this.#pairs = new YKeyValue(array)
  }

  commit(pairs: readonly Pair[]): void {
    this.#doc.transact(() => {
      for (const pair of pairs) this.#pairs.set(joined(pair.key), pair.value)
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
    return this.#pairs.get(joined(key))
  }

  /** Its index has no order: every key is looked at. */
  countUnder(first: string): number {
    const start = startOf(first)
    let count = 0
    for (const [key, { val }] of this.#pairs.map) if (key.startsWith(start) && val !== undefined) count++
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
