/**
 * Committing: from ops to a commit that readers see, that is on its way to the store, and that can be undone. Everything
 * that may fail is decided before the document is touched; what follows happens in one turn.
 */
import {
  canonicalOps,
  checkWriters,
  HlcClock,
  planWrites,
  SyncError,
  type AnyDomain,
  type AnyOp,
  type Clock,
  type Commit,
  type Counter,
  type Hlc,
  type ParentRule,
  type ReplicaStep,
  type Write,
} from '@rejoin/core'
import type { ChangeFeed } from './change-feed.ts'
import { checkCommitSize } from './commit-size.ts'
import type { ReplicaMemory } from './memory.ts'
import type { PendingWrites } from './pending-writes.ts'
import { OpenReceipt, type Receipt } from './receipt.ts'
import { replacedBy } from './replaced.ts'
import type { SentMark } from './sent-mark.ts'
import type { Connection } from './status.ts'
import { unchangedReceipt } from './unchanged-receipt.ts'
import { undoStep, type UndoWay } from './undo.ts'

export interface CommittingParts {
  readonly domain: AnyDomain
  readonly namespace: string
  readonly outboxCommitsMax: number
  readonly clock: Clock
  readonly memory: ReplicaMemory
  readonly writes: PendingWrites
  readonly feed: ChangeFeed
  readonly connection: Connection
  readonly sent: SentMark
}

/** What leads to a commit: a call of the app, which may put it in place of a rejected one; or undoing and redoing. */
export type Occasion =
  | { readonly kind: 'apply'; readonly instead: Counter | null; readonly parents: ParentRule }
  | { readonly kind: UndoWay }

interface Made {
  readonly commit: Commit
  readonly receipt: OpenReceipt
}

export class Committing {
  readonly #parts: CommittingParts

  constructor(parts: CommittingParts) {
    this.#parts = parts
  }

  /** The stamp of a commit that may come to nothing: the clock moves only when it does not. */
  nextHlc(): Hlc {
    const { memory, clock } = this.#parts
    return new HlcClock(memory.replica, memory.hlc.last).tick(clock.now())
  }

  /** @throws SyncError what `Replica.apply` throws for wrong ops and full queues. */
  commit(input: readonly AnyOp[], occasion: Occasion): Receipt {
    const { domain, namespace, outboxCommitsMax, memory, writes, feed, connection } = this.#parts
    if (memory.outbox.size >= outboxCommitsMax) {
      const why = `${memory.outbox.size} commits of ${namespace} wait for the hub: reconnect before applying more`
      throw new SyncError('OUTBOX_FULL', why)
    }
    const full = writes.fullFor('here')
    if (full !== null) throw full
    const ops = canonicalOps(domain, input)
    const hlc = this.nextHlc()
    // What comes back under a row that somebody else removed meanwhile is an orphan, which can be restored or dropped.
    const parents = occasion.kind === 'apply' ? occasion.parents : 'optional'
    const planned = planWrites(domain, ops, memory.document, hlc, parents)
    checkWriters(domain, ops, planned, hlc)
    if (planned.length > 0) checkCommitSize(ops, planned, memory.document)
    const made = planned.length === 0 ? null : this.#write(ops, planned, hlc, occasion)
    const forgotten = occasion.kind === 'apply' ? this.#forget(occasion.instead) : []
    if (made !== null) this.#save(made, forgotten)
    else if (forgotten.length > 0) writes.add(forgotten)
    else return unchangedReceipt(this.#parts)
    feed.release()
    connection.changed()
    return made === null ? unchangedReceipt(this.#parts) : made.receipt.receiptOf(made.commit.id)
  }

  /** Document, clock, counter, history and outbox move together. */
  #write(ops: readonly AnyOp[], planned: readonly Write[], hlc: Hlc, occasion: Occasion): Made | null {
    const { domain, memory, feed } = this.#parts
    const id = { replica: memory.replica, counter: memory.counter + 1 }
    const replaced = replacedBy(memory.document, planned, hlc)
    const step = undoStep(id.counter, hlc, planned, memory.document)
    const update = feed.during({ id, ops }, () => memory.document.write(planned, hlc))
    if (update === null) return null
    const prev = memory.lastStanding
    memory.hlc.absorb(hlc)
    memory.counter = id.counter
    if (occasion.kind === 'apply') memory.history.add(step)
    else memory.history.turn(occasion.kind, step)
    const commit: Commit = { id, prev, hlc, domainVersion: domain.version, ops, update }
    const receipt = new OpenReceipt()
    memory.outbox.add(commit, receipt, replaced)
    return { commit, receipt }
  }

  /** All in one batch. */
  #save({ commit, receipt }: Made, forgotten: readonly ReplicaStep[]): void {
    const { domain, memory, writes, connection, sent } = this.#parts
    const steps: ReplicaStep[] = [
      ...memory.raiseVersion(domain.version),
      { kind: 'local', commit },
      ...forgotten,
    ]
    // It is sent as soon as it is saved: by then the store is to know that it may have been.
    const { counter } = commit.id
    const leaves = connection.state === 'live'
    if (leaves) steps.push(sent.step(counter))
    writes.add(
      steps,
      () => {
        if (leaves) sent.note(counter)
        memory.outbox.markSaved([commit], writes.durability)
      },
      (error) => receipt.saved.reject(error),
    )
  }

  /** The rejected commit that another one takes the place of: in one batch with it, so that there is never both or none. */
  #forget(counter: Counter | null): readonly ReplicaStep[] {
    if (counter === null) return []
    this.#parts.memory.rejected.delete(counter)
    return [{ kind: 'discard', counter }]
  }
}
