/** Every commit that a replica accepted, by its full name: what it did to its author's document, and what became of it. */
import type { AcceptedCommit, EntryLine } from '@rejoin/testkit'

type Accepted = { -readonly [Field in keyof AcceptedCommit]: AcceptedCommit[Field] }

export class AcceptedBook {
  readonly #commits = new Map<string, Accepted>()
  /** Those that their author wants to take back, and has not been told whether he could. */
  readonly #withdrawing = new Set<string>()

  get size(): number {
    return this.#commits.size
  }

  get all(): Iterable<AcceptedCommit> {
    return this.#commits.values()
  }

  get(name: string): AcceptedCommit | undefined {
    return this.#commits.get(name)
  }

  add(
    name: string,
    author: number,
    effect: {
      readonly before: readonly EntryLine[]
      readonly sets: readonly EntryLine[]
      readonly removes: readonly EntryLine[]
    },
  ): void {
    this.#commits.set(name, { name, author, ...effect, saved: false, acked: false, fate: 'open' })
  }

  noteSaved(name: string): void {
    const commit = this.#commits.get(name)
    if (commit !== undefined) commit.saved = true
  }

  noteAcked(name: string): void {
    const commit = this.#commits.get(name)
    if (commit !== undefined) commit.acked = true
  }

  beginWithdrawal(name: string): void {
    this.#withdrawing.add(name)
  }

  endWithdrawal(name: string): void {
    this.#withdrawing.delete(name)
  }

  close(name: string, fate: 'rejected' | 'withdrawn'): void {
    const commit = this.#commits.get(name)
    if (commit !== undefined) commit.fate = fate
  }

  /**
   * A replica has started again: what its store does not have, and the log neither, was never accepted; what its outbox has is
   * neither refused nor withdrawn.
   * @param isKept of those of this author.
   * @param lostSaved whether the store lost what it had.
   */
  recall(
    author: number,
    outbox: ReadonlySet<string>,
    isKept: (name: string) => boolean,
    lostSaved: boolean,
  ): void {
    for (const commit of this.#commits.values()) {
      if (commit.author !== author) continue
      if (outbox.has(commit.name)) commit.fate = 'open'
      if (outbox.has(commit.name) || isKept(commit.name)) commit.saved = true
      // A withdrawal was under way, and has been recorded.
      else if (this.#withdrawing.has(commit.name)) commit.fate = 'withdrawn'
      // A copy of the folder may have it still.
      else if (lostSaved) commit.saved = false
      else if (!commit.saved) this.#commits.delete(commit.name)
    }
  }
}
