/**
 * Withdrawing a commit that was never sent: the document is made anew from the acknowledged base without it, and what came
 * after it is recommitted with the same stamps. The base is read first; from there on nothing is awaited, so no push can
 * come between the last look and the deed. The store takes all of it in one step.
 */
import {
  SyncError,
  type AnyDomain,
  type Clock,
  type Counter,
  type Crdt,
  type ReplicaStore,
} from '@rejoin/core'
import type { ChangeFeed } from './change-feed.ts'
import { freshWriter, newestVersion, type ReplicaMemory } from './memory.ts'
import type { OutboxEntry } from './outbox.ts'
import type { PendingWrites } from './pending-writes.ts'
import { recommit } from './recommit.ts'
import type { Connection } from './status.ts'

export interface WithdrawalParts {
  readonly domain: AnyDomain
  readonly namespace: string
  readonly crdt: Crdt
  readonly clock: Clock
  readonly store: ReplicaStore
  readonly memory: ReplicaMemory
  readonly writes: PendingWrites
  readonly feed: ChangeFeed
  readonly connection: Connection
}

/**
 * Resolves when it is saved.
 * @throws SyncError INPUT_INVALID where the commit is not in the outbox or may have been sent; REPLICA_CLOSED when `closing`
 * aborts; STORE_… when the store fails: then, where the base could be read, it is withdrawn here and saved later.
 */
export async function withdraw(
  parts: WithdrawalParts,
  counter: Counter,
  closing: AbortSignal,
): Promise<void> {
  try {
    await takeBack(parts, counter, closing)
  } catch (cause) {
    if (!closing.aborted) throw cause
    // Whatever a store that may be closed too has said.
    const why = `the replica of ${parts.namespace} was closed before it was saved that commit ${counter} is withdrawn`
    throw new SyncError('REPLICA_CLOSED', `${why}: look for it in the outbox when it is open again`, {
      cause,
    })
  }
}

async function takeBack(parts: WithdrawalParts, counter: Counter, closing: AbortSignal): Promise<void> {
  checkWithdrawable(parts, counter)
  const base = await readBase(parts, closing)
  checkWithdrawable(parts, counter)
  const { domain, crdt, clock, memory, writes, feed, connection } = parts
  // What may have been sent before it stands in the bytes that were sent.
  const { sentCounter } = connection.notes
  const entries = memory.outbox
    .entries()
    .map((each): OutboxEntry => (each.commit.id.counter <= sentCounter ? { ...each, stage: 'acked' } : each))
  const writer = freshWriter(clock, memory)
  const { clientId } = writer
  const out = new Set([counter])
  const { document, outbox, failed } = recommit(crdt, domain, writer, base, entries, memory.mark, out)

  const message = `commit ${counter} of ${parts.namespace} was withdrawn before it was sent`
  const stamp = memory.outbox.get(counter)?.commit.hlc
  if (stamp !== undefined) memory.withdrawn.set(counter, stamp)
  memory.takeOut(counter, new SyncError('WITHDRAWN', message))
  memory.replaceOutbox(outbox, failed)
  feed.swap(document, 'local')
  const steps = memory.raiseVersion(newestVersion(outbox, 1))
  writes.add([...steps, { kind: 'recommit', clientId, outbox, rejected: failed }], () => {
    memory.outbox.markSaved(outbox, writes.durability)
    connection.changed()
  })
  feed.release()
  connection.changed()
  await writes.flush()
}

function checkWithdrawable({ memory, connection, namespace }: WithdrawalParts, counter: Counter): void {
  if (memory.outbox.get(counter) === undefined) {
    throw new SyncError('INPUT_INVALID', `commit ${counter} is not in the outbox of ${namespace}`)
  }
  if (counter > connection.notes.sentCounter) return
  const why = `commit ${counter} of ${namespace} was sent to a hub, or may have been: undo it instead`
  throw new SyncError('INPUT_INVALID', why)
}

/** The acknowledged base as memory has it too. */
async function readBase(
  { memory, writes, store }: WithdrawalParts,
  closing: AbortSignal,
): Promise<readonly Uint8Array[]> {
  for (;;) {
    const { applied } = memory
    await writes.flush()
    const stored = await store.load()
    closing.throwIfAborted()
    // Whatever changes the base brings a cursor of its own. It ends: once caught up, everything here counts as sent.
    if (memory.applied === applied) return stored?.base ?? []
  }
}
