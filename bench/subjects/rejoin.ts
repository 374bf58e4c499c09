/** Rejoin's document through its ports; turns of many writers go through `wrapDocument`, whose Yjs document may change hands. */
import * as Y from 'yjs'
import { yjsCrdt, wrapDocument, type WrappedDocument } from '@rejoin/crdt-adapter'
import { HlcClock, readTables, type AnyOp, type CrdtDocument, type Hlc, type Write } from '@rejoin/core'
import { defaultRebuildPolicy, isRebuildDue } from '@rejoin/hub'
import type { Pair } from '../workload.ts'
import { weights } from './domain.ts'
import { versionOf } from './peers.ts'
import type { BenchDocument, SharedDocument, Subject } from './subject.ts'

const CLIENT = 2_000

export const rejoin: Subject = {
  version: versionOf('yjs'),
  open: (bytes) => new RejoinDocument(bytes === undefined ? [] : [bytes]),
  openShared: () => new RejoinShared(),
}

export class RejoinDocument implements BenchDocument {
  readonly document: CrdtDocument
  readonly #stamps = stampsFrom(1)
  readonly #tables

  constructor(parts: readonly Uint8Array[]) {
    this.document = yjsCrdt.open(CLIENT, parts)
    this.#tables = readTables(weights, this.document)
  }

  commit(pairs: readonly Pair[]): void {
    this.commitUpdate(pairs)
  }

  commitUpdate(pairs: readonly Pair[]): Uint8Array {
    return this.document.write(pairs.map(setOf), this.#stamps()) ?? new Uint8Array()
  }

  encode(): Uint8Array {
    return this.document.encode()
  }

  get(key: readonly string[]): unknown {
    return this.#tables.weights.get(keyOf(key))
  }

  countUnder(first: string): number {
    let count = 0
    for (const [, value] of this.#tables.weights.entries([first])) if (value !== undefined) count++
    return count
  }

  close(): void {
    this.document.destroy()
  }
}

class RejoinShared implements SharedDocument {
  readonly #stamps = stampsFrom(1)
  #doc = new Y.Doc()
  #wrapped: WrappedDocument<typeof weights> = wrapDocument(weights, this.#doc)

  commitAs(writer: number, pairs: readonly Pair[]): void {
    this.#doc.clientID = CLIENT + writer
    this.#wrapped.apply([opOf(pairs)], this.#stamps())
  }

  encode(): Uint8Array {
    return Y.encodeStateAsUpdate(this.#doc)
  }

  tidy(): boolean {
    const bytes = this.encode()
    if (!isRebuildDue(yjsCrdt.updates.weigh(bytes), defaultRebuildPolicy)) return false
    this.close()
    this.#doc = new Y.Doc()
    Y.applyUpdate(this.#doc, yjsCrdt.updates.rebuild([bytes]).snapshot)
    this.#wrapped = wrapDocument(weights, this.#doc)
    return true
  }

  tidied(): Uint8Array {
    return yjsCrdt.updates.rebuild([this.encode()]).snapshot
  }

  close(): void {
    this.#wrapped.destroy()
    this.#doc.destroy()
  }
}

export function setOf({ key, value }: Pair): Write {
  return { kind: 'set', table: tableOf(key), key, value }
}

/** Keys of one part are in a table of their own: a table has one kind of key. */
function tableOf(key: readonly string[]): 'weights' | 'tokens' {
  return key.length === 1 ? 'tokens' : 'weights'
}

/** The op that sets all of `pairs`, which have keys of one shape. */
export function opOf(pairs: readonly Pair[]): AnyOp {
  const [first] = pairs
  return first?.key.length === 1
    ? { type: 'TokensWeighed', changes: pairs.map(({ key, value }) => [...key, value]) }
    : { type: 'Weighed', changes: pairs.map(({ key, value }) => [...key, value]) }
}

function keyOf([token = '', intent = '']: readonly string[]): [string, string] {
  return [token, intent]
}

export function stampsFrom(ms: number): () => Hlc {
  const clock = new HlcClock('AAAAAAAAAAAAAAAAAAAAAA', null)
  let now = ms
  return () => clock.tick(now++)
}
