/**
 * Marks: all that a room knows of its document in order to serve pushes, a fold of the log without any document. They say
 * where the log stands, which commit of each replica was the last (how a resend is recognised, invariant 5, H4 of resends
 * after compaction) and which items each client has written (so that no missing dependency can ever enter).
 */
import {
  REBUILD_CLIENT_ID,
  ZERO_TAG,
  type ClientClocks,
  type ClientId,
  type Counter,
  type CrdtUpdates,
  type Cursor,
  type Epoch,
  type Hlc,
  type ItemRange,
  type LostRange,
  type ReplicaId,
  type Seq,
  type Tag,
} from '@rejoin/core'
import { type HealRecord, type LoggedCommit } from './record.ts'

/** A client id with the next clock it may write, and the replica that used it first; null: no replica may. */
export interface ClientMark {
  readonly clock: number
  readonly owner: ReplicaId | null
}

/** What is folded of a commit. */
export type FoldedCommit = Pick<LoggedCommit, 'id' | 'hlc' | 'domainVersion' | 'principal'>

/** A replica's last commit in the log. The stamp tells it from another one under the same counter (invariant 5). */
export interface ReplicaMark {
  readonly counter: Counter
  /** Null where a heal brought it back, which knows no stamps of commits. */
  readonly hlc: Hlc | null
  /** Id of the principal that used the replica's id first; null while only callers have that nobody signs in. */
  readonly owner: string | null
}

export interface MarksParts {
  readonly epoch: Epoch
  readonly domain: string
  /** The newest version of the domain that the document holds commits of; 1 where it holds none. */
  readonly domainVersion: number
  /** Seq of the record that began the epoch; 0 while there is none. */
  readonly began: Seq
  readonly head: { readonly seq: Seq; readonly tag: Tag }
  readonly replicas: ReadonlyMap<ReplicaId, ReplicaMark>
  readonly clients: ReadonlyMap<ClientId, ClientMark>
  /** Where the log lost records, in rising order: no cursor between the two seqs of one is of this log. */
  readonly lost: readonly LostRange[]
  /**
   * Milliseconds since 1970: an operator had replicas forgotten whose last commit was stamped before that; 0: never. Whoever
   * has no mark may be one of them.
   */
  readonly forgotBefore: number
}

export class Marks {
  readonly epoch: Epoch
  readonly domain: string
  #domainVersion: number
  #began: Seq
  #seq: Seq
  #tag: Tag
  readonly #replicas: Map<ReplicaId, ReplicaMark>
  readonly #clients: Map<ClientId, ClientMark>
  /** Replica ids that each principal owns, counted as they come: a push must not walk all marks. */
  readonly #owned = new Map<string, number>()
  /** Who owns client ids, likewise. */
  readonly #writers = new Set<ReplicaId>()
  #lost: readonly LostRange[]
  readonly #forgotBefore: number

  constructor(parts: MarksParts) {
    this.epoch = parts.epoch
    this.domain = parts.domain
    this.#domainVersion = parts.domainVersion
    this.#began = parts.began
    this.#seq = parts.head.seq
    this.#tag = parts.head.tag
    this.#replicas = new Map(parts.replicas)
    this.#clients = new Map(parts.clients)
    this.#lost = parts.lost
    this.#forgotBefore = parts.forgotBefore
    for (const { owner } of parts.replicas.values()) this.#count(owner)
    for (const { owner } of parts.clients.values()) if (owner !== null) this.#writers.add(owner)
  }

  /** Of a namespace whose first record is still to come. */
  static begin(epoch: Epoch, domain: string): Marks {
    return new Marks({
      epoch,
      domain,
      domainVersion: 1,
      began: 0,
      head: { seq: 0, tag: ZERO_TAG },
      replicas: new Map(),
      clients: new Map(),
      lost: [],
      forgotBefore: 0,
    })
  }

  /** The document is another one from the record at `began` on: nothing of it is known yet but whose commits it holds. */
  adopting(epoch: Epoch, began: Seq): Marks {
    return new Marks({ ...this.parts(), epoch, began, clients: new Map() })
  }

  clone(): Marks {
    return new Marks(this.parts())
  }

  parts(): MarksParts {
    const { epoch, domain } = this
    return {
      epoch,
      domain,
      domainVersion: this.#domainVersion,
      began: this.#began,
      head: { seq: this.#seq, tag: this.#tag },
      replicas: this.#replicas,
      clients: this.#clients,
      lost: this.#lost,
      forgotBefore: this.#forgotBefore,
    }
  }

  get head(): Cursor {
    return { epoch: this.epoch, seq: this.#seq, tag: this.#tag }
  }

  /** The newest version of the domain that the document holds commits of: it never falls, not even by a rebuild. */
  get domainVersion(): number {
    return this.#domainVersion
  }

  /** Seq of the record that began the epoch: a cursor of an older one lies before it. */
  get began(): Seq {
    return this.#began
  }

  /** The replica's high-water mark: its last commit in the log. */
  markOf(replica: ReplicaId): ReplicaMark | null {
    return this.#replicas.get(replica) ?? null
  }

  /** The counter of that, 0 for none. */
  counterOf(replica: ReplicaId): Counter {
    return this.markOf(replica)?.counter ?? 0
  }

  /** Id of the principal that the replica's id belongs to; null: nobody's yet. */
  ownerOf(replica: ReplicaId): string | null {
    return this.markOf(replica)?.owner ?? null
  }

  /** Replica ids that have a mark. */
  get replicaCount(): number {
    return this.#replicas.size
  }

  /** How many of them belong to the principal of that id. */
  replicasOf(principal: string): number {
    return this.#owned.get(principal) ?? 0
  }

  /** Whether the replica may be one that an operator had forgotten: that it has no mark proves nothing then. */
  mayBeForgotten(replica: ReplicaId): boolean {
    return this.#forgotBefore > 0 && !this.#replicas.has(replica)
  }

  client(client: ClientId): ClientMark | null {
    return this.#clients.get(client) ?? null
  }

  get clientCount(): number {
    return this.#clients.size
  }

  /** Whether every item of the range is in the document. */
  knows(range: ItemRange): boolean {
    return range.clock + range.length <= (this.#clients.get(range.client)?.clock ?? 0)
  }

  get lost(): readonly LostRange[] {
    return this.#lost
  }

  /** Whether this very document has lost history that replicas may still have. */
  get mayHeal(): boolean {
    return (this.#lost.at(-1)?.before ?? 0) > this.#began
  }

  /** The next clock of every client. */
  get clocks(): ClientClocks {
    return new Map([...this.#clients].map(([client, { clock }]) => [client, clock]))
  }

  /**
   * Whether the replica's commits are, or may be, in the log, but none of its items in this epoch: what it made without a
   * base was made before the document was rebuilt.
   */
  outlived(replica: ReplicaId): boolean {
    if (!this.#clients.has(REBUILD_CLIENT_ID) || this.#writers.has(replica)) return false
    return this.#replicas.has(replica) || this.mayBeForgotten(replica)
  }

  /** Folds one commit in. */
  fold({ id, hlc, domainVersion, principal }: FoldedCommit, inserted: readonly ItemRange[]): void {
    const { replica, counter } = id
    this.#mark(replica, { counter, hlc }, principal)
    this.#domainVersion = Math.max(this.#domainVersion, domainVersion)
    for (const { client, clock, length } of inserted)
      this.#clients.set(client, { clock: clock + length, owner: replica })
    if (inserted.length > 0) this.#writers.add(replica)
  }

  /** Folds in what a log lost and what came back. Whoever wrote the items is not known by them: nobody goes on under their ids. */
  heal({ lost, healed }: HealRecord, updates: CrdtUpdates): void {
    if (lost !== null) this.#lost = [...this.#lost, lost]
    if (healed === null) return
    const { id, domainVersion, principal, update } = healed
    if (id.counter > this.counterOf(id.replica)) {
      this.#mark(id.replica, { counter: id.counter, hlc: null }, principal)
    }
    this.#domainVersion = Math.max(this.#domainVersion, domainVersion)
    if (update.length === 0) return
    for (const [client, clock] of updates.clocks(update)) {
      const mark = this.#clients.get(client)
      this.#clients.set(client, { clock: Math.max(clock, mark?.clock ?? 0), owner: mark?.owner ?? null })
    }
  }

  /** The record that held the folded commits is at `seq`. */
  moveTo(seq: Seq, tag: Tag): void {
    if (this.#seq === 0) this.#began = seq
    this.#seq = seq
    this.#tag = tag
  }

  #mark(replica: ReplicaId, last: Omit<ReplicaMark, 'owner'>, principal: string): void {
    const before = this.ownerOf(replica)
    const owner = before ?? binding(principal)
    if (before === null) this.#count(owner)
    this.#replicas.set(replica, { ...last, owner })
  }

  #count(owner: string | null): void {
    if (owner !== null) this.#owned.set(owner, this.replicasOf(owner) + 1)
  }
}

/** Whom a replica's id is bound to by what was logged in this name. */
function binding(principal: string): string | null {
  return nobodys.has(principal) ? null : principal
}

/** Where nobody signs in, and what an operator gives back for others. */
const nobodys: ReadonlySet<string> = new Set(['', 'anyone', 'operator'])
