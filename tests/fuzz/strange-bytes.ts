/** Bytes and numbers that no honest writer writes, and strikes at those that one has written. */
import { createEncoder, toUint8Array, writeVarString, writeVarUint, writeAny } from 'lib0/encoding'
import type { Seeded } from '../support/seeded.ts'

/** A number in its shortest form, or the bytes that stand in its place. */
export type Num = number | readonly number[]

export function numBytes(num: Num): readonly number[] {
  if (typeof num !== 'number') return num
  const out = createEncoder()
  writeVarUint(out, num)
  return [...toUint8Array(out)]
}

export function textBytes(text: string): readonly number[] {
  const out = createEncoder()
  writeVarString(out, text)
  return [...toUint8Array(out)]
}

/** As lib0 writes values. */
export function anyBytes(value: unknown): readonly number[] {
  const out = createEncoder()
  writeAny(out, value as string)
  return [...toUint8Array(out)]
}

const edges = [
  0,
  1,
  2,
  7,
  127,
  128,
  1_023,
  1_024,
  16_384,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53 - 1,
]
const ill: readonly (readonly number[])[] = [
  // 2^53 and 2^55, and more bytes than any number has.
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
  Array<number>(9).fill(0xff),
  // Padded; and so much that lib0 reads it as NaN.
  [0x80, 0x00],
  [0x81, 0x80, 0x00],
  [...Array<number>(160).fill(0x80), 0x01],
]

export function strangeNum(random: Seeded, near: Num): Num {
  if (random.chance(0.25)) return random.pick(ill)
  if (typeof near === 'number' && random.chance(0.4))
    return Math.max(0, near + random.pick([-2, -1, 1, 2, 100]))
  return random.pick(edges)
}

/** Bytes of values that are none of JSON, too deep, in another form than the canonical one, or larger than they look. */
export function strangeValue(random: Seeded): readonly number[] {
  const deep = (levels: number, tag: readonly number[]): readonly number[] => [
    ...Array.from({ length: levels }, () => tag).flat(),
    126,
  ]
  switch (random.whole(0, 16)) {
    case 0:
      return deep(random.pick([31, 32, 33, 34, 200, 6_000]), [117, 1])
    case 1:
      return deep(random.pick([32, 33, 3_000]), [118, 1, 1, 0x61])
    case 2:
      return [122, 0, 0, 0, 0, 0, 0, 0, 1]
    case 3:
      return [random.pick([127, 116, 115, 0, 1, 255])]
    case 4:
      return [123, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]
    case 5:
      return [124, 0x7f, 0x80, 0, 0]
    case 6:
      return [125, 0x40]
    case 7:
      return [118, 1, ...textBytes('__proto__'), 118, 1, ...textBytes('admin'), 120]
    case 8:
      return [118, 2, ...textBytes('b'), 126, ...textBytes('a'), 126]
    case 9:
      return [118, 2, ...textBytes('a'), 126, ...textBytes('a'), 126]
    case 10:
      return [119, 3, 0xed, 0xa0, 0x80]
    case 11:
      return [119, 2, 0xc1, 0x81]
    case 12:
      return [117, ...numBytes(random.pick([2 ** 16, 2 ** 30, 2 ** 53 - 1]))]
    case 13:
      return [117, ...numBytes(10_000), ...Array.from({ length: 10_000 }, () => [118, 0]).flat()]
    case 14:
      return anyBytes('x'.repeat(random.pick([1_025, 131_073])))
    case 15:
      return [125, ...numBytes(random.pick([63, 64, 2 ** 31])).map((byte) => byte | 0x80), 0]
    default:
      return Array.from({ length: random.whole(0, 6) }, () => random.whole(0, 255))
  }
}

/** Flips, cuts, repeats, inserts, and puts pieces of `other` or ill numbers where something else was. */
export function struck(random: Seeded, bytes: Uint8Array, other: Uint8Array = bytes): Uint8Array {
  const made = [...bytes]
  for (let times = random.whole(1, 3); times > 0; times--) {
    const at = random.whole(0, made.length)
    switch (random.whole(0, 7)) {
      case 0:
        made[at] = random.whole(0, 255)
        break
      case 1:
        made[at] = (made[at] ?? 0) ^ (1 << random.whole(0, 7))
        break
      case 2:
        made.splice(at, random.whole(1, 8))
        break
      case 3:
        made.splice(at, 0, random.whole(0, 255))
        break
      case 4:
        made.length = at
        break
      case 5:
        made.splice(at, 0, ...made.slice(at, at + random.whole(1, 40)))
        break
      case 6: {
        const from = random.whole(0, other.length)
        made.splice(at, random.whole(0, 8), ...other.subarray(from, from + random.whole(1, 40)))
        break
      }
      default:
        made.splice(at, random.whole(0, 2), ...numBytes(strangeNum(random, made[at] ?? 0)))
    }
  }
  return Uint8Array.from(made)
}
