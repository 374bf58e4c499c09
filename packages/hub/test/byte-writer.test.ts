/** What is written here is read by lib0, which wrote it before: the formats of records are its. */
import fc from 'fast-check'
import { createDecoder, hasContent, readVarString, readVarUint, readVarUint8Array } from 'lib0/decoding'
import { createEncoder, toUint8Array, writeVarString, writeVarUint, writeVarUint8Array } from 'lib0/encoding'
import { expect, test } from 'vitest'
import { ByteWriter } from '../src/byte-writer.ts'

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 300 }),
  // Around the lengths at which a length takes a byte more, in characters or in bytes.
  fc
    .tuple(
      fc.constantFrom('a', 'é', '漢', '😀'),
      fc.constantFrom(30, 42, 63, 64, 127, 128, 191, 192, 5_462, 16_384),
    )
    .map(([character, times]) => character.repeat(times)),
)
const part = fc.oneof(
  fc.maxSafeNat().map((value) => ({ kind: 'uint' as const, value })),
  text.map((value) => ({ kind: 'text' as const, value })),
  fc.uint8Array({ maxLength: 6_000 }).map((value) => ({ kind: 'bytes' as const, value })),
)
type Part = typeof part extends fc.Arbitrary<infer P> ? P : never

test('writes what lib0 writes, over and over in one buffer', () => {
  const writer = new ByteWriter()
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
      writer.reset()
      for (const each of parts) write(writer, each)
      const bytes = writer.copy(writer.length)
      expect(bytes).toEqual(byLib0(parts))
      const from = createDecoder(bytes)
      for (const each of parts) expect(read(from, each)).toEqual(each.value)
      expect(hasContent(from)).toBe(false)
    }),
  )
})

test('fills in what it has left out', () => {
  const writer = new ByteWriter()
  writer.skip(7)
  writer.text('behind')
  const { length } = writer
  writer.rewind()
  writer.uint32(0xfffefdfc)
  writer.hex('00aBff')
  expect(writer.copy(length)).toEqual(
    Uint8Array.of(0xff, 0xfe, 0xfd, 0xfc, 0, 0xab, 0xff, 6, ...new TextEncoder().encode('behind')),
  )
})

function write(writer: ByteWriter, { kind, value }: Part): void {
  if (kind === 'uint') writer.uint(value)
  else if (kind === 'text') writer.text(value)
  else writer.bytes(value)
}

function byLib0(parts: readonly Part[]): Uint8Array {
  const encoder = createEncoder()
  for (const { kind, value } of parts) {
    if (kind === 'uint') writeVarUint(encoder, value)
    else if (kind === 'text') writeVarString(encoder, value)
    else writeVarUint8Array(encoder, value)
  }
  return toUint8Array(encoder)
}

function read(from: ReturnType<typeof createDecoder>, { kind }: Part): unknown {
  if (kind === 'uint') return readVarUint(from)
  return kind === 'text' ? readVarString(from) : readVarUint8Array(from)
}
