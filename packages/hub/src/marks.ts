/**
 * Marks: all that a room knows of its document in order to serve pushes, a fold of the log without any document. They say
 * where the log stands, which commit of each replica was the last (how a resend is recognised, invariant 5, H4 of resends
 * after compaction) and which items each client has written (so that no missing dependency can ever enter).
 */
import {
  REBUILD_CLIENT_ID,
  ZERO_TAG,
  type ClientId,
  type Counter,
  type Cursor,
  type Epoch,
  type InspectedUpdate,
  type ItemRange,
  type ReplicaId,
} from '@rejoin/core'

/** A client id with the next clock it may write, and the replica that used it first; null: no replica may. */
export interface ClientMark {
  readonly clock: number
  readonly owner: ReplicaId | null
}

export interface MarksParts {
  readonly epoch: Epoch
  readonly domain: string
  readonly head: { readonly seq: number; readonly tag: string }
  readonly counters: ReadonlyMap<ReplicaId, Counter>
  readonly clients: ReadonlyMap<ClientId, ClientMark>
}

export class Marks {
  readonly epoch: Epoch
  readonly domain: string
  #seq: number
  #tag: string
  readonly #counters: Map<ReplicaId, Counter>
  readonly #clients: Map<ClientId, ClientMark>

  constructor(parts: MarksParts) {
    this.epoch = parts.epoch
    this.domain = parts.domain
    this.#seq = parts.head.seq
    this.#tag = parts.head.tag
    this.#counters = new Map(parts.counters)
    this.#clients = new Map(parts.clients)
  }

  /** Of a namespace whose first record is still to come. */
  static begin(epoch: Epoch, domain: string): Marks {
    return new Marks({
      epoch,
      domain,
      head: { seq: 0, tag: ZERO_TAG },
      counters: new Map(),
      clients: new Map(),
    })
  }

  clone(): Marks {
    return new Marks(this.parts())
  }

  parts(): MarksParts {
    const { epoch, domain } = this
    return {
      epoch,
      domain,
      head: { seq: this.#seq, tag: this.#tag },
      counters: this.#counters,
      clients: this.#clients,
    }
  }

  get head(): Cursor {
    return { epoch: this.epoch, seq: this.#seq, tag: this.#tag }
  }

  /** The replica's high-water mark: its last commit in the log, 0 for none. */
  counterOf(replica: ReplicaId): Counter {
    return this.#counters.get(replica) ?? 0
  }

  client(client: ClientId): ClientMark | null {
    return this.#clients.get(client) ?? null
  }

  /** Whether every item of the range is in the document. */
  knows(range: ItemRange): boolean {
    return range.clock + range.length <= (this.#clients.get(range.client)?.clock ?? 0)
  }

  /**
   * Whether the replica's commits are in the log, but none of its items in this epoch: what it made without a base was
   * made before the document was rebuilt.
   */
  outlived(replica: ReplicaId): boolean {
    if (this.counterOf(replica) === 0 || !this.#clients.has(REBUILD_CLIENT_ID)) return false
    for (const { owner } of this.#clients.values()) if (owner === replica) return false
    return true
  }

  /** Folds one commit in. */
  fold(replica: ReplicaId, counter: Counter, inserted: InspectedUpdate['inserted']): void {
    this.#counters.set(replica, counter)
    if (inserted !== null) {
      this.#clients.set(inserted.client, { clock: inserted.clock + inserted.length, owner: replica })
    }
  }

  /** The record that held the folded commits is at `seq`. */
  moveTo(seq: number, tag: string): void {
    this.#seq = seq
    this.#tag = tag
  }
}
