/**
 * Two writers taking turns: where do a client's new items go? After its own last item (decision 0002), or after the last
 * item of the array (the design's hint). Both write the same entries and delete by id through Yjs alone.
 */
import * as Y from 'yjs'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { figure, type Figure } from '../figure.ts'
import { cpuMicros, exactly, memoryMB, sampleMs } from '../measures.ts'
import { overwrites } from '../workload.ts'
import type { BenchCase } from './case.ts'

const OVERWRITES = 200_000
const KEYS = 10_000
const STAMP = 'DYJdG----JXt5Q'

const PLACES = ['after its own last item', 'after the last item of the array'] as const
type Place = (typeof PLACES)[number]

export const chains: BenchCase = {
  about: 'where new items go when writers take turns: after their own, or after all (decision 0002)',
  subjects: ['rejoin'],
  run: async () => {
    const figures: Figure[] = []
    for (const writers of [1, 2, 8]) {
      for (const commitWrites of [1, 100]) {
        for (const place of PLACES) figures.push(...(await measured(place, writers, commitWrites)))
      }
    }
    return figures
  },
}

async function measured(place: Place, writers: number, commitWrites: number): Promise<readonly Figure[]> {
  const held: { doc: Y.Doc | null } = { doc: null }
  const micros = cpuMicros(() => (held.doc = write(place, writers, commitWrites)))
  const { bytes, structs } = encode(held.doc)
  const memory = await memoryMB()
  held.doc = null
  const memoryFreed = memory - (await memoryMB())
  const what = `${writers} writers, ${commitWrites} a commit, ${place}:`
  return [
    figure(`${what} encoded`, 'bytes', exactly(bytes.length)),
    figure(`${what} structs`, '', exactly(structs)),
    figure(`${what} memory`, 'MB', exactly(memoryFreed)),
    figure(
      `${what} load`,
      'ms',
      sampleMs(() => yjsCrdt.open(9_999, [bytes]).destroy()),
    ),
    figure(`${what} a write`, 'µs', exactly(micros / OVERWRITES)),
  ]
}

function encode(doc: Y.Doc | null): { bytes: Uint8Array; structs: number } {
  if (doc === null) throw new Error('written before')
  const structs = [...doc.store.clients.values()].reduce((sum, of) => sum + of.length, 0)
  return { bytes: Y.encodeStateAsUpdate(doc), structs }
}

/** One document that takes every writer's transactions in turn: what each of them would hold after hearing all. */
function write(place: Place, writers: number, commitWrites: number): Y.Doc {
  const doc = new Y.Doc()
  const root = doc.getArray('entries')
  const ids = new Map<string, Y.ID>()
  let last: Y.ID | null = null
  for (let done = 0, turn = 0; done < OVERWRITES; done += commitWrites, turn++) {
    doc.clientID = 2_000 + (turn % writers)
    doc.transact((transaction) => {
      const { store } = doc
      const clock = Y.getState(store, doc.clientID)
      const pairs = overwrites(done, commitWrites, KEYS, 'as written', 'token')
      const keys = pairs.map(({ key }) => key.join())
      for (const key of keys) {
        const id = ids.get(key)
        if (id !== undefined) deleteItem(transaction, id)
      }
      const own = clock === 0 ? last : Y.createID(doc.clientID, clock - 1)
      const after = place === 'after its own last item' ? own : last
      const left = after === null ? null : Y.getItemCleanEnd(transaction, store, after)
      const content = pairs.map(({ key, value }) => ['weights', ...key, value, STAMP])
      const origin = left === null ? null : left.lastId
      const id = Y.createID(doc.clientID, clock)
      new Y.Item(id, left, origin, null, null, root, null, new Y.ContentAny(content)).integrate(
        transaction,
        0,
      )
      for (const [i, key] of keys.entries()) ids.set(key, Y.createID(doc.clientID, clock + i))
      // The end of the array, whichever way items went: what an item without a right neighbour ends with.
      last = Y.createID(doc.clientID, clock + commitWrites - 1)
    })
  }
  return doc
}

function deleteItem(transaction: Y.Transaction, id: Y.ID): void {
  const item = Y.getItemCleanStart(transaction, id)
  if (item.length > 1) Y.getItemCleanEnd(transaction, transaction.doc.store, id)
  item.delete(transaction)
}
