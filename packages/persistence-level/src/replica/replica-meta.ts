/**
 * The one small record of a replica: identity, counter, HLC, cursor, notes, and what its other values add up to, so that
 * a value that is missing, old or left over is noticed (invariant 13). Every batch writes it, in the same batch as what
 * its cursor covers (invariant 6).
 */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import {
  isErrorCode,
  type Counter,
  type Cursor,
  type Hlc,
  type ReplicaIdentity,
  type SyncNotes,
} from '@rejoin/core'
import { corrupt, FORMAT, FORMAT_OF_COPIES, readBody } from '../sealed-value.ts'
import { readOptional, storedHlc, writeOptional } from './commit-value.ts'

/** How many other values there are, and the exclusive or of their checksums (which depend on their keys). */
export interface Inventory {
  readonly count: number
  readonly sum: number
}

export interface ReplicaMeta {
  readonly identity: ReplicaIdentity
  /** Name of the place where the identity was made; in any other place this is a copy. */
  readonly place: string
  /** Counters up to here were given under former identities. */
  readonly formerCounter: Counter
  readonly counter: Counter
  readonly hlc: Hlc | null
  readonly cursor: Cursor | null
  readonly notes: SyncNotes
  /** How many batches there were, this one included. */
  readonly batches: number
  /** Number of the next update: rises for ever, so that no key is used twice. */
  readonly nextUpdate: number
}

export const noNotes: SyncNotes = {
  lastAttemptAt: null,
  lastSuccessAt: null,
  lastError: null,
  ackedCounter: 0,
  sentCounter: 0,
}

/** Releases before 0.2 would push what waits under former ids as the replica's own: they must not read it. */
export function metaFormat({ place, formerCounter }: ReplicaMeta): number {
  return place === '' && formerCounter === 0 ? FORMAT : FORMAT_OF_COPIES
}

export function encodeMeta(meta: ReplicaMeta, inventory: Inventory): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarString(encoder, meta.identity.replica)
    encoding.writeVarUint(encoder, meta.identity.clientId)
    encoding.writeVarString(encoder, meta.identity.domain)
    encoding.writeVarUint(encoder, meta.identity.domainVersion)
    encoding.writeVarUint(encoder, meta.counter)
    writeOptional(encoder, meta.hlc)
    writeCursor(encoder, meta.cursor)
    writeTime(encoder, meta.notes.lastAttemptAt)
    writeTime(encoder, meta.notes.lastSuccessAt)
    writeOptional(encoder, meta.notes.lastError?.code ?? null)
    encoding.writeVarString(encoder, meta.notes.lastError?.message ?? '')
    encoding.writeVarUint(encoder, meta.notes.ackedCounter)
    encoding.writeVarUint(encoder, meta.batches)
    encoding.writeVarUint(encoder, meta.nextUpdate)
    encoding.writeVarUint(encoder, inventory.count)
    encoding.writeUint32(encoder, inventory.sum)
    encoding.writeVarUint(encoder, meta.notes.sentCounter)
    encoding.writeVarUint(encoder, meta.formerCounter)
    encoding.writeVarString(encoder, meta.place)
  })
}

/** @throws SyncError STORE_CORRUPT */
export function decodeMeta(key: string, body: Uint8Array): { meta: ReplicaMeta; inventory: Inventory } {
  return readBody(key, () => readMeta(key, decoding.createDecoder(body)))
}

function readMeta(key: string, decoder: decoding.Decoder): { meta: ReplicaMeta; inventory: Inventory } {
  const read = {
    identity: {
      replica: decoding.readVarString(decoder),
      clientId: decoding.readVarUint(decoder),
      domain: decoding.readVarString(decoder),
      domainVersion: decoding.readVarUint(decoder),
    },
    counter: decoding.readVarUint(decoder),
    hlc: readHlc(key, decoder),
    cursor: readCursor(decoder),
    notes: {
      lastAttemptAt: readTime(decoder),
      lastSuccessAt: readTime(decoder),
      lastError: readLastError(key, decoder),
      ackedCounter: decoding.readVarUint(decoder),
    },
    batches: decoding.readVarUint(decoder),
    nextUpdate: decoding.readVarUint(decoder),
  }
  const inventory = { count: decoding.readVarUint(decoder), sum: decoding.readUint32(decoder) }
  // Release 0.1 did not note what it sent: all of it may have been.
  const sentCounter = decoding.hasContent(decoder) ? decoding.readVarUint(decoder) : read.counter
  const formerCounter = decoding.hasContent(decoder) ? decoding.readVarUint(decoder) : 0
  const place = decoding.hasContent(decoder) ? decoding.readVarString(decoder) : ''
  return { meta: { ...read, place, formerCounter, notes: { ...read.notes, sentCounter } }, inventory }
}

function readHlc(key: string, decoder: decoding.Decoder): Hlc | null {
  const text = readOptional(decoder)
  return text === null ? null : storedHlc(key, text)
}

function writeCursor(encoder: encoding.Encoder, cursor: Cursor | null): void {
  encoding.writeVarUint(encoder, cursor?.epoch ?? 0)
  if (cursor === null) return
  encoding.writeVarUint(encoder, cursor.seq)
  encoding.writeVarString(encoder, cursor.tag)
}

/** Epochs start at 1, so 0 stands for no cursor. */
function readCursor(decoder: decoding.Decoder): Cursor | null {
  const epoch = decoding.readVarUint(decoder)
  if (epoch === 0) return null
  return { epoch, seq: decoding.readVarUint(decoder), tag: decoding.readVarString(decoder) }
}

/** Times as JSON text: a clock in a test may give any number. */
function writeTime(encoder: encoding.Encoder, ms: number | null): void {
  encoding.writeVarString(encoder, JSON.stringify(ms))
}

function readTime(decoder: decoding.Decoder): number | null {
  const ms: unknown = JSON.parse(decoding.readVarString(decoder))
  return typeof ms === 'number' ? ms : null
}

function readLastError(key: string, decoder: decoding.Decoder): SyncNotes['lastError'] {
  const code = readOptional(decoder)
  const message = decoding.readVarString(decoder)
  if (code === null) return null
  if (!isErrorCode(code)) throw corrupt(key, `names ${code}, which is no error code`)
  return { code, message }
}
