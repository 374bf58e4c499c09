/** Bytes that no honest provider sends, by the rows of the hazards that they are of. */
import {
  writeAny,
  writeVarString,
  writeVarUint,
  createEncoder,
  toUint8Array,
  type Encoder,
} from 'lib0/encoding'
import { limits, type Hlc } from '@rejoin/core'

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
): readonly (readonly [name: string, bytes: Uint8Array, code: RegExp])[] {
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
  const far = `z${hlc.slice(1)}`
  const READS = /^UPDATE_(MALFORMED|DISALLOWED)/
  const cases: readonly (readonly [string, number[], RegExp])[] = [
    ['A1 a client id that reads as NaN', [1, 1, ...nan, 0, 0x08, ...root, 1, ...good, 0], READS],
    ['A1 a clock of 2^55', [1, 1, ...client, ...Array<number>(7).fill(0xff), 0x7f, 0x08, 0], READS],
    ['A2 a padded number', [1, 1, ...client, 0x80, 0x00, 0x08, ...root, 1, ...good, 0], READS],
    ['A3 a count beyond the bytes', [...uint(2 ** 30), 1], READS],
    ['A3 structs beyond the bytes', [1, ...uint(2 ** 30), ...client, 0, 0x08], READS],
    ['A4 a cut delete set', [...item(good).slice(0, -1), 1, ...client, 1, 0], READS],
    ['A4 an item that follows itself', update([0x88, ...client, 0, 1, ...good]), READS],
    ['A5 bytes left over', [...item(good), 0], READS],
    ['A6 a Skip struct', update([10, 5]), READS],
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
    ],
    ['B1 a run of 2^40 deleted items', update([0x01, ...root, ...uint(2 ** 40)]), READS],
    ['B1 a reserved client id', under(1, 0), READS],
    [
      'B2 deleting the future of another',
      [0, 1, ...uint(victim.client), 1, ...uint(victim.clock), 1_000 & 127],
      /^UPDATE_UNKNOWN_ITEM/,
    ],
    ['B2 deleting an unknown client', [0, 1, ...uint(6_666), 1, 0, 1], /^UPDATE_UNKNOWN_ITEM/],
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
    ['D1 a field named __proto__', item(entry([118, 1, ...text('__proto__'), ...any(true)])), READS],
    ['D3 a value nested 6,000 deep', item(entry(deep(6_000))), READS],
    ['D4 JSON content', update([0x02, ...root, 1, ...text('1')]), READS],
    ['D5 a nested type', update([0x07, ...root, 0]), READS],
    ['D6 a lone surrogate', item(entry([119, 3, 0xed, 0xa0, 0x80])), READS],
    ['D7 a bigint', item(entry([122, 0, 0, 0, 0, 0, 0, 0, 1])), READS],
    ['D8 another root', update([0x08, 1, ...text('other'), 1, ...good]), READS],
    [
      'D8 a table that there is not',
      item([117, 4, ...any('nope'), ...any('k'), ...any(1), ...any(hlc)]),
      /^ENTRY_/,
    ],
    ['D8 a value that the schema forbids', item(entry(any(7))), /^ENTRY_INVALID/],
    ['D9 a key of 1 MiB', item(entry(any('t'), 'k'.repeat(2 ** 20))), READS],
    ['a stamp of the next century', item(entry(any('t'), 'k', far)), /^HLC_AHEAD/],
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
    [
      'E5 more runs than are read',
      [1, ...uint(limits.plainRunsMax + 1), ...client, 0, 0x01, ...root, 1].concat(
        Array.from({ length: limits.plainRunsMax }, (_, i) => [0x81, ...client, ...uint(i), 1]).flat(),
        0,
      ),
      READS,
    ],
    ['V2 bytes', [0, 0, 6, 1, 0, 0, 0, 0, 0, 0], READS],
    ['no bytes', [], READS],
  ]
  return cases.map(([name, bytes, code]) => [name, Uint8Array.from(bytes), code])
}
