/**
 * Updates that no honest client sends, each named by the row of the hazards that it is of, with the codes of its refusals. They are
 * of the domain `todo`, so that all but the one thing is right.
 */
import {
  writeAny,
  writeVarString,
  writeVarUint,
  createEncoder,
  toUint8Array,
  type Encoder,
} from 'lib0/encoding'
import { limits, type Hlc } from '@rejoin/core'
import * as Y from 'yjs'

export interface HostileUpdate {
  /** Begins with its row. */
  readonly name: string
  readonly bytes: Uint8Array
  /** Of a plain client, alone or as all that its document holds. */
  readonly plain: RegExp
  /** Of a replica, as the update of a commit. */
  readonly commit: RegExp
}

export function rowOf({ name }: Pick<HostileUpdate, 'name'>): string {
  return name.split(' ')[0] ?? ''
}

function encoded(write: (to: Encoder) => void): number[] {
  const out = createEncoder()
  write(out)
  return [...toUint8Array(out)]
}

const uint = (value: number): number[] => encoded((e) => writeVarUint(e, value))
const text = (value: string): number[] => encoded((e) => writeVarString(e, value))
const any = (value: unknown): number[] => encoded((e) => writeAny(e, value as string))

/**
 * @param hlc a stamp of now.
 * @param victim a client id that somebody else has used, and its next clock.
 */
export function hostileUpdates(
  hlc: Hlc,
  victim: { readonly client: number; readonly clock: number },
): readonly HostileUpdate[] {
  const client = uint(5_000)
  const nan = [...Array<number>(160).fill(0x80), 0x01]
  const root = [1, ...text('entries')]
  const entry = (value: number[], key = 'k', stamp: string = hlc): number[] => [
    117,
    5,
    ...any('lists'),
    ...any(key),
    ...any('title'),
    ...value,
    ...any(stamp),
  ]
  const good = entry(any('title'))
  const update = (struct: number[]): number[] => [1, 1, ...client, 0, ...struct, 0]
  const item = (element: number[]): number[] => update([0x08, ...root, 1, ...element])
  const under = (id: number, clock: number): number[] => [
    1,
    1,
    ...uint(id),
    ...uint(clock),
    ...(clock === 0 ? [0x08, ...root] : [0x88, ...uint(id), ...uint(clock - 1)]),
    1,
    ...good,
    0,
  ]
  const deep = (levels: number): number[] => [...Array<number[]>(levels).fill([117, 1]).flat(), ...any(1)]
  const sections = (count: number): number[] => [
    ...uint(count),
    ...Array.from({ length: count }, (_, i) => [
      1,
      ...uint(900_000 - i),
      0,
      0x08,
      ...root,
      1,
      ...good,
    ]).flat(),
    0,
  ]
  const deepObject = (levels: number): number[] => [
    ...Array<number[]>(levels)
      .fill([118, 1, ...text('a')])
      .flat(),
    ...any(1),
  ]
  const many = (struct: number[], count = 3_000): number[] => Array<number[]>(count).fill(struct).flat()
  const roots = (count: number): number[] =>
    Array.from({ length: count }, (_, i) => [0x08, 1, ...text(`root ${i}`), 1, ...good]).flat()
  const waiting = (id: number, other: number): number[] => [
    1,
    ...uint(id),
    0,
    0x88,
    ...uint(other),
    0,
    1,
    ...good,
  ]
  const far = `z${hlc.slice(1)}`
  const READS = /^UPDATE_(MALFORMED|DISALLOWED)/
  const cases: readonly (readonly [name: string, bytes: number[], plain: RegExp, commit?: RegExp])[] = [
    ['A1 a client id that reads as NaN', [1, 1, ...nan, 0, 0x08, ...root, 1, ...good, 0], READS],
    ['A1 a clock of 2^55', [1, 1, ...client, ...Array<number>(7).fill(0xff), 0x7f, 0x08, 0], READS],
    ['A1 a length that reads as NaN', update([0x08, ...root, ...nan, ...good]), READS],
    ['A1 a client id of 2^40', [1, 1, ...uint(2 ** 40), 0, 0x08, ...root, 1, ...good, 0], READS],
    ['A1 an integer value that reads as NaN', item(entry([125, ...Array<number>(200).fill(0x80), 1])), READS],
    ['A2 a padded integer value', item(entry([125, 0x81, 0x00])), READS],
    ['A2 a text longer than its shortest UTF-8', item(entry([119, 2, 0xc1, 0x81])), READS],
    ['A2 a padded number', [1, 1, ...client, 0x80, 0x00, 0x08, ...root, 1, ...good, 0], READS],
    ['A3 a count beyond the bytes', [...uint(2 ** 30), 1], READS],
    ['A3 structs beyond the bytes', [1, ...uint(2 ** 30), ...client, 0, 0x08], READS],
    ['A3 items of an array beyond the bytes', item(entry([117, ...uint(2 ** 30)])), READS],
    ['A3 fields beyond the bytes', item(entry([118, ...uint(2 ** 30)])), READS],
    ['A3 a text beyond the bytes', item(entry([119, ...uint(2 ** 30)])), READS],
    ['A3 ranges beyond the bytes', [0, 1, ...client, ...uint(2 ** 30), 0, 1], READS],
    ['A4 a cut delete set', [...item(good).slice(0, -1), 1, ...client, 1, 0], READS],
    ['A4 an item that follows itself', update([0x88, ...client, 0, 1, ...good]), READS],
    ['A4 an item that follows one to come', update([0x88, ...client, 7, 1, ...good]), READS],
    ['A5 bytes left over', [...item(good), 0], READS],
    ['A6 a Skip struct', update([10, 5]), READS],
    ['A6 a Skip struct with flags', update([0xea, 5]), READS],
    ['A7 the same document as V2 bytes', [...v2Of(hlc)], READS],
    ['A7 a V2 run of two billion structs', v2Run, READS],
    ['A8 an empty GC struct', update([0, 0]), READS],
    ['A8 an empty section', [1, 0, ...client, 0, 0], READS],
    ['A8 an empty text', update([0x04, ...root, ...text('')]), READS],
    ['A8 an empty deleted range', [0, 1, ...client, 1, 0, 0], READS],
    ['A8 a GC struct', update([0, 1]), READS],
    ['A8 an empty run', update([0x08, ...root, 0]), READS],
    ['B1 the next clock of another', under(victim.client, victim.clock), /^CLIENT_TAKEN/],
    ['B1 collected items of another', [1, 1, ...uint(victim.client), 0, 0, ...uint(2 ** 52), 0], READS],
    [
      'B1 deleted items of another',
      [1, 1, ...uint(victim.client), ...uint(victim.clock), 0x81, ...uint(victim.client)].concat(
        uint(victim.clock - 1),
        uint(2 ** 40),
        0,
      ),
      /^CLIENT_TAKEN/,
      READS,
    ],
    ['B1 a run of 2^40 deleted items', update([0x01, ...root, ...uint(2 ** 40)]), READS],
    ['B1 a reserved client id', under(1, 0), READS],
    [
      'B2 deleting the future of another',
      [0, 1, ...uint(victim.client), 1, ...uint(victim.clock), 1_000 & 127],
      /^UPDATE_UNKNOWN_ITEM/,
    ],
    ['B2 deleting an unknown client', [0, 1, ...uint(6_666), 1, 0, 1], /^UPDATE_UNKNOWN_ITEM/],
    ['B2 a deleted range that overflows', [0, 1, ...client, 1, ...uint(2 ** 53 - 1), 1], READS],
    [
      'C1 two clients that wait for each other',
      [2, ...waiting(6_000, 5_000), ...waiting(5_000, 6_000), 0],
      /^UPDATE_UNKNOWN_ITEM/,
      READS,
    ],
    ['C1 a hole inside of a client', [1, 2, ...client, 0, 10, 5, 0x88, ...client, 4, 1, ...good, 0], READS],
    ['C1 a gap', under(5_000, 7), /^UPDATE_CLOCK_GAP/],
    ['C1 an origin that nobody has', update([0x88, ...uint(6_666), 3, 1, ...good]), /^UPDATE_UNKNOWN_ITEM/],
    [
      'C3 a client twice',
      [2, 1, ...client, 0, 0x08, ...root, 1, ...good, 1, ...client, 0, 0x08, ...root, 1, ...good, 0],
      READS,
    ],
    [
      'C4 sections in rising order',
      [2, 1, ...client, 0, 0x08, ...root, 1, ...good, 1, ...uint(6_000), 0, 0x08, ...root, 1, ...good, 0],
      READS,
    ],
    ['C5 a right origin', update([0x48, ...client, 0, 1, ...good]), READS],
    ['C5 both origins', update([0xc8, ...uint(9), 0, ...uint(9), 0, 1, ...good]), READS],
    ['C5 an item under an item', update([0x08, 0, ...client, 0, 1, ...good]), READS],
    [
      'C5 items of one client behind another',
      [1, 2, ...client, 0, 0x08, ...root, 1, ...good, 0x88, ...uint(victim.client), 0, 1, ...good, 0],
      READS,
    ],
    ['C9 a nested map', update([0x07, ...root, 1]), READS],
    ['D1 a field twice', item(entry([118, 2, ...text('a'), ...any(1), ...text('a'), ...any(2)])), READS],
    ['D2 a map key named __proto__', update([0x28, ...root, ...text('__proto__'), 1, ...good]), READS],
    ['D2 a root named __proto__', update([0x08, 1, ...text('__proto__'), 1, ...good]), READS],
    [
      'D2 a table named __proto__',
      item([117, 4, ...any('__proto__'), ...any('k'), ...any(1), ...any(hlc)]),
      /^ENTRY_/,
    ],
    ['D1 a field named __proto__', item(entry([118, 1, ...text('__proto__'), ...any(true)])), READS],
    ['D3 a value nested 6,000 deep', item(entry(deep(6_000))), READS],
    ['D3 an object nested 3,000 deep', item(entry(deepObject(3_000))), READS],
    ['D4 JSON content nested 5,000 deep', update([0x02, ...root, 1, ...text('['.repeat(5_000))]), READS],
    ['D4 binary content', update([0x03, ...root, 1, 1]), READS],
    ['D4 text content', update([0x04, ...root, ...text('a')]), READS],
    ['D4 an embed', update([0x05, ...root, ...text('{}')]), READS],
    ['D4 a format', update([0x06, ...root, ...text('b'), ...text('1')]), READS],
    ['D4 an unknown kind of content', update([0x1f, ...root, 1]), READS],
    [
      'D5 types nested 5,000 deep',
      [1, ...uint(5_000), ...client, 0, 0x07, ...root, 0].concat(
        Array.from({ length: 4_999 }, (_, i) => [0x07, 0, ...client, ...uint(i), 0]).flat(),
        0,
      ),
      READS,
    ],
    ['D4 JSON content', update([0x02, ...root, 1, ...text('1')]), READS],
    ['D5 a nested type', update([0x07, ...root, 0]), READS],
    ['D6 a lone surrogate', item(entry([119, 3, 0xed, 0xa0, 0x80])), READS],
    ['D7 a bigint', item(entry([122, 0, 0, 0, 0, 0, 0, 0, 1])), READS],
    ['D7 undefined', item(entry([127])), READS],
    ['D7 NaN', item(entry([123, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0])), READS],
    ['D7 infinity', item(entry([124, 0x7f, 0x80, 0, 0])), READS],
    ['D7 minus zero', item(entry([125, 0x40])), READS],
    ['D7 bytes', item(entry([116, 1, 1])), READS],
    ['D8 a subdocument', update([0x09, ...root, ...text('a'), ...any({})]), READS],
    ['D8 an XML element', update([0x07, ...root, 3, ...text('p')]), READS],
    ['D8 an item that is no entry', item(any('x')), READS],
    ['D8 another root', update([0x08, 1, ...text('other'), 1, ...good]), READS],
    [
      'D8 a table that there is not',
      item([117, 4, ...any('nope'), ...any('k'), ...any(1), ...any(hlc)]),
      /^ENTRY_/,
    ],
    ['D8 a value that the schema forbids', item(entry(any(7))), /^ENTRY_INVALID/],
    ['D9 a key of 1 MiB', item(entry(any('t'), 'k'.repeat(2 ** 20))), READS],
    [
      'D9 a value larger than a value may be',
      item(entry(any('v'.repeat(limits.valueBytesMax + 1)))),
      /^ENTRY_/,
    ],
    ['a stamp of the next century', item(entry(any('t'), 'k', far)), /^HLC_AHEAD/, /^HLC_MISMATCH/],
    [
      'E1 many items that name none',
      [1, ...uint(3_000), ...client, 0, ...many([0x08, ...root, 1, ...good]), 0],
      READS,
    ],
    [
      'E1 more items than an update may bring',
      update(
        [0x08, ...root, ...uint(limits.updateEntriesMax + 1)].concat(
          Array<number[]>(limits.updateEntriesMax + 1)
            .fill(good)
            .flat(),
        ),
      ),
      READS,
    ],
    ['E1 more client ids than an update may begin', sections(limits.plainClientsMax + 1), READS],
    ['E5 a flood of GC structs', [1, ...uint(3_000), ...client, 0, ...many([0, 1]), 0], READS],
    [
      'E5 more runs than are read',
      [1, ...uint(limits.plainRunsMax + 1), ...client, 0, 0x01, ...root, 1].concat(
        Array.from({ length: limits.plainRunsMax }, (_, i) => [0x81, ...client, ...uint(i), 1]).flat(),
        0,
      ),
      READS,
    ],
    [
      'E2 many values of one map key',
      [1, ...uint(3_000), ...client, 0, ...many([0x28, ...root, ...text('x'), 1, ...any(1)]), 0],
      READS,
    ],
    ['E3 many roots', [1, ...uint(3_000), ...client, 0, ...roots(3_000), 0], READS],
    [
      'E5 40,000 empty objects in a value',
      item(entry([117, ...uint(40_000), ...many([118, 0], 40_000)])),
      /^ENTRY_/,
    ],
    ['A7 V2 bytes', [0, 0, 6, 1, 0, 0, 0, 0, 0, 0], READS],
    ['A4 no bytes', [], READS],
  ]
  return cases.map(([name, bytes, plain, commit = plain]) => ({
    name,
    bytes: Uint8Array.from(bytes),
    plain,
    commit,
  }))
}

/** As the reports of hostile V2 bytes have them: a run length that stands for more structs than there is memory. */
const v2Run: number[] = [
  0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0x80, 0x80, 0x80, 0x80, 8, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 7, 0,
]

function v2Of(hlc: Hlc): Uint8Array {
  const doc = new Y.Doc()
  doc.clientID = 5_000
  doc.getArray('entries').insert(0, [['lists', 'k', 'title', 'title', hlc]])
  const bytes = Y.encodeStateAsUpdateV2(doc)
  doc.destroy()
  return bytes
}
