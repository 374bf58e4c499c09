/**
 * Looking at everything that is stored of one replica and saying what is wrong with it: whether the acknowledged base makes a
 * document, the outbox goes on from it in order, and counters and cursor fit. As `verifyNamespace` does for a hub; the
 * adapter that reads the values brings what it found wrong with their bytes.
 */
import {
  commitName,
  SyncError,
  type Commit,
  type Counter,
  type Crdt,
  type CrdtDocument,
  type Cursor,
  type Namespace,
  type RejectedCommit,
  type ReplicaId,
} from '@rejoin/core'
import { applyOutbox } from './replaced.ts'

/** What an adapter found of one replica, value by value. */
export interface FoundReplica {
  readonly namespace: Namespace
  /** Null where it cannot be read. */
  readonly meta: {
    readonly identity: { readonly replica: ReplicaId; readonly clientId: number; readonly domain: string }
    readonly formerCounter: Counter
    readonly counter: Counter
    readonly cursor: Cursor | null
  } | null
  readonly base: readonly Uint8Array[]
  readonly outbox: readonly Commit[]
  readonly rejected: readonly RejectedCommit[]
  readonly values: number
  readonly bytes: number
  readonly faults: readonly { readonly message: string }[]
}

export interface ReplicaFault {
  /** The counter of the commit, or null for the replica as a whole. */
  readonly counter: Counter | null
  readonly message: string
}

export interface ReplicaVerifyReport {
  readonly namespace: Namespace
  /** Null where it cannot be read. */
  readonly replica: ReplicaId | null
  readonly domain: string | null
  /** Stored values, and their bytes. */
  readonly values: number
  readonly bytes: number
  readonly outbox: number
  readonly rejected: number
  readonly cursor: Cursor | null
  /** Hash of the content, with what waits in the outbox; null where the faults leave none to hash. */
  readonly digest: string | null
  readonly faults: readonly ReplicaFault[]
}

/** @param digestOf the hash of a document's readable content. */
export function verifyReplica(
  found: FoundReplica,
  crdt: Crdt,
  digestOf: (document: CrdtDocument) => string,
): ReplicaVerifyReport {
  const { namespace, meta, outbox, rejected, values, bytes } = found
  const faults: ReplicaFault[] = found.faults.map(({ message }) => ({ counter: null, message }))
  // What is damaged leaves holes, and what follows from those is no news.
  const isWhole = faults.length === 0
  if (isWhole) faults.push(...outboxFaults(found), ...cursorFaults(found))
  const digest = isWhole ? contentDigest(found, crdt, digestOf, faults) : null
  return {
    namespace,
    replica: meta?.identity.replica ?? null,
    domain: meta?.identity.domain ?? null,
    values,
    bytes,
    outbox: outbox.length,
    rejected: rejected.length,
    cursor: meta?.cursor ?? null,
    digest: faults.length === 0 ? digest : null,
    faults,
  }
}

function outboxFaults({ meta, outbox, rejected }: FoundReplica): readonly ReplicaFault[] {
  if (meta === null) return []
  const faults: ReplicaFault[] = []
  let before: Commit | null = null
  for (const commit of outbox) {
    const { counter } = commit.id
    const name = commitName(commit.id)
    const fault = (why: string): void => void faults.push({ counter, message: `commit ${name} ${why}` })
    if (commit.id.replica !== meta.identity.replica && counter > meta.formerCounter)
      fault(`is another replica's than ${meta.identity.replica}`)
    if (counter > meta.counter) fault(`is above the last counter ${meta.counter} of this replica`)
    if (commit.prev >= counter) fault(`says that it follows ${commit.prev}`)
    if (before !== null && before.id.replica === commit.id.replica && commit.prev !== before.id.counter)
      fault(`follows ${commit.prev}, but ${before.id.counter} stands before it`)
    if (before !== null && commit.hlc <= before.hlc) fault('is not stamped later than the one before it')
    before = commit
  }
  for (const { commit } of rejected) {
    const { counter } = commit.id
    if (counter > meta.counter)
      faults.push({ counter, message: `rejected commit ${commitName(commit.id)} is above the last counter` })
  }
  return faults
}

function cursorFaults({ meta, base }: FoundReplica): readonly ReplicaFault[] {
  if (meta === null) return []
  if (base.length > 0 && meta.cursor === null)
    return [{ counter: null, message: 'there is acknowledged content, and no cursor that says up to where' }]
  return []
}

/** Reads the base strictly, then the outbox onto it. */
function contentDigest(
  { meta, base, outbox }: FoundReplica,
  crdt: Crdt,
  digestOf: (document: CrdtDocument) => string,
  faults: ReplicaFault[],
): string | null {
  let document: CrdtDocument
  try {
    document = crdt.open(meta?.identity.clientId ?? 0, base)
  } catch (error) {
    faults.push({ counter: null, message: `the acknowledged base makes no document: ${messageOf(error)}` })
    return null
  }
  try {
    for (const commit of outbox) {
      try {
        if (commit.update.length > 0) crdt.updates.inspect(commit.update)
        applyOutbox(document, [commit])
      } catch (error) {
        // Its base was dropped to be fetched again: the next opening makes what waits anew.
        if (base.length === 0 && meta?.cursor === null && isUnknownItem(error)) return null
        const message = `commit ${commitName(commit.id)} does not build on what is before it: ${messageOf(error)}`
        faults.push({ counter: commit.id.counter, message })
        return null
      }
    }
    return digestOf(document)
  } finally {
    document.destroy()
  }
}

function isUnknownItem(error: unknown): boolean {
  return error instanceof SyncError && error.code === 'UPDATE_UNKNOWN_ITEM'
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
