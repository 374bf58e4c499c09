/**
 * Log records: what the store keeps as opaque bytes. A header carries format, length, checksum and the running hash, so
 * that the first record after a cursor tells the tag at the cursor; a body carries the commits that a room logged
 * together, a rebuild, or what was lost and came back. Decoding is strict: what does not fit to the last byte is STORE_CORRUPT (invariant 13).
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import {
  damaged,
  isHlc,
  replicaIdSchema,
  SyncError,
  unreachable,
  type ReplicaId,
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
import { sha256, sha256Hex } from '#sha256'
import { ByteWriter } from './byte-writer.ts'
import {
  type ForgottenReplicas,
  type HealedHistory,
  type HealRecord,
  type LoggedCommit,
  type LogRecord,
  type Placed,
} from './log-record.ts'

export {
  NO_OPS,
  type CommitsRecord,
  type ForgottenReplicas,
  type HealedHistory,
  type HealRecord,
  type LoggedCommit,
  type LogRecord,
  type RebuildRecord,
} from './log-record.ts'

export interface EncodedRecord {
  readonly bytes: Uint8Array
  readonly tag: Tag
}
export interface DecodedRecord {
  readonly record: LogRecord
  /** The tag before it, which is the tag at the seq it names as `prev`. */
  readonly prevTag: Tag
  readonly tag: Tag
  /** When the hub logged it, milliseconds since 1970; null in format 1, which did not say. */
  readonly at: number | null
}

/**
 * Format 1, of release 0.1, kept neither the time nor which epoch a rebuild ended: always the one before; format 2 not whom a
 * rebuild forgets. Where that is nobody, it is still what is written: a hub from before can be put back.
 */
const FORMAT = 3
const FORMAT_FORGETTING_NONE = 2
const LENGTH_AT = 1
const CHECKSUM_AT = 5
const PREV_TAG_AT = 9
const TAG_AT = 17
const HEADER_BYTES = 25
const TAG_BYTES = 8
const CHECKSUM_BYTES = 4
const KIND_COMMITS = 0
const KIND_REBUILD = 1
const KIND_HEAL = 2
const HAS_LOST = 1
const HAS_HEALED = 2

/** @param at when it is logged, milliseconds since 1970. */
export function encodeRecord(prevTag: Tag, record: LogRecord, at: number): EncodedRecord {
  const format = record.kind === 'rebuild' && record.forgot !== null ? FORMAT : FORMAT_FORGETTING_NONE
  writer.reset()
  // The header is filled in when the hash is known. What is hashed stands in the order of `hashOf` right before the body.
  writer.skip(HASHED_AT)
  writer.hex(prevTag)
  writer.byte(format)
  writeBody(writer, record, at)
  const hash = sha256Hex(writer.view(HASHED_AT))
  const { length } = writer
  const tag = hash.slice(0, TAG_BYTES * 2)
  writer.rewind()
  writer.byte(format)
  writer.uint32(length - HEADER_BYTES)
  writer.hex(hash.slice(TAG_BYTES * 2, (TAG_BYTES + CHECKSUM_BYTES) * 2))
  writer.hex(prevTag)
  writer.hex(tag)
  return { bytes: writer.copy(length), tag }
}

/** The tag before and the format, right before the body. */
const HASHED_AT = HEADER_BYTES - TAG_BYTES - 1
/** Of every record in turn. */
const writer = new ByteWriter()

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
  if (format === 0 || view.getUint32(LENGTH_AT) !== body.length) throw corrupt(where, 'is cut off or damaged')
  const prevTag = bytes.subarray(PREV_TAG_AT, TAG_AT)
  const tag = bytes.subarray(TAG_AT, HEADER_BYTES)
  const hash = hashOf(format, prevTag, body)
  if (!same(hash.tag, tag) || !same(hash.checksum, bytes.subarray(CHECKSUM_AT, PREV_TAG_AT))) {
    throw corrupt(where, 'does not match its checksum')
  }
  return { ...decodeBody(body, format, where), prevTag: bytesToHex(prevTag), tag: bytesToHex(tag) }
}

export function corrupt(where: string, why: string, cause?: unknown): SyncError {
  return damaged(`${where} ${why}`, { cause })
}

function writeBody(out: ByteWriter, record: LogRecord, at: number): void {
  out.uint(at)
  out.uint(record.epoch)
  out.text(record.domain)
  switch (record.kind) {
    case 'commits':
      out.byte(KIND_COMMITS)
      out.uint(record.commits.length)
      for (const commit of record.commits) {
        out.text(commit.id.replica)
        out.uint(commit.id.counter)
        out.uint(commit.prev)
        out.text(commit.hlc)
        out.uint(commit.domainVersion)
        out.text(commit.principal)
        out.text(commit.opsJson)
        out.bytes(commit.update)
      }
      break
    case 'rebuild':
      out.byte(KIND_REBUILD)
      out.uint(record.from)
      out.text(record.digest)
      if (record.forgot !== null) writeForgotten(out, record.forgot)
      break
    case 'heal':
      out.byte(KIND_HEAL)
      writeHeal(out, record)
      break
    default:
      unreachable(record)
  }
}

function writeForgotten(out: ByteWriter, { before, replicas }: ForgottenReplicas): void {
  out.uint(before)
  out.uint(replicas.length)
  for (const replica of replicas) out.text(replica)
}

function writeHeal(out: ByteWriter, { lost, healed }: HealRecord): void {
  out.byte((lost === null ? 0 : HAS_LOST) | (healed === null ? 0 : HAS_HEALED))
  if (lost !== null) {
    out.uint(lost.after)
    out.uint(lost.before)
  }
  if (healed === null) return
  out.text(healed.id.replica)
  out.uint(healed.id.counter)
  out.uint(healed.domainVersion)
  out.text(healed.principal)
  out.bytes(healed.update)
}

function decodeBody(
  body: Uint8Array,
  format: number,
  where: string,
): { record: LogRecord; at: number | null } {
  try {
    const from = createDecoder(body)
    const at = format === 1 ? null : readVarUint(from)
    const placed = { epoch: readVarUint(from), domain: readVarString(from) }
    const record = decodeKind(from, placed, format, where)
    if (hasContent(from)) throw corrupt(where, 'holds something unknown')
    return { record, at }
  } catch (error) {
    if (error instanceof SyncError) throw error
    throw corrupt(where, 'does not read', error)
  }
}

function decodeKind(from: Decoder, placed: Placed, format: number, where: string): LogRecord {
  const kind = readUint8(from)
  if (kind === KIND_REBUILD) {
    const ended = format === 1 ? placed.epoch - 1 : readVarUint(from)
    const digest = readVarString(from)
    const forgot = format < 3 ? null : decodeForgotten(from)
    return { kind: 'rebuild', ...placed, from: ended, digest, forgot }
  }
  if (format > FORMAT_FORGETTING_NONE) throw corrupt(where, 'holds something unknown')
  if (kind === KIND_COMMITS) return { kind: 'commits', ...placed, commits: decodeCommits(from, where) }
  if (kind !== KIND_HEAL || format === 1) throw corrupt(where, 'holds something unknown')
  const has = readUint8(from)
  if (has > (HAS_LOST | HAS_HEALED)) throw corrupt(where, 'holds something unknown')
  const lost = (has & HAS_LOST) === 0 ? null : { after: readVarUint(from), before: readVarUint(from) }
  return {
    kind: 'heal',
    ...placed,
    lost,
    healed: (has & HAS_HEALED) === 0 ? null : decodeHealed(from),
  }
}

function decodeForgotten(from: Decoder): ForgottenReplicas {
  const before = readVarUint(from)
  const replicas: ReplicaId[] = []
  // Each turn reads at least one byte or throws, so a damaged count cannot run away.
  for (let left = readVarUint(from); left > 0; left--) {
    replicas.push(replicaIdSchema.parse(readVarString(from)))
  }
  return { before, replicas }
}

function decodeHealed(from: Decoder): HealedHistory {
  const id = { replica: replicaIdSchema.parse(readVarString(from)), counter: readVarUint(from) }
  const domainVersion = readVarUint(from)
  return { id, domainVersion, principal: readVarString(from), update: readVarUint8Array(from) }
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
function hashOf(
  format: number,
  prevTag: Uint8Array,
  body: Uint8Array,
): { tag: Uint8Array; checksum: Uint8Array } {
  // Format 1 left itself out: a damaged first byte could make it of another.
  const hash = format === 1 ? sha256(prevTag, body) : sha256(prevTag, Uint8Array.of(format), body)
  return { tag: hash.subarray(0, TAG_BYTES), checksum: hash.subarray(TAG_BYTES, TAG_BYTES + CHECKSUM_BYTES) }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
