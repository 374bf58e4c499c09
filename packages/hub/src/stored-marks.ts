/**
 * Marks as a checkpoint keeps them: versioned, sorted (equal marks have equal bytes), and with a hash over themselves and
 * one over the snapshot beside them, since a store may serve damaged bytes without a word (invariant 13).
 */
import {
  isHlc,
  replicaIdSchema,
  SyncError,
  type ClientId,
  type LostRange,
  type ReplicaId,
} from '@rejoin/core'
import {
  createDecoder,
  hasContent,
  readUint8Array,
  readVarString,
  readVarUint,
  type Decoder,
} from 'lib0/decoding'
import { createEncoder, toUint8Array, writeUint8Array, writeVarString, writeVarUint } from 'lib0/encoding'
import { sha256 } from '#sha256'
import { Marks, type ClientMark, type ReplicaMark } from './marks.ts'
import { corrupt } from './record.ts'

export interface StoredMarks {
  readonly marks: Marks
  readonly snapshotBytes: number
  readonly snapshotHash: Uint8Array
  /** Hash of the content, hexadecimal SHA-256 as `CrdtUpdates.digest` gives it; null in formats that kept none. */
  readonly digest: string | null
}

/**
 * Format 1, of release 0.1, kept no version of the domain; format 2 neither a digest nor what was lost; format 3 not whom a
 * replica's id belongs to: then it is bound by what is pushed next; format 4 not that replicas were forgotten. Where none
 * was, it is still what is written: a hub from before can be put back.
 */
const FORMAT = 5
const FORMAT_FORGETTING_NONE = 4
const HASH_BYTES = 16
const noMark: ReplicaMark = { counter: 0, hlc: null, owner: null }

/**
 * @param digest of the snapshot's content.
 * @param hash as `snapshotHash` gives it, where somebody has it.
 */
export function encodeMarks(
  marks: Marks,
  snapshot: Uint8Array,
  digest: string,
  hash = snapshotHash(snapshot),
): Uint8Array {
  const { epoch, domain, domainVersion, began, head, replicas, clients, lost, forgotBefore } = marks.parts()
  const out = createEncoder()
  writeVarUint(out, forgotBefore === 0 ? FORMAT_FORGETTING_NONE : FORMAT)
  writeVarUint(out, epoch)
  writeVarString(out, domain)
  writeVarUint(out, domainVersion)
  writeVarUint(out, began)
  writeVarUint(out, head.seq)
  writeVarString(out, head.tag)
  writeVarUint(out, snapshot.length)
  writeUint8Array(out, hash)
  writeVarString(out, digest)
  writeVarUint(out, lost.length)
  for (const { after, before } of lost) {
    writeVarUint(out, after)
    writeVarUint(out, before)
  }
  if (forgotBefore > 0) writeVarUint(out, forgotBefore)
  // Of strings alone, without a function: there may be `limits.replicasMax` of them.
  const sorted = [...replicas.keys()].sort()
  const places = new Map(sorted.map((replica, place) => [replica, place + 1]))
  const known = new Set<string>()
  for (const { owner } of replicas.values()) if (owner !== null) known.add(owner)
  const owners = [...known].sort()
  const ownerPlaces = new Map(owners.map((owner, place) => [owner, place + 1]))
  writeVarUint(out, owners.length)
  for (const owner of owners) writeVarString(out, owner)
  writeVarUint(out, sorted.length)
  for (const replica of sorted) {
    const { counter, hlc, owner } = replicas.get(replica) ?? noMark
    writeVarString(out, replica)
    writeVarUint(out, counter)
    writeVarString(out, hlc ?? '')
    // 0 stands for none.
    writeVarUint(out, owner === null ? 0 : (ownerPlaces.get(owner) ?? 0))
  }
  writeVarUint(out, clients.size)
  for (const [client, { clock, owner }] of [...clients].sort(([a], [b]) => a - b)) {
    writeVarUint(out, client)
    writeVarUint(out, clock)
    // Every owner has pushed, so it stands among the replicas; 0 stands for none.
    writeVarUint(out, owner === null ? 0 : (places.get(owner) ?? 0))
  }
  writeUint8Array(out, shortHash(toUint8Array(out)))
  return toUint8Array(out)
}

/** @throws SyncError STORE_CORRUPT or FORMAT_TOO_NEW */
export function decodeMarks(bytes: Uint8Array, where: string): StoredMarks {
  const content = bytes.subarray(0, -HASH_BYTES)
  if (bytes.length <= HASH_BYTES || !same(shortHash(content), bytes.subarray(-HASH_BYTES))) {
    throw corrupt(where, 'has marks that do not match their checksum')
  }
  try {
    return readMarks(createDecoder(content), where)
  } catch (error) {
    if (error instanceof SyncError) throw error
    throw corrupt(where, 'has marks that do not read', error)
  }
}

/** @throws SyncError STORE_CORRUPT unless the snapshot is the one that was stored with these marks. */
export function checkSnapshot(snapshot: Uint8Array, stored: StoredMarks, where: string): Uint8Array {
  if (snapshot.length !== stored.snapshotBytes || !same(snapshotHash(snapshot), stored.snapshotHash)) {
    throw corrupt(where, 'has a snapshot that does not match its checksum')
  }
  return snapshot
}

function readMarks(from: Decoder, where: string): StoredMarks {
  const format = readVarUint(from)
  if (format > FORMAT) {
    throw new SyncError(
      'FORMAT_TOO_NEW',
      `${where} has marks of format ${format}, this hub reads ${FORMAT}; update it`,
    )
  }
  const epoch = readVarUint(from)
  const domain = readVarString(from)
  const domainVersion = format === 1 ? 1 : readVarUint(from)
  const began = readVarUint(from)
  const head = { seq: readVarUint(from), tag: readVarString(from) }
  const snapshotBytes = readVarUint(from)
  const snapshotHash = readUint8Array(from, HASH_BYTES)
  const digest = format < 3 ? null : readVarString(from)
  const lost: LostRange[] = []
  for (let left = format < 3 ? 0 : readVarUint(from); left > 0; left--) {
    lost.push({ after: readVarUint(from), before: readVarUint(from) })
  }
  const forgotBefore = format < 5 ? 0 : readVarUint(from)
  const owners: string[] = []
  for (let left = format < 4 ? 0 : readVarUint(from); left > 0; left--) owners.push(readVarString(from))
  const replicas: [ReplicaId, ReplicaMark][] = []
  for (let left = readVarUint(from); left > 0; left--) {
    const replica = replicaIdSchema.parse(readVarString(from))
    const counter = readVarUint(from)
    const stamp = readVarString(from)
    const hlc = stamp === '' ? null : stamp
    if (hlc !== null && !isHlc(hlc)) throw corrupt(where, 'has marks of a commit without an HLC stamp')
    const owner = format < 4 ? null : (owners[readVarUint(from) - 1] ?? null)
    replicas.push([replica, { counter, hlc, owner }])
  }
  const clients = new Map<ClientId, ClientMark>()
  for (let left = readVarUint(from); left > 0; left--) {
    const client = readVarUint(from)
    const clock = readVarUint(from)
    const place = readVarUint(from)
    clients.set(client, { clock, owner: replicas[place - 1]?.[0] ?? null })
  }
  if (hasContent(from)) throw corrupt(where, 'has marks with something unknown behind them')
  return {
    marks: new Marks({
      epoch,
      domain,
      domainVersion,
      began,
      head,
      replicas: new Map(replicas),
      clients,
      lost,
      forgotBefore,
    }),
    snapshotBytes,
    snapshotHash,
    digest,
  }
}

/** Of a snapshot's bytes; in a buffer of its own, which may go to another thread. */
export function snapshotHash(snapshot: Uint8Array): Uint8Array {
  return Uint8Array.from(shortHash(snapshot))
}

function shortHash(bytes: Uint8Array): Uint8Array {
  return sha256(bytes).subarray(0, HASH_BYTES)
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
