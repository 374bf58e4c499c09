/** Loro's map: Rust compiled to WebAssembly. It keeps all history, until a shallow snapshot drops it for those who take that. */
import type { Pair } from '../workload.ts'
import { joined, startOf } from './joined-key.ts'
import { importPeer, versionOf } from './peers.ts'
import type { BenchDocument, SharedDocument, Subject } from './subject.ts'

/** The parts of it that are used here. */
interface LoroMap {
  get(key: string): unknown
  set(key: string, value: number): void
  keys(): readonly string[]
  free(): void
}

interface LoroDoc {
  getMap(name: string): LoroMap
  commit(): void
  setPeerId(peer: number): void
  frontiers(): unknown
  export(options: { mode: 'snapshot' } | { mode: 'shallow-snapshot'; frontiers: unknown }): Uint8Array
  import(bytes: Uint8Array): unknown
  free(): void
}

interface LoroModule {
  LoroDoc: new () => LoroDoc
}

export async function openLoro(): Promise<Subject> {
  const { LoroDoc } = await importPeer<LoroModule>('loro-crdt')
  return {
    version: versionOf('loro-crdt'),
    open: (bytes) => new LoroDocument(new LoroDoc(), bytes),
    openShared: () => new LoroDocument(new LoroDoc()),
  }
}

class LoroDocument implements BenchDocument, SharedDocument {
  readonly #doc: LoroDoc
  readonly #map: LoroMap

  constructor(doc: LoroDoc, bytes?: Uint8Array) {
    this.#doc = doc
    if (bytes !== undefined) doc.import(bytes)
    this.#map = doc.getMap('weights')
  }

  commit(pairs: readonly Pair[]): void {
    for (const pair of pairs) this.#map.set(joined(pair.key), pair.value)
    this.#doc.commit()
  }

  commitAs(writer: number, pairs: readonly Pair[]): void {
    this.#doc.setPeerId(writer)
    this.commit(pairs)
  }

  encode(): Uint8Array {
    return this.#doc.export({ mode: 'snapshot' })
  }

  get(key: readonly string[]): unknown {
    return this.#map.get(joined(key))
  }

  /** Its keys have no order on this side: every one is looked at. */
  countUnder(first: string): number {
    const start = startOf(first)
    let count = 0
    for (const key of this.#map.keys()) if (key.startsWith(start) && this.#map.get(key) !== undefined) count++
    return count
  }

  tidy(): boolean {
    return false
  }

  tidied(): Uint8Array {
    return this.#doc.export({ mode: 'shallow-snapshot', frontiers: this.#doc.frontiers() })
  }

  close(): void {
    this.#map.free()
    this.#doc.free()
  }
}
