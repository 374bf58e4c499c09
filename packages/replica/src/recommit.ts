/**
 * Recommitting: outbox commits carried out again on another base. Same ids, same stamps, new bytes under a fresh client id.
 * What their author had not seen stays, older or newer, and is a conflict (DESIGN section 5; invariants 9 and 10).
 */
import {
  asSyncError,
  entryLine,
  planWrites,
  type AnyDomain,
  type ClientId,
  type Commit,
  type Counter,
  type Crdt,
  type CrdtDocument,
  type Hlc,
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
 * @param out commits among `entries` that are not made again.
 */
export function recommit(
  crdt: Crdt,
  domain: AnyDomain,
  clientId: ClientId,
  base: readonly Uint8Array[],
  entries: readonly OutboxEntry[],
  mark: Counter,
  out: ReadonlySet<Counter> = new Set(),
): Recommitted {
  const standing = entries.filter(({ stage }) => stage === 'acked').map(({ commit }) => commit)
  const rest = entries.filter(({ stage }) => stage !== 'acked')
  const document = crdt.open(clientId, [...base, ...standing.map(({ update }) => update).filter(isThere)])
  const outbox: Commit[] = [...standing]
  const failed: RejectedCommit[] = []
  let prev = standing.at(-1)?.id.counter ?? mark
  // Who made a commit had seen what the commits before it replaced, refused ones included.
  const seen = new Set<string>()
  const own = new Set<Hlc>(standing.map(({ hlc }) => hlc))
  for (const { commit, replaced } of rest) {
    for (const line of replaced) seen.add(line)
    if (out.has(commit.id.counter)) continue
    try {
      const writes = planWrites(domain, commit.ops, document, commit.hlc, 'optional')
      const update =
        document.write(writes, commit.hlc, (entry) => own.has(entry.hlc) || seen.has(entryLine(entry))) ??
        NO_BYTES
      outbox.push({ ...commit, prev, update })
      own.add(commit.hlc)
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
