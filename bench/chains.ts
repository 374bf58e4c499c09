/**
 * Two writers taking turns: where do a client's new items go? After its own last item (decision 0002), or after the last
 * item of the array (the design's hint). Both write the same entries and delete by id through Yjs alone.
 *   node --conditions=@rejoin/source --import tsx --expose-gc bench/chains.ts
 */
import * as Y from 'yjs'
import { yjsCrdt } from '@rejoin/crdt-adapter'

const OVERWRITES = 200_000
const KEYS = 10_000

type Place = 'after its own last item' | 'after the last item of the array'

console.log(`Node ${process.version}, ${OVERWRITES} overwrites over ${KEYS} keys`)
for (const writers of [1, 2, 8]) {
  for (const commitWrites of [1, 100]) {
    for (const place of ['after its own last item', 'after the last item of the array'] as const) {
      await measure(place, writers, commitWrites)
    }
  }
}

async function measure(place: Place, writers: number, commitWrites: number): Promise<void> {
  const held: { doc: Y.Doc | null } = { doc: null }
  const start = performance.now()
  held.doc = write(place, writers, commitWrites)
  const ms = performance.now() - start
  const { bytes, structs } = encode(held.doc)
  const loading = performance.now()
  yjsCrdt.open(9_999, [bytes]).destroy()
  const loadMs = performance.now() - loading
  const heapWith = await heapMB()
  held.doc = null
  const heap = heapWith - (await heapMB())
  console.log(
    `${writers} writers, ${commitWrites} a commit, ${place}:`.padEnd(62),
    `${bytes.length} bytes, ${structs} structs, ${heap.toFixed(1)} MB of heap,`,
    `load ${loadMs.toFixed(0)} ms, ${((ms * 1000) / OVERWRITES).toFixed(1)} µs a write`,
  )
}

function encode(doc: Y.Doc): { bytes: Uint8Array; structs: number } {
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
      const keys = Array.from({ length: commitWrites }, (_, i) => `token-${((done + i) * 7919) % KEYS}`)
      for (const key of keys) {
        const id = ids.get(key)
        if (id !== undefined) deleteItem(transaction, id)
      }
      const own = clock === 0 ? last : Y.createID(doc.clientID, clock - 1)
      const after = place === 'after its own last item' ? own : last
      const left = after === null ? null : Y.getItemCleanEnd(transaction, store, after)
      const content = keys.map((key, i) => ['weights', key, (done + i) % 1000, 'DYJdG----JXt5Q'])
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

/** After a turn of the event loop, so that no frame holds what is no longer used. */
async function heapMB(): Promise<number> {
  await new Promise((resolve) => setImmediate(resolve))
  globalThis.gc?.()
  return process.memoryUsage().heapUsed / 1e6
}
