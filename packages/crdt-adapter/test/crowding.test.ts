/** What readers may have to search is counted from bytes as Yjs's own lists show it (`HAZARDS.md` E1, C7). */
import fc from 'fast-check'
import {
  createEncoder,
  toUint8Array,
  writeAny,
  writeUint8,
  writeVarString,
  writeVarUint,
} from 'lib0/encoding'
import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { HlcClock } from '@rejoin/core'
import { yjsUpdates } from '../src/updates.ts'

const FIRST = 5_000
const hlc = new HlcClock('A'.repeat(22), null).tick(1_700_000_000_000)

/** A client that begins with what it has seen: it adds, deletes, and goes on. */
class Writer {
  readonly doc = new Y.Doc({ gc: true })

  constructor(client: number, seen: Uint8Array | null) {
    if (seen !== null) Y.applyUpdate(this.doc, seen)
    this.doc.clientID = client
  }

  get bytes(): Uint8Array {
    return Y.encodeStateAsUpdate(this.doc)
  }

  write(): this {
    this.doc.getArray('entries').push([['notes', 'n', 'text', hlc]])
    return this
  }

  delete(at: number): this {
    this.doc.getArray('entries').delete(at, 1)
    return this
  }
}

function merged(parts: readonly Uint8Array[]): Uint8Array {
  const doc = new Y.Doc()
  doc.transact(() => parts.forEach((part) => Y.applyUpdate(doc, part)))
  return Y.encodeStateAsUpdate(doc)
}

test('E1 clients that all begin at the start of the array cost the square of their number', () => {
  const parts = Array.from({ length: 200 }, (_, i) => new Writer(FIRST + i, null).write().bytes)
  expect(yjsUpdates.weigh(merged(parts)).scanSteps).toBe((200 * 199) / 2)
})

test('E1 so do those behind one item of another, each all that stands there', () => {
  const base = new Writer(FIRST, null).write()
  // Two runs each: a deleted item stands beside a live one.
  const parts = Array.from(
    { length: 10 },
    (_, i) => new Writer(FIRST + 1 + i, base.bytes).write().write().delete(2).bytes,
  )
  expect(yjsUpdates.weigh(merged(parts)).scanSteps).toBe(2 * ((10 * 9) / 2))
})

test('C7 clients that each begin behind what the one before wrote cost nothing', () => {
  let bytes: Uint8Array | null = null
  for (let i = 0; i < 500; i++) bytes = new Writer(FIRST + ((i * 7) % 500), bytes).write().bytes
  expect(yjsUpdates.weigh(bytes ?? new Uint8Array()).scanSteps).toBe(0)
})

test('E1 whatever was written by whom, the steps are the runs that stand between items and their origins', () => {
  const stepArbitrary = fc.record({
    client: fc.nat(12),
    origin: fc.option(fc.nat(40)),
    deleted: fc.option(fc.nat(40), { freq: 2 }),
  })
  fc.assert(
    fc.property(fc.array(stepArbitrary, { minLength: 1, maxLength: 60 }), (steps) => {
      const items: { client: number; clock: number }[] = []
      const clocks = new Map<number, number>()
      const parts = steps.map(({ client: number, origin, deleted }) => {
        const client = FIRST + number
        const clock = clocks.get(client) ?? 0
        clocks.set(client, clock + 1)
        // Its own last item; the first of each wherever it likes.
        const left = clock > 0 ? { client, clock: clock - 1 } : (items[origin ?? Infinity] ?? null)
        const gone = items[deleted ?? Infinity] ?? null
        items.push({ client, clock })
        return updateOf({ client, clock }, left, gone)
      })
      const bytes = merged(parts)
      expect(yjsUpdates.weigh(bytes).scanSteps).toBe(stepsIn(bytes))
    }),
    { numRuns: 1_000 },
  )
})

interface Item {
  readonly client: number
  readonly clock: number
}

function updateOf({ client, clock }: Item, left: Item | null, deleted: Item | null): Uint8Array {
  const out = createEncoder()
  for (const number of [1, 1, client, clock]) writeVarUint(out, number)
  writeUint8(out, left === null ? 0x08 : 0x88)
  if (left === null) {
    writeVarUint(out, 1)
    writeVarString(out, 'entries')
  } else for (const number of [left.client, left.clock]) writeVarUint(out, number)
  writeVarUint(out, 1)
  writeAny(out, ['notes', 'n', 'text', hlc])
  const ranges = deleted === null ? [0] : [1, deleted.client, 1, deleted.clock, 1]
  for (const number of ranges) writeVarUint(out, number)
  return toUint8Array(out)
}

/** The same from the list that Yjs makes. */
function stepsIn(bytes: Uint8Array): number {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, bytes)
  const items: Y.Item[] = []
  for (let item = doc.getArray('entries')._start; item !== null; item = item.right) items.push(item)
  let steps = 0
  for (const [i, { origin }] of items.entries()) {
    const at = items.findIndex(
      ({ id, length }) =>
        origin?.client === id.client && id.clock <= origin.clock && origin.clock < id.clock + length,
    )
    const holder = items[at]
    const isInside =
      holder !== undefined && origin !== null && origin.clock < holder.id.clock + holder.length - 1
    steps += i - at - 1 + (isInside ? 1 : 0)
  }
  return steps
}
