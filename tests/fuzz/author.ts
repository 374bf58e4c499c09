/** The author's side of a document, without an engine: makes commits as a replica does, and hears of those of others. */
import {
  HlcClock,
  planWrites,
  replicaIdOf,
  type Clock,
  type CrdtDocument,
  type PushedCommit,
  type ReplicaId,
} from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import type { Seeded } from '../support/seeded.ts'
import { shapes, someOp, type ShapesOp } from './shapes.ts'

export class Author {
  readonly replica: ReplicaId
  readonly clientId: number
  readonly doc: CrdtDocument
  readonly #hlc: HlcClock
  readonly #clock: Clock
  counter = 0

  /** Its ids are drawn, so that two hardly ever have the same. */
  constructor(random: Seeded, clock: Clock, base: readonly Uint8Array[] = []) {
    this.replica = replicaIdOf(Uint8Array.from({ length: 16 }, () => random.whole(0, 255)))
    this.clientId = random.whole(1_024, 2 ** 32 - 1)
    this.#clock = clock
    this.doc = yjsCrdt.open(this.clientId, base)
    this.#hlc = new HlcClock(this.replica, this.doc.newestHlc)
  }

  /** What `ops` change, which may be nothing: then it has no bytes. */
  commit(ops: readonly ShapesOp[]): PushedCommit {
    const hlc = this.#hlc.tick(this.#clock.now())
    const update = this.doc.write(planWrites(shapes, ops, this.doc, hlc, 'optional'), hlc)
    const prev = this.counter
    return {
      counter: ++this.counter,
      prev,
      hlc,
      domainVersion: 1,
      ops: [...ops],
      update: update ?? new Uint8Array(0),
    }
  }

  /** A commit of some ops drawn from the seed. */
  someCommit(random: Seeded): PushedCommit {
    return this.commit(Array.from({ length: random.whole(1, 4) }, () => someOp(random)))
  }

  hear(updates: readonly Uint8Array[]): void {
    this.doc.apply(updates)
    if (this.doc.newestHlc !== null) this.#hlc.absorb(this.doc.newestHlc)
  }
}

/** Updates of a history in which a few authors write and hear of each other, in an order in which each can be applied. */
export function someHistory(random: Seeded, clock: Clock, commits: number): readonly Uint8Array[] {
  const authors = [new Author(random, clock), new Author(random, clock), new Author(random, clock)]
  const heard = authors.map(() => 0)
  const log: Uint8Array[] = []
  while (log.length < commits) {
    const at = random.whole(0, authors.length - 1)
    const author = authors[at]
    if (author === undefined) continue
    if (random.chance(0.3)) {
      author.hear(log.slice(heard[at]))
      heard[at] = log.length
    }
    const { update } = author.someCommit(random)
    if (update.length > 0) log.push(update)
  }
  for (const { doc } of authors) doc.destroy()
  return log
}
