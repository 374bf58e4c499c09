import fc from 'fast-check'
import * as encoding from 'lib0/encoding'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import {
  canonicalValue,
  CLIENT_ID_MIN,
  HlcClock,
  isHlc,
  limits,
  SyncError,
  type InspectedUpdate,
  type Write,
} from '@rejoin/core'
import { sameBytes, stepsFor, World } from './worlds.ts'

const inspect = (update: Uint8Array): InspectedUpdate => yjsCrdt.updates.inspect(update)
const hlc = new HlcClock('A'.repeat(22), null).tick(1_700_000_000_000)

test('[11] every update of an honest replica is read, and says exactly its bytes', () => {
  let count = 0
  fc.assert(
    fc.property(stepsFor(3, { minLength: 40, maxLength: 80 }), (steps) => {
      const world = new World(3)
      world.run(steps)
      for (const { update } of world.log) {
        expect(sameBytes(encode(inspect(update)), update)).toBe(true)
        count++
      }
    }),
    { numRuns: 300 },
  )
  expect(count).toBeGreaterThan(5_000)
})

test('[11] every JSON value and every key is read back as it was written', () => {
  const part = fc.string({ unit: 'binary', maxLength: 8 }).filter((text) => !text.includes('\0'))
  const json = fc
    .jsonValue({ stringUnit: 'binary' })
    .filter((value) => !JSON.stringify(value).includes('__proto__'))
  const write = fc.record({ key: fc.array(part, { minLength: 1, maxLength: 3 }), value: json })
  fc.assert(
    fc.property(
      fc.uniqueArray(write, { minLength: 1, maxLength: 5, selector: ({ key }) => key.join('\0') }),
      (writes) => {
        const sets: Write[] = writes.map(({ key, value }) => ({
          kind: 'set',
          table: 't',
          key,
          value: canonicalValue(value),
        }))
        const update = yjsCrdt.open(CLIENT_ID_MIN, []).write(sets, hlc)
        if (update === null) throw new Error('nothing was written')
        const read = inspect(update)
        expect(read.entries).toEqual(sets.map((set) => ({ ...set, kind: undefined, hlc })))
        expect(sameBytes(encode(read), update)).toBe(true)
      },
    ),
    { numRuns: 500 },
  )
})

test.each([
  { b: 1, a: 2, 10: 3, 9: 4, '01': 5, 4294967294: 6, 4294967295: 7 },
  [
    2 ** 31 - 1,
    2 ** 31,
    -(2 ** 31),
    1 - 2 ** 31,
    2 ** 53,
    0.5,
    0.1,
    1e300,
    5e-324,
    63,
    64,
    -64,
    8191,
    8192,
    0,
  ],
  ['\uFEFFmark first', 'é', '😀', ''],
])('[11] a value at the edges of its encoding is read back: %j', (value) => {
  const write: Write = { kind: 'set', table: 't', key: ['k'], value: canonicalValue(value) }
  const update = yjsCrdt.open(CLIENT_ID_MIN, []).write([write], hlc) ?? new Uint8Array()
  expect(inspect(update).entries.map((entry) => entry.value)).toEqual([write.value])
})

test('[11] [12] 20,000 damaged updates are refused with a code, or are well-formed and do no harm', () => {
  let accepted = 0
  fc.assert(
    fc.property(stepsFor(2, { maxLength: 30 }), fc.infiniteStream(fc.nat()), (steps, chance) => {
      const world = new World(2)
      world.run(steps)
      const log = world.log.map(({ update }) => update)
      const base = yjsCrdt.open(CLIENT_ID_MIN + 1, log.slice(0, -1))
      const bytes = base.encode()
      const next = (): number => chance.next().value ?? 0
      const last = log.at(-1)
      if (last === undefined) return
      for (let i = 0; i < 100; i++) {
        const damaged = damage(last, next)
        const read = attempt(() => inspect(damaged))
        if (read !== null) {
          accepted++
          expectWellFormed(read, damaged)
        }
        const applied = attempt(() => base.apply([damaged]))
        // Refused bytes leave no trace; others are in the document whole, nothing waiting.
        const untouched = sameBytes(base.encode(), bytes)
        expect(applied === null ? untouched : base.pendingCount === 0).toBe(true)
        if (!untouched) return
      }
    }),
    { numRuns: 400 },
  )
  expect(accepted).toBeGreaterThan(100)
})

/** What is no commit, but may be a part of a document. */
const inStates: ReadonlySet<string> = new Set([
  'B1 deleted items under a victim',
  'B1 a run of deleted items up to 2^53',
  'C4 two clients in one commit',
  'a few deleted items in a commit',
  'a key twice in one commit',
  'nothing at all',
])

describe('hostile bytes are refused before Yjs sees them', () => {
  const nan = [...Array<number>(160).fill(0x80), 0x01]
  const text = (value: string): number[] => [...encoded((e) => encoding.writeVarString(e, value))]
  const any = (value: unknown): number[] => [...encoded((e) => encoding.writeAny(e, value as string))]
  const uint = (value: number): number[] => [...encoded((e) => encoding.writeVarUint(e, value))]
  const client = uint(5_000)
  const root = [1, ...text('entries')]
  const entry = (value: number[]): number[] => [117, 4, ...any('t'), ...any('k'), ...value, ...any(hlc)]
  const good = entry(any(1))
  const other = [117, 4, ...any('t'), ...any('other'), ...any(1), ...any(hlc)]
  /** One section with one struct that has no origin. */
  const update = (struct: number[]): number[] => [1, 1, ...client, 0, ...struct, 0]
  const item = (element: number[]): number[] => update([0x08, ...root, 1, ...element])
  const deep = (levels: number): number[] => [...Array<number[]>(levels).fill([117, 1]).flat(), ...any(1)]
  const MALFORMED = 'UPDATE_MALFORMED'
  const DISALLOWED = 'UPDATE_DISALLOWED'

  test('the sample they are made from is read', () => {
    expect(inspect(Uint8Array.from(item(good))).entries).toEqual([{ table: 't', key: ['k'], value: 1, hlc }])
    expect(inspect(Uint8Array.from(item(entry(deep(limits.valueDepthMax))))).entries).toHaveLength(1)
  })

  test.each<[string, number[], string]>([
    ['A1 a client id that reads as NaN', [1, 1, ...nan, 0, 0x08, ...root, 1, ...good, 0], MALFORMED],
    ['A1 a length that reads as NaN', update([0x08, ...root, ...nan, ...good]), MALFORMED],
    [
      'A1 an integer value that reads as NaN',
      item(entry([125, ...Array<number>(200).fill(0x80), 1])),
      MALFORMED,
    ],
    [
      'A1 a clock of 2^55',
      [1, 1, ...client, ...Array<number>(7).fill(0xff), 0x7f, 0x08, ...root, 1, ...good, 0],
      MALFORMED,
    ],
    ['A1 a client of 2^40', [1, 1, ...uint(2 ** 40), 0, 0x08, ...root, 1, ...good, 0], MALFORMED],
    ['A2 a padded number', [1, 1, ...client, 0x80, 0x00, 0x08, ...root, 1, ...good, 0], MALFORMED],
    ['A2 a padded integer value', item(entry([125, 0x81, 0x00])), MALFORMED],
    ['A2 a float where an integer is shorter', item(entry([123, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0])), MALFORMED],
    ['A2 eight bytes where four are enough', item(entry([123, 0x3f, 0xe0, 0, 0, 0, 0, 0, 0])), MALFORMED],
    [
      'A2 a text longer than its shortest UTF-8',
      item([117, 4, 119, 2, 0xc1, 0x81, ...any('k'), ...any(1), ...any(hlc)]),
      MALFORMED,
    ],
    ['A3 a count of structs beyond the bytes', [1, ...uint(2 ** 30), ...client, 0, 0x08], MALFORMED],
    ['A3 a count of sections beyond the bytes', [...uint(2 ** 30), 1], MALFORMED],
    ['A3 a count of array items beyond the bytes', item(entry([117, ...uint(2 ** 30)])), MALFORMED],
    ['A3 a count of fields beyond the bytes', item(entry([118, ...uint(2 ** 30)])), MALFORMED],
    ['A3 a length of text beyond the bytes', item(entry([119, ...uint(2 ** 30)])), MALFORMED],
    ['A3 a count of ranges beyond the bytes', [0, 1, ...client, ...uint(2 ** 30), 0, 1], MALFORMED],
    ['A4 a cut delete set', [1, 1, ...client, 0, 0x08, ...root, 1, ...good, 1, ...client, 1, 0], MALFORMED],
    ['A4 no delete set', item(good).slice(0, -1), MALFORMED],
    ['A4 an item that follows itself', update([0x88, ...client, 0, 1, ...good]), DISALLOWED],
    ['A4 an item that follows one to come', update([0x88, ...client, 7, 1, ...good]), DISALLOWED],
    ['A5 bytes left over', [...item(good), 0], MALFORMED],
    ['A6 a Skip struct', update([10, 5]), DISALLOWED],
    ['A6 a Skip struct with flags', update([0xea, 5]), DISALLOWED],
    ['A8 a GC struct', update([0, 1]), DISALLOWED],
    ['A8 an empty GC struct', update([0, 0]), DISALLOWED],
    ['A8 an empty run of values', update([0x08, ...root, 0]), MALFORMED],
    ['A8 an empty section', [1, 0, ...client, 0, 0], MALFORMED],
    ['A8 an empty deleted range', [0, 1, ...client, 1, 0, 0], MALFORMED],
    ['B1 deleted items under a victim', update([0x01, ...root, ...uint(2 ** 40)]), DISALLOWED],
    ['B1 a run of deleted items up to 2^53', update([0x01, ...root, ...uint(2 ** 53 - 1)]), DISALLOWED],
    ['B2 a deleted range that overflows', [0, 1, ...client, 1, ...uint(2 ** 53 - 1), 1], MALFORMED],
    [
      'C3 a client twice',
      [2, 1, ...client, 0, 0x08, ...root, 1, ...good, 1, ...client, 0, 0x08, ...root, 1, ...good, 0],
      MALFORMED,
    ],
    ['C3 a client of the delete set twice', [0, 2, ...client, 1, 0, 1, ...client, 1, 4, 1], MALFORMED],
    [
      'C4 sections in rising order',
      [2, 1, ...client, 0, 0x08, ...root, 1, ...good, 1, ...uint(6_000), 0, 0x08, ...root, 1, ...good, 0],
      MALFORMED,
    ],
    [
      'C4 two clients in one commit',
      [2, 1, ...uint(6_000), 0, 0x08, ...root, 1, ...good, 1, ...client, 0, 0x08, ...root, 1, ...good, 0],
      DISALLOWED,
    ],
    ['deleted ranges that touch', [0, 1, ...client, 2, 0, 1, 1, 1], MALFORMED],
    ['deleted ranges in falling order', [0, 1, ...client, 2, 5, 1, 0, 1], MALFORMED],
    ['a client without ranges', [0, 1, ...client, 0, 0, 0], MALFORMED],
    ['C5 a right origin', update([0x48, ...client, 0, 1, ...good]), DISALLOWED],
    ['C5 both origins', update([0xc8, ...uint(9), 0, ...uint(9), 0, 1, ...good]), DISALLOWED],
    ['C5 the flag of a right origin alone', update([0xc8, ...uint(9), 0, 1, ...good]), DISALLOWED],
    [
      'C5 the flag of a map key, which Yjs overlooks beside an origin',
      update([0xa8, ...uint(9), 0, 1, ...good]),
      DISALLOWED,
    ],
    ['A1 an origin of client 2^40', update([0x88, ...uint(2 ** 40), 0, 1, ...good]), MALFORMED],
    [
      'A1 an origin at clock 2^55',
      update([0x88, 9, ...Array<number>(7).fill(0xff), 0x7f, 1, ...good]),
      MALFORMED,
    ],
    ['A8 an empty section before deletions', [1, 0, ...client, 0, 1, ...client, 2, 0, 1, 5, 1], DISALLOWED],
    [
      'a client without ranges before one that has some',
      [0, 2, ...client, 0, ...uint(200), 1, 0, 1],
      MALFORMED,
    ],
    ['a few deleted items in a commit', update([0x01, ...root, 5]), DISALLOWED],
    ['C5 a map key', update([0x28, ...root, ...text('x'), 1, ...good]), DISALLOWED],
    [
      'items of one commit that form no chain',
      [1, 2, ...client, 0, 0x08, ...root, 1, ...good, 0x88, ...uint(9), 0, 1, ...other, 0],
      DISALLOWED,
    ],
    [
      'no origin after the first item of a client',
      [1, 1, ...client, 3, 0x08, ...root, 1, ...good, 0],
      DISALLOWED,
    ],
    ['a key twice in one commit', update([0x08, ...root, 2, ...good, ...entry(any(2))]), DISALLOWED],
    ['nothing at all', [0, 0], DISALLOWED],
    ['no bytes', [], MALFORMED],
    ['D1 a field named __proto__', item(entry([118, 1, ...text('__proto__'), ...any(true)])), DISALLOWED],
    [
      'D1 the same field twice',
      item(entry([118, 2, ...text('a'), ...any(1), ...text('a'), ...any(2)])),
      DISALLOWED,
    ],
    [
      'D1 fields out of order',
      item(entry([118, 2, ...text('b'), ...any(1), ...text('a'), ...any(2)])),
      DISALLOWED,
    ],
    [
      'D1 an index after a name',
      item(entry([118, 2, ...text('a'), ...any(1), ...text('0'), ...any(2)])),
      DISALLOWED,
    ],
    ['D3 a value nested too deep', item(entry(deep(limits.valueDepthMax + 1))), DISALLOWED],
    ['D3 a value nested 6,000 deep', item(entry(deep(6_000))), DISALLOWED],
    ['D4 JSON content', update([0x02, ...root, 1, ...text('1')]), DISALLOWED],
    ['D4 binary content', update([0x03, ...root, 1, 1]), DISALLOWED],
    ['D4 text content', update([0x04, ...root, ...text('a')]), DISALLOWED],
    ['D4 an embed', update([0x05, ...root, ...text('{}')]), DISALLOWED],
    ['D4 a format', update([0x06, ...root, ...text('b'), ...text('1')]), DISALLOWED],
    ['D5 a nested type', update([0x07, ...root, 0]), DISALLOWED],
    ['D8 a subdocument', update([0x09, ...root, ...text('a'), ...any({})]), DISALLOWED],
    ['an unknown kind of content', update([0x1f, ...root, 1]), MALFORMED],
    [
      'D6 a lone surrogate in a key',
      item([117, 4, ...any('t'), 119, 3, 0xed, 0xa0, 0x80, ...any(1), ...any(hlc)]),
      MALFORMED,
    ],
    ['D6 a lone surrogate in a value', item(entry([119, 3, 0xed, 0xa0, 0x80])), MALFORMED],
    ['D7 undefined', item(entry([127])), DISALLOWED],
    ['D7 a bigint', item(entry([122, 0, 0, 0, 0, 0, 0, 0, 1])), DISALLOWED],
    ['D7 bytes as a value', item(entry([116, 1, 1])), DISALLOWED],
    ['D7 NaN', item(entry([123, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0])), DISALLOWED],
    ['D7 infinity', item(entry([124, 0x7f, 0x80, 0, 0])), DISALLOWED],
    ['D7 minus zero', item(entry([125, 0x40])), DISALLOWED],
    ['D7 minus zero as a float', item(entry([123, 0x80, 0, 0, 0, 0, 0, 0, 0])), MALFORMED],
    ['D7 a tag that is none', item(entry([1])), MALFORMED],
    ['D8 another root', update([0x08, 1, ...text('other'), 1, ...good]), DISALLOWED],
    ['D8 an item under an item', update([0x08, 0, ...client, 0, 1, ...good]), DISALLOWED],
    [
      'D9 a key larger than a key may be',
      item([117, 4, ...any('t'), ...any('k'.repeat(limits.keyBytesMax + 1)), ...any(1), ...any(hlc)]),
      DISALLOWED,
    ],
    ['a key with U+0000', item([117, 4, ...any('t'), ...any('a\0b'), ...any(1), ...any(hlc)]), DISALLOWED],
    ['a value that is no entry', item(any('x')), DISALLOWED],
    ['an entry that is too short', item([117, 3, ...any('t'), ...any('k'), ...any(hlc)]), DISALLOWED],
    ['an entry without a table', item([117, 4, ...any(''), ...any('k'), ...any(1), ...any(hlc)]), DISALLOWED],
    ['a table that is no text', item([117, 4, ...any(1), ...any('k'), ...any(1), ...any(hlc)]), DISALLOWED],
    ['a key that is no text', item([117, 4, ...any('t'), ...any(1), ...any(1), ...any(hlc)]), DISALLOWED],
    ['a stamp that is none', item([117, 4, ...any('t'), ...any('k'), ...any(1), ...any('now')]), DISALLOWED],
  ])('[11] %s', (name, bytes, code) => {
    const hostile = Uint8Array.from(bytes)
    const refusal = refusalOf(() => inspect(hostile))
    expect(refusal.code).toBe(code)
    expect(refusal.path).toMatch(/^update@\d+$/)
    const inState = attempt(() => yjsCrdt.updates.inspectState(hostile)) === null ? 'refused' : 'read'
    expect(inState).toBe(inStates.has(name) ? 'read' : 'refused')
  })

  test('[11] A7 the same document as V2 bytes', () => {
    const doc = new Y.Doc()
    doc.getArray('entries').push([['t', 'k', 1, hlc]])
    expect(refusalOf(() => inspect(Y.encodeStateAsUpdateV2(doc))).code).toMatch(/^UPDATE_/)
  })

  test('[14] E1 an update of more entries or deleted ranges than one may have', () => {
    const count = limits.updateEntriesMax + 1
    const many = update([0x08, ...root, ...uint(count), ...Array<number[]>(count).fill(good).flat()])
    expect(refusalOf(() => inspect(Uint8Array.from(many))).message).toMatch(/too many entries/)
    const ranges = limits.updateDeleteRangesMax + 1
    const holes = Array.from({ length: ranges }, (_, i) => [...uint(i * 2), 1]).flat()
    const deletes = [0, 1, ...client, ...uint(ranges), ...holes]
    expect(refusalOf(() => inspect(Uint8Array.from(deletes))).message).toMatch(/too many ranges/)
  })
})

function expectWellFormed(read: InspectedUpdate, bytes: Uint8Array): void {
  expect(read.entries).toHaveLength(read.inserted?.length ?? 0)
  for (const entry of read.entries) {
    expect(isHlc(entry.hlc)).toBe(true)
    expect(canonicalValue(entry.value)).toEqual(entry.value)
    expect(entry.key.every((part) => part.isWellFormed())).toBe(true)
  }
  // Yjs's own decoder, safe by now, must see the same in these bytes.
  const { structs, ds } = Y.decodeUpdate(bytes)
  const elements = structs.flatMap((struct) =>
    struct instanceof Y.Item && struct.content instanceof Y.ContentAny ? struct.content.arr : [struct],
  )
  expect(read.entries.map(({ table, key, value, hlc: stamp }) => [table, ...key, value, stamp])).toEqual(
    elements,
  )
  const ranges = [...ds.clients].flatMap(([id, items]) =>
    items.map(({ clock, len }) => ({ client: id, clock, length: len })),
  )
  expect(read.deleted).toEqual(ranges)
}

/** Flips, cuts, repeats and inserts bytes. */
function damage(bytes: Uint8Array, next: () => number): Uint8Array {
  const damaged = [...bytes]
  for (let times = 1 + (next() % 3); times > 0; times--) {
    const at = next() % (damaged.length + 1)
    switch (next() % 6) {
      case 0:
        damaged[at] = next() % 256
        break
      case 1:
        damaged.splice(at, 1 + (next() % 4))
        break
      case 2:
        damaged.splice(at, 0, next() % 256)
        break
      case 3:
        damaged[at] = (damaged[at] ?? 0) ^ (1 << (next() % 8))
        break
      case 4:
        damaged.length = at
        break
      default:
        damaged.splice(at, 0, ...damaged.slice(at, at + (next() % 20)))
    }
  }
  return Uint8Array.from(damaged)
}

const REFUSALS: ReadonlySet<string> = new Set([
  'UPDATE_MALFORMED',
  'UPDATE_DISALLOWED',
  'UPDATE_UNKNOWN_ITEM',
])

/** What `act` gives, or null where it refuses; any other error than a refusal is a failure. */
function attempt<T>(act: () => T): T | null {
  try {
    return act()
  } catch (error) {
    if (error instanceof SyncError && REFUSALS.has(error.code)) return null
    throw error
  }
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

/** The bytes that Yjs writes for what was read. */
function encode({ inserted, entries, origin, deleted }: InspectedUpdate): Uint8Array {
  return encoded((encoder) => {
    encoding.writeVarUint(encoder, inserted === null ? 0 : 1)
    if (inserted !== null) {
      encoding.writeVarUint(encoder, 1)
      encoding.writeVarUint(encoder, inserted.client)
      encoding.writeVarUint(encoder, inserted.clock)
      encoding.writeUint8(encoder, origin === null ? 0x08 : 0x88)
      if (origin === null) {
        encoding.writeVarUint(encoder, 1)
        encoding.writeVarString(encoder, 'entries')
      } else {
        encoding.writeVarUint(encoder, origin.client)
        encoding.writeVarUint(encoder, origin.clock)
      }
      encoding.writeVarUint(encoder, entries.length)
      for (const { table, key, value, hlc: stamp } of entries) {
        encoding.writeAny(encoder, [table, ...key, value, stamp] as string[])
      }
    }
    const clients = new Map<number, typeof deleted>()
    for (const range of deleted) clients.set(range.client, [...(clients.get(range.client) ?? []), range])
    encoding.writeVarUint(encoder, clients.size)
    for (const [id, ranges] of clients) {
      encoding.writeVarUint(encoder, id)
      encoding.writeVarUint(encoder, ranges.length)
      for (const { clock, length } of ranges) {
        encoding.writeVarUint(encoder, clock)
        encoding.writeVarUint(encoder, length)
      }
    }
  })
}

function encoded(write: (encoder: encoding.Encoder) => void): Uint8Array {
  const encoder = encoding.createEncoder()
  write(encoder)
  return encoding.toUint8Array(encoder)
}
