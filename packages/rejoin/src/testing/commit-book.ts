/** Every commit that a replica of the world accepted: what it did, and what became of it. */
import type { AcceptedCommit, CommitName, EntryLine } from '@rejoin/testkit'

type Record = { -readonly [Field in keyof AcceptedCommit]: AcceptedCommit[Field] }

export class CommitBook {
  /** By name, in the order of acceptance. */
  readonly #records = new Map<CommitName, Record>()

  get accepted(): readonly AcceptedCommit[] {
    return [...this.#records.values()]
  }

  get acked(): readonly CommitName[] {
    return this.accepted.filter(({ acked }) => acked).map(({ name }) => name)
  }

  /** What the commits of a kind have set. */
  linesOf(isOfKind: (name: CommitName, fate: AcceptedCommit['fate']) => boolean): readonly EntryLine[] {
    return this.accepted.filter(({ name, fate }) => isOfKind(name, fate)).flatMap(({ sets }) => sets)
  }

  add(
    name: CommitName,
    author: number,
    effect: Pick<AcceptedCommit, 'before' | 'sets' | 'removes'>,
  ): { readonly saved: () => void; readonly acked: () => void } {
    const record: Record = { name, author, ...effect, saved: false, acked: false, fate: 'open' }
    this.#records.set(name, record)
    return { saved: () => (record.saved = true), acked: () => (record.acked = true) }
  }

  /** The hub refused it, or its author withdrew it. */
  close(name: CommitName, fate: 'rejected' | 'withdrawn'): void {
    const record = this.#records.get(name)
    if (record !== undefined) record.fate = fate
  }

  /**
   * After a crash of `author`: what was not recorded was never accepted, refused or withdrawn; its name may be free again.
   * @param outbox commits that it still wants to send.
   * @param kept those, the refused ones that it has, and what is in the log.
   */
  recall(author: number, outbox: ReadonlySet<CommitName>, kept: ReadonlySet<CommitName>): void {
    for (const record of this.#records.values()) {
      if (record.author !== author) continue
      if (outbox.has(record.name)) record.fate = 'open'
      if (kept.has(record.name)) record.saved = true
      else if (!record.saved) this.#records.delete(record.name)
    }
  }
}
