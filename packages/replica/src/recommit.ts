/**
 * Recommitting: outbox commits carried out again on another base. Same ids, same stamps, new bytes under a fresh client id;
 * an entry newer than the op stays (DESIGN section 5, "Rebase"; invariants 9 and 10).
 */
import {
  asSyncError,
  planWrites,
  type AnyDomain,
  type ClientId,
  type Commit,
  type Counter,
  type Crdt,
  type CrdtDocument,
  type RejectedCommit,
} from '@rejoin/core'
import type { OutboxEntry } from './outbox.ts'

export interface Recommitted {
  readonly document: CrdtDocument
  /** The outbox as it now is, in counter order. */
  readonly outbox: readonly Commit[]
  /** Commits whose ops cannot be carried out on this base. */
  readonly failed: readonly RejectedCommit[]
}

const NO_BYTES = new Uint8Array(0)

/**
 * @param entries the outbox without what the base holds. Commits that the hub has acknowledged stand as they are, since
 * the tail will bring them: their bytes are applied, not made again.
 * @param mark our high-water mark at the hub: the `prev` of the first commit it lacks.
 */
export function recommit(
  crdt: Crdt,
  domain: AnyDomain,
  clientId: ClientId,
  base: readonly Uint8Array[],
  entries: readonly OutboxEntry[],
  mark: Counter,
): Recommitted {
  const standing = entries.filter(({ stage }) => stage === 'acked').map(({ commit }) => commit)
  const rest = entries.filter(({ stage }) => stage !== 'acked').map(({ commit }) => commit)
  const document = crdt.open(clientId, [...base, ...standing.map(({ update }) => update).filter(isThere)])
  const outbox: Commit[] = [...standing]
  const failed: RejectedCommit[] = []
  let prev = standing.at(-1)?.id.counter ?? mark
  for (const commit of rest) {
    try {
      const writes = planWrites(domain, commit.ops, document, commit.hlc, 'optional')
      const update = document.write(writes, commit.hlc) ?? NO_BYTES
      outbox.push({ ...commit, prev, update })
      prev = commit.id.counter
    } catch (error) {
      const { code, message, path } = asSyncError(
        error,
        'OP_FAILED',
        'the commit could not be carried out again',
      )
      failed.push({ commit, code, message, path })
    }
  }
  return { document, outbox, failed }
}

function isThere(update: Uint8Array): boolean {
  return update.length > 0
}
