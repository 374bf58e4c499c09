/** The seal of values, held against its description: small ones are hashed in one call, large ones part by part. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { checksumOf, seal, sealParts, unseal } from '../src/sealed-value.ts'

const keys = ['hub!record!room!00000000000001', 'hub!state!é漢😀', 'k'.repeat(5_000)]
const lengths = [0, 1, 255, 1_023, 16_344, 16_345, 16_375, 16_384, 70_000]

describe.each(keys)('[13] under the key %.30s', (key) => {
  test.each(lengths)('a value of %i bytes carries the hash of key, header and body', (length) => {
    const body = Uint8Array.from({ length }, (_, i) => (i * 7) % 251)
    const sealed = seal(key, body)
    expect(checksumOf(sealed)).toBe(described(key, body))
    expect(unseal(key, sealed)).toEqual(body)
    const half = length >> 1
    expect(sealParts(key, body.subarray(0, half), body.subarray(half))).toEqual(sealed)
    expect(() => unseal(`${key}!`, sealed)).toThrow('does not match its checksum')
  })
})

function described(key: string, body: Uint8Array): number {
  const header = Buffer.alloc(5)
  header.writeUInt8(1)
  header.writeUInt32BE(body.length, 1)
  return createHash('sha256').update(key, 'utf8').update(header).update(body).digest().readUInt32BE()
}
