/**
 * Log records: what the store keeps as opaque bytes. A header carries format, length, checksum and the running hash, so
 * that the first record after a cursor tells the tag at the cursor; a body carries the commits that a room logged
 * together, or a rebuild. Decoding is strict: what does not fit to the last byte is STORE_CORRUPT (invariant 13).
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import {
  isHlc,
  replicaIdSchema,
  SyncError,
  type CommitId,
  type Counter,
  type Epoch,
  type Hlc,
  type Tag,
} from '@rejoin/core'
import {
  createDecoder,
  hasContent,
  readUint8,
  readVarString,
  readVarUint,
  readVarUint8Array,
  type Decoder,
} from 'lib0/decoding'
import {
  createEncoder,
  toUint8Array,
  writeUint8,
  writeVarString,
  writeVarUint,
  writeVarUint8Array,
} from 'lib0/encoding'

/** A commit as it is logged. */
export interface LoggedCommit {
  readonly id: CommitId
  readonly prev: Counter
  readonly hlc: Hlc
  readonly domainVersion: number
  /** Name of whoever was signed in when it was pushed. */
  readonly principal: string
  /** The ops in canonical form, as a JSON array. */
  readonly opsJson: string
  readonly update: Uint8Array
}

interface Placed {
  /** Of a rebuild: the epoch that it begins. */
  readonly epoch: Epoch
  readonly domain: string
}
export interface CommitsRecord extends Placed {
  readonly kind: 'commits'
  readonly commits: readonly LoggedCommit[]
}
/** From here on the document is its live entries alone, in canonical form; `digest` is their hash. */
export interface RebuildRecord extends Placed {
  readonly kind: 'rebuild'
  readonly digest: string
}
export type LogRecord = CommitsRecord | RebuildRecord

export interface EncodedRecord {
  readonly bytes: Uint8Array
  readonly tag: Tag
}
export interface DecodedRecord {
  readonly record: LogRecord
  /** The tag before it, which is the tag at the seq it names as `prev`. */
  readonly prevTag: Tag
  readonly tag: Tag
}

const FORMAT = 1
const LENGTH_AT = 1
const CHECKSUM_AT = 5
const PREV_TAG_AT = 9
const TAG_AT = 17
const HEADER_BYTES = 25
const TAG_BYTES = 8
const CHECKSUM_BYTES = 4
const KIND_COMMITS = 0
const KIND_REBUILD = 1

export function encodeRecord(prevTag: Tag, record: LogRecord): EncodedRecord {
  const body = encodeBody(record)
  const hash = hashOf(hexToBytes(prevTag), body)
  const bytes = new Uint8Array(HEADER_BYTES + body.length)
  bytes[0] = FORMAT
  new DataView(bytes.buffer).setUint32(LENGTH_AT, body.length)
  bytes.set(hash.checksum, CHECKSUM_AT)
  bytes.set(hexToBytes(prevTag), PREV_TAG_AT)
  bytes.set(hash.tag, TAG_AT)
  bytes.set(body, HEADER_BYTES)
  return { bytes, tag: bytesToHex(hash.tag) }
}

/** @throws SyncError STORE_CORRUPT, or FORMAT_TOO_NEW for a record of a later Rejoin. */
export function decodeRecord(bytes: Uint8Array, where: string): DecodedRecord {
  const format = bytes[0]
  if (format === undefined || bytes.length < HEADER_BYTES) throw corrupt(where, 'is cut off')
  if (format > FORMAT) {
    throw new SyncError(
      'FORMAT_TOO_NEW',
      `${where} has format ${format}, this hub reads up to ${FORMAT}; update it`,
    )
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const body = bytes.subarray(HEADER_BYTES)
  if (format !== FORMAT || view.getUint32(LENGTH_AT) !== body.length)
    throw corrupt(where, 'is cut off or damaged')
  const prevTag = bytes.subarray(PREV_TAG_AT, TAG_AT)
  const tag = bytes.subarray(TAG_AT, HEADER_BYTES)
  const hash = hashOf(prevTag, body)
  if (!same(hash.tag, tag) || !same(hash.checksum, bytes.subarray(CHECKSUM_AT, PREV_TAG_AT))) {
    throw corrupt(where, 'does not match its checksum')
  }
  return { record: decodeBody(body, where), prevTag: bytesToHex(prevTag), tag: bytesToHex(tag) }
}

export function corrupt(where: string, why: string, cause?: unknown): SyncError {
  return new SyncError('STORE_CORRUPT', `${where} ${why}; restore it from a backup or a replica`, { cause })
}

function encodeBody(record: LogRecord): Uint8Array {
  const out = createEncoder()
  writeVarUint(out, record.epoch)
  writeVarString(out, record.domain)
  switch (record.kind) {
    case 'commits':
      writeUint8(out, KIND_COMMITS)
      writeVarUint(out, record.commits.length)
      for (const commit of record.commits) {
        writeVarString(out, commit.id.replica)
        writeVarUint(out, commit.id.counter)
        writeVarUint(out, commit.prev)
        writeVarString(out, commit.hlc)
        writeVarUint(out, commit.domainVersion)
        writeVarString(out, commit.principal)
        writeVarString(out, commit.opsJson)
        writeVarUint8Array(out, commit.update)
      }
      break
    case 'rebuild':
      writeUint8(out, KIND_REBUILD)
      writeVarString(out, record.digest)
      break
  }
  return toUint8Array(out)
}

function decodeBody(body: Uint8Array, where: string): LogRecord {
  try {
    const from = createDecoder(body)
    const epoch = readVarUint(from)
    const domain = readVarString(from)
    const kind = readUint8(from)
    const record: LogRecord =
      kind === KIND_COMMITS
        ? { kind: 'commits', epoch, domain, commits: decodeCommits(from, where) }
        : { kind: 'rebuild', epoch, domain, digest: readVarString(from) }
    if (kind > KIND_REBUILD || hasContent(from)) throw corrupt(where, 'holds something unknown')
    return record
  } catch (error) {
    if (error instanceof SyncError) throw error
    throw corrupt(where, 'does not read', error)
  }
}

function decodeCommits(from: Decoder, where: string): readonly LoggedCommit[] {
  const count = readVarUint(from)
  const commits: LoggedCommit[] = []
  // Each turn reads at least one byte or throws, so a damaged count cannot run away.
  while (commits.length < count) {
    const replica = replicaIdSchema.parse(readVarString(from))
    const id = { replica, counter: readVarUint(from) }
    const prev = readVarUint(from)
    const hlc = readVarString(from)
    if (!isHlc(hlc)) throw corrupt(where, 'holds a commit without an HLC stamp')
    commits.push({
      id,
      prev,
      hlc,
      domainVersion: readVarUint(from),
      principal: readVarString(from),
      opsJson: readVarString(from),
      update: readVarUint8Array(from),
    })
  }
  return commits
}

/** One pass over the bytes gives the tag, which chains the log, and a checksum of further bits of the same hash. */
function hashOf(prevTag: Uint8Array, body: Uint8Array): { tag: Uint8Array; checksum: Uint8Array } {
  const hash = sha256.create().update(prevTag).update(body).digest()
  return { tag: hash.subarray(0, TAG_BYTES), checksum: hash.subarray(TAG_BYTES, TAG_BYTES + CHECKSUM_BYTES) }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
