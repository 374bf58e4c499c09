/**
 * The change feed: hears the document, works out at once what readers see of it, and tells the app when the replica is
 * consistent again. So a listener may call `apply`: what follows is told after what went before. Telling costs what changed
 * and who hears of it, however much there is and however many listen to something else.
 */
import {
  knownChanges,
  type AnyDomain,
  type AnyOp,
  type ChangeOrigin,
  type CommitId,
  type CrdtDocument,
  type RegisterChange,
  type Registers,
} from '@rejoin/core'
import { changedRegister, registerDifference, visibleChanges, type AnyChange } from './changes.ts'
import { InterestIndex, type Interest } from './interests.ts'
import { callApp } from './listeners.ts'
import { isTooNew, knownRegistersOf, type ReplicaMemory } from './memory.ts'

/** What one transaction did. */
export interface Transaction {
  /** They are counted from 1. */
  readonly number: number
  /** Every register that is different, seen by readers or not. */
  readonly registers: readonly RegisterChange[]
  /** What readers see of it; may be empty. */
  readonly changes: readonly AnyChange[]
  readonly origin: ChangeOrigin
  /** The commit made here that it carried out, or null. */
  readonly commit: CommittedOps | null
}

export interface CommittedOps {
  readonly id: CommitId
  readonly ops: readonly AnyOp[]
}

/** Somebody who is told of transactions, in the order of subscribing. */
export interface Subscriber {
  /** In what: every transaction, changes that readers see, or registers. */
  readonly hears: 'everything' | 'changes' | 'registers'
  /** Empty where it hears everything. */
  readonly interests: Iterable<Interest>
  /** Number of the last transaction that it is not to be told. */
  readonly upTo: number
  /** @param changes those of interest, where it hears changes; all of them where it hears everything. */
  hear(transaction: Transaction, changes: readonly AnyChange[]): void
}

export class ChangeFeed {
  readonly #domain: AnyDomain
  readonly #memory: ReplicaMemory
  readonly #known: Registers
  /** With the number of each, in the order of subscribing. */
  readonly #subscribers = new Map<Subscriber, number>()
  readonly #everything = new Set<Subscriber>()
  readonly #byChange = new InterestIndex<Subscriber>()
  readonly #byRegister = new InterestIndex<Subscriber>()
  #subscribed = 0
  #waiting: Transaction[] = []
  #heard = 0
  #telling = false
  #committing: CommittedOps | null = null
  /** Ends listening to the document; null while the app has no listener, and nothing is worked out. */
  #stop: (() => void) | null = null

  constructor(domain: AnyDomain, memory: ReplicaMemory) {
    this.#domain = domain
    this.#memory = memory
    this.#known = knownRegistersOf(memory, domain)
  }

  /** Number of the newest transaction; what the document holds now follows from those up to it. */
  get heard(): number {
    return this.#heard
  }

  subscribe(subscriber: Subscriber): () => void {
    this.#subscribers.set(subscriber, ++this.#subscribed)
    this.#index(subscriber, 'add')
    this.#stop ??= this.#listenTo(this.#memory.document)
    return () => {
      if (!this.#subscribers.delete(subscriber)) return
      this.#index(subscriber, 'delete')
      if (this.#subscribers.size > 0) return
      this.#stop?.()
      this.#stop = null
    }
  }

  /** Changes what a subscriber is interested in. */
  reindex(subscriber: Subscriber, change: () => void): void {
    if (!this.#subscribers.has(subscriber)) return change()
    this.#index(subscriber, 'delete')
    try {
      change()
    } finally {
      // Its own code may have ended the subscription.
      if (this.#subscribers.has(subscriber)) this.#index(subscriber, 'add')
    }
  }

  /** Carries out a commit made here: what the document does meanwhile is told as its ops. */
  during<T>(commit: CommittedOps, write: () => T): T {
    this.#committing = commit
    try {
      return write()
    } finally {
      this.#committing = null
    }
  }

  /** Tells what was heard, oldest first. */
  release(): void {
    if (this.#telling) return
    this.#telling = true
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) this.#tell(next)
    this.#telling = false
  }

  /** Puts another document, made of the base, in place of the present one; the app hears the net difference as one transaction. */
  swap(document: CrdtDocument, origin: ChangeOrigin = 'remote'): void {
    const old = this.#memory.document
    this.#memory.document = document
    this.#memory.mustRebuild = false
    this.#memory.absorbNewest()
    if (this.#stop !== null) {
      this.#stop()
      this.#stop = this.#listenTo(document)
      this.#hear(registerDifference(this.#domain, old, document), origin)
    }
    old.destroy()
  }

  close(): void {
    this.#stop?.()
    this.#memory.document.destroy()
  }

  #listenTo(document: CrdtDocument): () => void {
    return document.listen((registers, origin) => this.#hear(registers, origin))
  }

  #hear(registers: readonly RegisterChange[], origin: ChangeOrigin): void {
    if (registers.length === 0) return
    const known = isTooNew(this.#memory, this.#domain) ? knownChanges(this.#domain, registers) : registers
    const changes = visibleChanges(this.#domain, known, this.#known, origin)
    this.#waiting.push({ number: ++this.#heard, registers, changes, origin, commit: this.#committing })
  }

  #tell(transaction: Transaction): void {
    const audience = [...this.#audienceOf(transaction)]
    audience.sort(([a], [b]) => (this.#subscribers.get(a) ?? 0) - (this.#subscribers.get(b) ?? 0))
    for (const [subscriber, changes] of audience) {
      // One that was told before may have ended this subscription, or applied what it has read by now.
      if (!this.#subscribers.has(subscriber) || subscriber.upTo >= transaction.number) continue
      callApp(() => subscriber.hear(transaction, changes))
    }
  }

  /** Who hears of a transaction, and which of its changes. */
  #audienceOf({ registers, changes }: Transaction): Map<Subscriber, readonly AnyChange[]> {
    const audience = new Map<Subscriber, readonly AnyChange[]>()
    for (const { table, key } of registers) {
      for (const subscriber of this.#byRegister.in(table, key)) audience.set(subscriber, [])
    }
    const picked = new Map<Subscriber, Set<AnyChange>>()
    for (const change of changes) {
      for (const subscriber of this.#byChange.in(change.table, changedRegister(change))) {
        picked.set(subscriber, (picked.get(subscriber) ?? new Set()).add(change))
      }
    }
    for (const [subscriber, some] of picked) audience.set(subscriber, [...some])
    for (const subscriber of this.#everything) audience.set(subscriber, changes)
    return audience
  }

  #index(subscriber: Subscriber, how: 'add' | 'delete'): void {
    switch (subscriber.hears) {
      case 'everything':
        this.#everything[how](subscriber)
        return
      case 'changes':
        return this.#byChange[how](subscriber.interests, subscriber)
      case 'registers':
        return this.#byRegister[how](subscriber.interests, subscriber)
    }
  }
}
