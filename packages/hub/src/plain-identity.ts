/**
 * Who a plain Yjs client is in a log: it has no replica id, so all that one principal's clients write is logged under one
 * that is made of the principal's. It owns their client ids: nobody else writes under them, and tabs that bring each
 * other's items may. No replica can say that it is this one.
 */
import { replicaIdSchema, SyncError, type ReplicaId } from '@rejoin/core'
import { utf8ToBytes } from '@noble/hashes/utils.js'
import { sha256 } from '#sha256'
import { type Principal } from './principal.ts'

/** 66 bits: no random id begins so by chance. */
const PREFIX = 'yjs-client-'
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const LAST = 'AQgw'
/** With the last one, 62 bits of the principal's id. */
const HASH_CHARS = 10

export function plainReplicaOf({ id }: Pick<Principal, 'id'>): ReplicaId {
  const hash = sha256(utf8ToBytes(id))
  let text = PREFIX
  for (const byte of hash.subarray(0, HASH_CHARS)) text += BASE64URL.charAt(byte % 64)
  return replicaIdSchema.parse(text + LAST.charAt((hash[HASH_CHARS] ?? 0) % 4))
}

export function isPlainReplica(replica: ReplicaId): boolean {
  return replica.startsWith(PREFIX)
}

/** @throws SyncError REPLICA_TAKEN for a replica that greets as one of those. */
export function checkNoPlainReplica(replica: ReplicaId): void {
  if (!isPlainReplica(replica)) return
  throw new SyncError('REPLICA_TAKEN', `${replica} is a plain Yjs client's: start with a new folder`)
}
