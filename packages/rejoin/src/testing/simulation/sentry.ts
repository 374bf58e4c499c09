/**
 * What must be true at every moment, checked where it happens: as a record is appended, a message passes or a batch is
 * recorded. Findings name the rules of `docs/SPEC.md`.
 */
import {
  commitName,
  limits,
  type CommitId,
  type Cursor,
  type HubChannel,
  type Namespace,
  type ReplicaChannel,
  type ReplicaStep,
  type Seq,
} from '@rejoin/core'
import type { Finding } from '@rejoin/testkit'
import type { Refusals } from '../refusals.ts'
import type { AcceptedBook } from './accepted-book.ts'
import type { Written } from './authoring.ts'
import { tapped } from './tapped.ts'
import type { History } from './history.ts'
import type { HubProcess } from './hub-process.ts'
import type { LogBook } from './log-book.ts'
import type { ReplicaProcess } from './replica-process.ts'
import type { SimulatedNetwork } from './simulated-network.ts'
import type { HubStoreWitness } from './simulated-stores.ts'
import type { SimulatedTime } from './simulated-time.ts'
import type { WorldCounts } from './world-counts.ts'

/** Timers of a whole world; a handful a connection is honest. */
const SLEEPERS_MAX = 5_000
const WIRES_MAX = 500
/** Times that a hub may decode a document, for each time that it folds, rebuilds, heals or sends one whole, or tries to. */
const DECODES_MAX = 6
const wholeDocuments: ReadonlySet<string> = new Set(['Snapshot', 'Rebuild', 'HealWanted', 'Heal'])

export interface SentryParts {
  readonly books: ReadonlyMap<Namespace, LogBook>
  readonly accepted: AcceptedBook
  readonly refusals: Refusals
  readonly history: History
  readonly counts: WorldCounts
}

export class Sentry implements HubStoreWitness {
  readonly #parts: SentryParts
  readonly #findings: Finding[] = []
  /** Commits that were in a folder at some time. */
  readonly #saved = new Set<string>()
  readonly #cursors = new Map<ReplicaProcess, Cursor | null>()
  /** Messages that a hub may have decoded a document for. */
  #wholeDocuments = 0
  /** Neither acknowledged, rejected nor withdrawn, by who is to see to it. */
  readonly #open = new Map<ReplicaProcess, Set<string>>()

  constructor(parts: SentryParts) {
    this.#parts = parts
  }

  /** What was found since it was asked last. */
  take(): readonly Finding[] {
    return this.#findings.length === 0 ? [] : this.#findings.splice(0)
  }

  appended(namespace: Namespace, seq: Seq, prev: Seq, body: Uint8Array): void {
    const { history, counts } = this.#parts
    const book = this.#bookOf(namespace)
    counts.recordsChecked++
    this.#check(13, !book.isRemoved, () => `${namespace} was deleted, and has a record ${seq} again`)
    this.#check(
      13,
      book.isRemoved || (prev === book.head && seq > prev),
      () => `record ${seq} after ${prev} does not follow ${book.head}`,
    )
    const names = book.append(seq, prev, body)
    for (const name of book.takeTwice()) this.#find(5, `commit ${name} is in the log once more, at ${seq}`)
    for (const name of names)
      this.#check(4, this.#saved.has(name), () => `commit ${name} is in the log and was saved nowhere`)
    // The head of a record, its running hash included, says all of it.
    history.mixBytes(body.subarray(0, 25))
    history.appended(namespace, seq, names)
  }

  removed(namespace: Namespace): void {
    this.#bookOf(namespace).isRemoved = true
  }

  /** A hub's end of a connection. */
  atHub(channel: HubChannel, { index, namespace }: ReplicaProcess): HubChannel {
    const { refusals, counts } = this.#parts
    const book = this.#bookOf(namespace)
    let replica: string | null = null
    return tapped(
      channel,
      (message) => {
        if (wholeDocuments.has(message.type)) this.#wholeDocuments++
        if (message.type !== 'Ack' || replica === null) return
        counts.acksChecked++
        const name = `${replica}:${message.counter}`
        // A duplicate may be of what a heal brought back, or of what was refused before.
        this.#check(
          3,
          message.duplicate || book.has(name),
          () => `commit ${name} is acknowledged and not in the log`,
        )
      },
      (message) => {
        if (message.type === 'Hello') replica = message.replica
        if (wholeDocuments.has(message.type)) this.#wholeDocuments++
        if (message.type !== 'Push') return message
        for (const { counter } of message.commits) {
          const name = `${replica}:${counter}`
          this.#check(4, this.#saved.has(name), () => `commit ${name} left its replica before it was saved`)
        }
        return refusals.judged(message, index)
      },
    )
  }

  /** A replica's end of a connection. */
  atReplica(channel: ReplicaChannel, process: ReplicaProcess): ReplicaChannel {
    const { history } = this.#parts
    if (!history.isHeard) return channel
    return tapped(
      channel,
      () => {},
      (message) => {
        if (message.type === 'Tail') {
          const commits = message.commits.map(({ replica, counter }) => commitName({ replica, counter }))
          history.tell(process, 'ok', 'poll', { ...placeOf(message.cursor), commits })
        }
        return message
      },
    )
  }

  /** What was carried out on a replica's disk. */
  recorded(process: ReplicaProcess, steps: readonly ReplicaStep[]): void {
    let cursor: Cursor | null = null
    for (const step of steps) {
      if (step.kind === 'local') this.#noteSaved(commitName(step.commit.id))
      else if (step.kind === 'remote' || step.kind === 'snapshot' || step.kind === 'reset')
        cursor = step.cursor
    }
    // A batch is there whole; one whose outcome was unknown is recorded once more.
    if (cursor !== null) this.#noteCursor(process, cursor)
  }

  written(process: ReplicaProcess, written: Written): void {
    this.#findings.push(...written.findings)
    if (written.kind !== 'commit') return
    const { accepted, history } = this.#parts
    const { name, effect, receipt } = written
    accepted.add(name, process.index, effect)
    this.#openOf(process).add(name)
    history.tell(process, 'invoke', 'write', { commit: name, sets: effect.sets, removes: effect.removes })
    receipt.saved.catch(() => {})
    receipt.acked.then(
      () => this.#acked(process, name),
      () => {},
    )
  }

  closed(process: ReplicaProcess, name: string, fate: 'rejected' | 'withdrawn', code: string = fate): void {
    const { accepted, history } = this.#parts
    if (accepted.get(name)?.fate !== 'open') return
    accepted.close(name, fate)
    this.#openOf(process).delete(name)
    history.tell(process, 'fail', 'write', { commit: name, code })
  }

  /** It may be in no outbox from now on. @returns what to call once its author was told. */
  withdrawing(process: ReplicaProcess, name: string): (isGone: boolean) => void {
    const { accepted } = this.#parts
    const { replica } = process
    const wasOpen = this.#openOf(process).delete(name)
    accepted.beginWithdrawal(name)
    return (isGone) => {
      accepted.endWithdrawal(name)
      if (isGone) this.closed(process, name, 'withdrawn')
      else if (wasOpen && process.isOpen && process.replica === replica) this.#openOf(process).add(name)
    }
  }

  rejected(process: ReplicaProcess, id: CommitId, code: string): void {
    this.closed(process, commitName(id), 'rejected', code)
  }

  /** It was opened, or tried to. */
  started(process: ReplicaProcess): void {
    if (!process.isOpen) return
    const { accepted, history } = this.#parts
    const { replica } = process
    const book = this.#bookOf(process.namespace)
    const outbox = new Set(replica.outbox.map(({ id }) => commitName(id)))
    const rejected = new Set(replica.rejected.map(({ commit }) => commitName(commit.id)))
    for (const name of outbox) this.#saved.add(name)
    for (const name of this.#openOf(process)) history.tell(process, 'info', 'write', { commit: name })
    accepted.recall(
      process.index,
      outbox,
      (name) => rejected.has(name) || book.has(name) || book.wasLost(name),
      process.hasLost,
    )
    this.#open.set(process, new Set([...outbox].filter((name) => accepted.get(name) !== undefined)))
    if (process.hasLost) this.#cursors.delete(process)
    this.#noteCursor(process, process.cursor)
  }

  lookAt(
    replicas: readonly ReplicaProcess[],
    hubs: readonly HubProcess[],
    network: SimulatedNetwork,
    time: SimulatedTime,
  ): void {
    for (const process of replicas) if (process.isOpen) this.#lookAt(process)
    this.#check(14, time.sleepers < SLEEPERS_MAX, () => `${time.sleepers} timers wait`)
    this.#check(14, network.wires < WIRES_MAX, () => `${network.wires} connections are kept`)
    for (const { hub, index } of hubs.filter(({ isOpen }) => isOpen)) {
      const { documentsDecoded, checkpoints, checkpointFailures, rebuilds, rebuildFailures } = hub.metrics()
      const due = checkpoints + checkpointFailures + rebuilds + rebuildFailures + this.#wholeDocuments
      this.#check(
        23,
        documentsDecoded <= DECODES_MAX * (due + 2),
        () =>
          `hub ${index} has decoded ${documentsDecoded} documents for ${due} folds, rebuilds, heals and snapshots`,
      )
    }
  }

  #acked(process: ReplicaProcess, name: string): void {
    const { accepted, history } = this.#parts
    const book = this.#bookOf(process.namespace)
    this.#check(
      3,
      book.has(name) || book.wasLost(name),
      () => `commit ${name} was told to be acknowledged and is not in the log`,
    )
    accepted.noteAcked(name)
    this.#openOf(process).delete(name)
    history.tell(process, 'ok', 'write', { commit: name, seq: book.seqOf(name) ?? 0 })
  }

  #lookAt(process: ReplicaProcess): void {
    const { replica, namespace } = process
    const book = this.#bookOf(namespace)
    this.#check(
      1,
      replica.unplaced === 0,
      () => `replica ${process.index} has ${replica.unplaced} updates without a place`,
    )
    const open = this.#openOf(process)
    if (open.size === 0) return
    const outbox = replica.outbox.map(({ id }) => commitName(id))
    this.#check(14, outbox.length <= limits.outboxCommitsMax, () => `${outbox.length} commits in an outbox`)
    const known = new Set([...outbox, ...replica.rejected.map(({ commit }) => commitName(commit.id))])
    for (const name of open)
      this.#check(
        4,
        known.has(name) || book.has(name) || book.wasLost(name),
        () => `commit ${name} is in no outbox, no log, and was not rejected`,
      )
  }

  #noteSaved(name: string): void {
    this.#saved.add(name)
    this.#parts.accepted.noteSaved(name)
  }

  #noteCursor(process: ReplicaProcess, cursor: Cursor | null): void {
    const before = this.#cursors.get(process) ?? null
    this.#cursors.set(process, cursor)
    if (before === null) return
    this.#check(6, cursor !== null, () => `replica ${process.index} lost its cursor`)
    this.#check(
      6,
      cursor === null || cursor.epoch !== before.epoch || cursor.seq >= before.seq,
      () => `the cursor of replica ${process.index} went back from ${before.seq} to ${cursor?.seq}`,
    )
  }

  #openOf(process: ReplicaProcess): Set<string> {
    let open = this.#open.get(process)
    if (open === undefined) this.#open.set(process, (open = new Set()))
    return open
  }

  #bookOf(namespace: Namespace): LogBook {
    const book = this.#parts.books.get(namespace)
    if (book === undefined) throw new Error(`there is no namespace ${namespace}`)
    return book
  }

  #check(rule: number, isKept: boolean, what: () => string): void {
    this.#parts.counts.oracles++
    if (!isKept) this.#find(rule, what())
  }

  #find(rule: number, what: string): void {
    this.#findings.push({ rule, what })
  }
}

function placeOf({ seq, epoch }: Cursor): { readonly seq: Seq; readonly epoch: number } {
  return { seq, epoch }
}
