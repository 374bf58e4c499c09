// The bytes of every message, for each version of the protocol: a peer in the field speaks exactly these. A change here
// is a change of the protocol: add a new version with a file of its own, and leave this one as it is.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  downMessageSchema,
  PROTOCOL_VERSION,
  upMessageSchema,
  type DownMessage,
  type UpMessage,
} from '@rejoin/core'
import { decodeDown, decodeUp, encodeDown, encodeUp } from '@rejoin/transport'

interface Golden<Message> {
  readonly message: Message
  readonly bytes: string
}

const golden = JSON.parse(
  readFileSync(new URL(`golden-${PROTOCOL_VERSION}.json`, import.meta.url), 'utf8'),
  bytesOfHex,
) as { up: Golden<UpMessage>[]; down: Golden<DownMessage>[] }

describe(`protocol ${PROTOCOL_VERSION}, up`, () => {
  test.each(golden.up.map((one) => [one.message.type, one] as const))('%s', (_, { message, bytes }) => {
    expect(hexOf(encodeUp(message))).toBe(bytes)
    expect(decodeUp(Buffer.from(bytes, 'hex'))).toEqual(message)
  })

  test('every message has its bytes here', () => {
    const known = upMessageSchema.options.map(({ shape }) => shape.type.value)
    expect([...new Set(golden.up.map(({ message }) => message.type))].sort()).toEqual(known.sort())
  })
})

describe(`protocol ${PROTOCOL_VERSION}, down`, () => {
  test.each(golden.down.map((one) => [one.message.type, one] as const))('%s', (_, { message, bytes }) => {
    expect(hexOf(encodeDown(message))).toBe(bytes)
    expect(decodeDown(Buffer.from(bytes, 'hex'))).toEqual(message)
  })

  test('every message has its bytes here', () => {
    const known = downMessageSchema.options.map(({ shape }) => shape.type.value)
    expect([...new Set(golden.down.map(({ message }) => message.type))].sort()).toEqual(known.sort())
  })
})

/** JSON has no bytes: they stand as `{ "hex": "…" }`. */
function bytesOfHex(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('hex' in value) || typeof value.hex !== 'string')
    return value
  return new Uint8Array(Buffer.from(value.hex, 'hex'))
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
