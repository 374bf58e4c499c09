// The bytes of every message, for each version of the protocol: a peer in the field speaks exactly these. A change here
// is a change of the protocol: add a new version with a file of its own, and leave this one as it is.
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  downMessageSchema,
  PROTOCOL_VERSION,
  upMessageSchema,
  type DownMessage,
  type UpMessage,
} from '@rejoin/core'
import { decodeDown, decodeUp, encodeDown, encodeUp } from '@rejoin/transport'
import { decodeFrame, encodeFrame, type Frame } from '../../packages/transport/src/frames.ts'
import { decodeSignIn, encodeSignIn } from '../../packages/transport/src/sign-in-frame.ts'

interface Golden<Message> {
  readonly message: Message
  readonly bytes: string
}

const golden = JSON.parse(readFileSync(keptAs('golden', PROTOCOL_VERSION), 'utf8'), bytesOfHex) as {
  up: Golden<UpMessage>[]
  down: Golden<DownMessage>[]
  frames: { frame: Frame; bytes: string }[]
  signIn: { token: string; bytes: string }[]
}

/** A file for each version of the protocol that there ever was. */
function keptAs(what: 'golden' | 'shapes', version: number): URL {
  return new URL(`${what}-${version}.json`, import.meta.url)
}

test('every version has its bytes and its messages here', () => {
  for (let version = 1; version <= PROTOCOL_VERSION; version++) {
    expect(existsSync(keptAs('golden', version))).toBe(true)
    expect(existsSync(keptAs('shapes', version))).toBe(true)
  }
})

// A field or a value more is a change that no example shows. What is optional may be added within a version where a
// capability says whether it is there: then this file is made anew, with the reason in its commit.
test.each([
  ['up', upMessageSchema],
  ['down', downMessageSchema],
] as const)('the messages %s are those of this version', (direction, schema) => {
  const kept = JSON.parse(readFileSync(keptAs('shapes', PROTOCOL_VERSION), 'utf8')) as Record<string, unknown>
  expect(z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' })).toEqual(kept[direction])
})

describe(`protocol ${PROTOCOL_VERSION}, frames`, () => {
  test.each(golden.frames.map((one) => [one.frame.kind, one] as const))('%s', (_, { frame, bytes }) => {
    expect(hexOf(encodeFrame(frame))).toBe(bytes)
    expect(decodeFrame(new Uint8Array(Buffer.from(bytes, 'hex')))).toEqual(frame)
  })

  test('every kind has its bytes here, and so have the frames that sign in', () => {
    const kinds: Record<Frame['kind'], true> = {
      whole: true,
      first: true,
      further: true,
      end: true,
      close: true,
      beat: true,
    }
    expect(new Set(golden.frames.map(({ frame }) => frame.kind))).toEqual(new Set(Object.keys(kinds)))
    for (const { token, bytes } of golden.signIn) {
      expect(hexOf(encodeSignIn(token))).toBe(bytes)
      expect(decodeSignIn(Buffer.from(bytes, 'hex'))).toBe(token)
    }
  })
})

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
