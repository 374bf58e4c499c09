/**
 * Messages as bytes: `[protocol version][message type][fields]`, one way to write each and nothing after it. Reading is
 * bounded by the bytes given, ends with the message's schema, and only ever throws SyncError (invariant 14).
 * A changed byte trips `tests/wire/golden.test.ts`.
 */
import {
  downMessageSchema,
  PROTOCOL_VERSION,
  SyncError,
  upMessageSchema,
  type DownMessage,
  type UpMessage,
} from '@rejoin/core'
import { downTypes, readDown, writeDown } from './down.ts'
import { Reader } from './reader.ts'
import { readUp, upTypes, writeUp } from './up.ts'
import { Writer } from './writer.ts'

export function encodeUp(message: UpMessage): Uint8Array {
  const out = openMessage(upTypes[message.type])
  writeUp(out, message)
  return out.finish()
}

export function encodeDown(message: DownMessage): Uint8Array {
  const out = openMessage(downTypes[message.type])
  writeDown(out, message)
  return out.finish()
}

/**
 * A replica's message. The large bytes of a snapshot stay a view of `payload`; everything else is copied.
 * @throws SyncError MESSAGE_MALFORMED, MESSAGE_UNKNOWN or PROTOCOL_VERSION
 */
export function decodeUp(payload: Uint8Array): UpMessage {
  const { from, name } = readHeader(payload, upTypes)
  const message = readUp(from, name)
  from.end()
  return checked(upMessageSchema.safeParse(message), name)
}

/** A hub's message; as `decodeUp`. */
export function decodeDown(payload: Uint8Array): DownMessage {
  const { from, name } = readHeader(payload, downTypes)
  const message = readDown(from, name)
  from.end()
  return checked(downMessageSchema.safeParse(message), name)
}

function openMessage(type: number): Writer {
  const out = new Writer()
  out.byte(PROTOCOL_VERSION)
  out.byte(type)
  return out
}

function readHeader<Name extends string>(payload: Uint8Array, types: Record<Name, number>) {
  const header = new Reader(payload, 'a message')
  const version = header.byte('its version')
  if (version !== PROTOCOL_VERSION) {
    throw new SyncError(
      'PROTOCOL_VERSION',
      `this side speaks protocol ${PROTOCOL_VERSION}, the peer ${version}: update the older one`,
    )
  }
  const type = header.byte('its type')
  // The keys of a record of names are those names.
  const name = (Object.keys(types) as Name[]).find((known) => types[known] === type)
  if (name === undefined) {
    throw new SyncError('MESSAGE_UNKNOWN', `message type 0x${type.toString(16)} is not one of this direction`)
  }
  return { from: new Reader(payload.subarray(2), name), name }
}

interface Parsed<Message> {
  readonly success: boolean
  readonly data?: Message
  readonly error?: { readonly issues: readonly { path: readonly PropertyKey[]; message: string }[] }
}

function checked<Message>(parsed: Parsed<Message>, name: string): Message {
  if (parsed.success && parsed.data !== undefined) return parsed.data
  const issue = parsed.error?.issues[0]
  const path = issue?.path.map(String).join('.') ?? ''
  throw new SyncError('MESSAGE_MALFORMED', `${name}: ${path} ${issue?.message ?? 'is not valid'}`, { path })
}
