import * as encoding from 'lib0/encoding'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { allEntries, HlcClock, SyncError } from '@rejoin/core'
import { sameBytes, view, Writer, type ListsOp } from './worlds.ts'

const tag = (id: string): ListsOp => ({ type: 'Tagged', id, tags: [id] })

function history(): { ann: Writer; bob: Writer; updates: Uint8Array[] } {
  const ann = new Writer(0, 5_000)
  const bob = new Writer(1, 6_000)
  const updates: Uint8Array[] = []
  for (let turn = 0; turn < 6; turn++) {
    const [writer, other] = turn % 2 === 0 ? [ann, bob] : [bob, ann]
    const commit = writer.commit([tag(`t${turn}`), { type: 'OwnerSet', owner: `turn ${turn}` }], 10 + turn)
    if (commit === null) continue
    updates.push(commit.update)
    other.hear([commit.update])
  }
  return { ann, bob, updates }
}

describe('bytes that build on what a document lacks', () => {
  test('[1] are refused whole: nothing waits and nothing is half done', () => {
    const { updates } = history()
    const document = yjsCrdt.open(7_000, updates.slice(0, 2))
    const before = document.encode()
    for (const missing of [
      updates.slice(3),
      updates.slice(4),
      [...updates.slice(2, 4), ...updates.slice(5)],
    ]) {
      const refusal = refusalOf(() => document.apply(missing))
      expect(refusal.code).toBe('UPDATE_UNKNOWN_ITEM')
      expect(refusal.path).toMatch(/^updates\[\d+\]@\d+$/)
      expect(sameBytes(before, document.encode())).toBe(true)
    }
    document.apply(updates.slice(2))
    expect(document.pendingCount).toBe(0)
  })

  test('[1] are refused where only the deletions are ahead', () => {
    const { updates } = history()
    const document = yjsCrdt.open(7_000, updates)
    const beyond = encoded((e) => [0, 1, 5_000, 1, 1_000, 1].forEach((n) => encoding.writeVarUint(e, n)))
    const unknown = encoded((e) => [0, 1, 9_999, 1, 0, 1].forEach((n) => encoding.writeVarUint(e, n)))
    expect(refusalOf(() => document.apply([beyond])).code).toBe('UPDATE_UNKNOWN_ITEM')
    expect(refusalOf(() => document.apply([unknown])).code).toBe('UPDATE_UNKNOWN_ITEM')
  })

  test('[1] are refused where two items each wait for the other', () => {
    const cycle = encoded((e) => {
      encoding.writeVarUint(e, 2)
      item(e, 9_000, { client: 8_000, clock: 0 })
      item(e, 8_000, { client: 9_000, clock: 0 })
      encoding.writeVarUint(e, 0)
    })
    const document = yjsCrdt.open(7_000, [])
    expect(refusalOf(() => document.apply([cycle])).code).toBe('UPDATE_UNKNOWN_ITEM')
    expect(document.pendingCount).toBe(0)
  })

  test('[1] are refused where a client skips clocks, though what it follows is there', () => {
    const { updates } = history()
    const document = yjsCrdt.open(7_000, updates)
    const skipping = encoded((e) => {
      encoding.writeVarUint(e, 1)
      item(e, 9_000, { client: 5_000, clock: 0 }, 3)
      encoding.writeVarUint(e, 0)
    })
    expect(refusalOf(() => document.apply([skipping])).code).toBe('UPDATE_UNKNOWN_ITEM')
    expect(document.pendingCount).toBe(0)
  })

  test('[1] are refused where another section of the update does not reach what one follows', () => {
    const short = encoded((e) => {
      encoding.writeVarUint(e, 2)
      item(e, 9_000, { client: 8_000, clock: 5 })
      item(e, 8_000, null)
      encoding.writeVarUint(e, 0)
    })
    const document = yjsCrdt.open(7_000, [])
    expect(refusalOf(() => document.apply([short])).code).toBe('UPDATE_UNKNOWN_ITEM')
    expect([...allEntries(document)]).toEqual([])
  })

  test('[2] an old commit again says nothing about what came after it', () => {
    const { updates } = history()
    const document = yjsCrdt.open(7_000, updates.slice(0, 4))
    document.apply([...updates.slice(0, 1), ...updates.slice(4)])
    expect(view(document)).toEqual(view(yjsCrdt.open(7_000, updates)))
  })

  test('[2] one bad update among good ones leaves the good ones out too', () => {
    const { updates } = history()
    const document = yjsCrdt.open(7_000, [])
    const cut = updates[2]?.slice(0, -1) ?? new Uint8Array()
    expect(refusalOf(() => document.apply([...updates.slice(0, 2), cut])).code).toBe('UPDATE_MALFORMED')
    expect([...allEntries(document)]).toEqual([])
    expect(refusalOf(() => yjsCrdt.open(7_000, [cut])).code).toBe('UPDATE_MALFORMED')
  })
})

test('[1] sections that follow each other in turns are placed in whatever order they stand', () => {
  const { ann, updates } = history()
  const clients = [...yjsCrdt.updates.clocks(ann.document.encode()).keys()]
  expect(clients).toEqual([6_000, 5_000])
  // A third writer below both begins after Bob's last item, so its section needs theirs, which need each other's.
  const carl = new Writer(2, 2_000, updates)
  const commit = carl.commit([tag('c')], 99)
  if (commit === null) throw new Error('nothing was written')
  ann.hear([commit.update])
  const loaded = yjsCrdt.open(7_000, [ann.document.encode()])
  expect(view(loaded)).toEqual(view(ann.document))
  expect(view(carl.document)).toEqual(view(ann.document))
})

test('[1] long chains that hang on each other are placed one run at a time', () => {
  // Every run of 9,000 follows one of 8,000 and the other way round: 2,000 turns.
  const turns = 2_000
  const update = encoded((e) => {
    encoding.writeVarUint(e, 2)
    for (const [client, other, ahead] of [
      [9_000, 8_000, 0],
      [8_000, 9_000, 1],
    ] as const) {
      encoding.writeVarUint(e, turns)
      encoding.writeVarUint(e, client)
      encoding.writeVarUint(e, 0)
      for (let i = 0; i < turns; i++) struct(e, i < ahead ? null : { client: other, clock: i - ahead })
    }
    encoding.writeVarUint(e, 0)
  })
  const document = yjsCrdt.open(7_000, [])
  document.apply([update])
  expect(document.pendingCount).toBe(0)
  expect(yjsCrdt.updates.clocks(document.encode())).toEqual(
    new Map([
      [9_000, turns],
      [8_000, turns],
    ]),
  )
})

test('cost: an import of 20,000 entries stays one struct, and removing half of it is no matter of minutes', () => {
  const document = yjsCrdt.open(5_000, [])
  const stamps = new HlcClock('A'.repeat(22), null)
  const keys = Array.from({ length: 20_000 }, (_, i) => [`k${i}`])
  for (let from = 0; from < keys.length; from += 5_000) {
    document.write(
      keys.slice(from, from + 5_000).map((key) => ({ kind: 'set', table: 't', key, value: 1 })),
      stamps.tick(1),
    )
  }
  const bytes = document.encode()
  expect(Y.decodeUpdate(bytes).structs).toHaveLength(1)
  const half = keys.filter((_, i) => i % 2 === 0)
  const update = document.write(
    half.map((key) => ({ kind: 'remove', table: 't', key })),
    stamps.tick(2),
  )
  if (update === null) throw new Error('nothing was removed')
  const other = yjsCrdt.open(6_000, [bytes, update])
  expect([...allEntries(other)]).toEqual([...allEntries(document)])
  expect(Y.decodeUpdate(other.encode()).structs).toHaveLength(20_000)
  // What is deleted is gone from the bytes too, and runs of deleted items are one struct again.
  const rest = document.write(
    keys.map((key) => ({ kind: 'remove', table: 't', key })),
    stamps.tick(3),
  )
  other.apply(rest === null ? [] : [rest])
  expect(Y.decodeUpdate(other.encode()).structs).toHaveLength(1)
  expect(other.encode().length).toBeLessThan(64)
})

function item(
  encoder: encoding.Encoder,
  client: number,
  origin: { client: number; clock: number } | null,
  clock = 0,
): void {
  encoding.writeVarUint(encoder, 1)
  encoding.writeVarUint(encoder, client)
  encoding.writeVarUint(encoder, clock)
  struct(encoder, origin)
}

function struct(encoder: encoding.Encoder, origin: { client: number; clock: number } | null): void {
  encoding.writeUint8(encoder, origin === null ? 0x08 : 0x88)
  if (origin === null) {
    encoding.writeVarUint(encoder, 1)
    encoding.writeVarString(encoder, 'entries')
  } else {
    encoding.writeVarUint(encoder, origin.client)
    encoding.writeVarUint(encoder, origin.clock)
  }
  encoding.writeVarUint(encoder, 1)
  encoding.writeAny(encoder, ['t', 'k', 1, new HlcClock('A'.repeat(22), null).tick(1)] as string[])
}

function encoded(write: (encoder: encoding.Encoder) => void): Uint8Array {
  const encoder = encoding.createEncoder()
  write(encoder)
  return encoding.toUint8Array(encoder)
}

function refusalOf(act: () => unknown): SyncError {
  try {
    act()
  } catch (error) {
    if (error instanceof SyncError) return error
    throw error
  }
  throw new Error('the bytes were not refused')
}
