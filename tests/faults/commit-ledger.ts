/**
 * What the writers were told, kept outside of the process that is killed, and held against what is there afterwards
 * (invariants 3, 4 and 5): nothing acknowledged or saved is missing, and nothing is there twice.
 */
import { commitName } from '@rejoin/core'
import type { ReadCommit } from '@rejoin/hub'

export interface LedgerCounts {
  readonly saved: number
  readonly acked: number
}

export class CommitLedger {
  /** Phrase by commit. */
  readonly #saved = new Map<string, string>()
  readonly #acked = new Set<string>()
  /** The seq at which each commit was ever seen in the log. */
  readonly #logged = new Map<string, number>()

  save(commit: string, phrase: string): void {
    this.#saved.set(commit, phrase)
  }

  ack(commit: string): void {
    this.#acked.add(commit)
  }

  /** Takes a line of `processes/replica.ts`. */
  hear(line: string): void {
    const [word, commit = '', ...phrase] = line.split(' ')
    if (word === 'saved') this.save(commit, phrase.join(' '))
    if (word === 'acked') this.ack(commit)
  }

  get counts(): LedgerCounts {
    return { saved: this.#saved.size, acked: this.#acked.size }
  }

  /** Takes note of the log as far as it is retained. */
  async readLog(log: AsyncIterable<Pick<ReadCommit, 'id' | 'seq'>>): Promise<void> {
    for await (const { id, seq } of log) {
      const name = commitName(id)
      const before = this.#logged.get(name)
      if (before !== undefined && before !== seq) {
        throw new Error(`commit ${name} is in the log twice: at ${before} and at ${seq}`)
      }
      this.#logged.set(name, seq)
    }
  }

  /** @param floor seq up to which the log was trimmed: what was acknowledged below it only the content can show. */
  checkAckedLogged(floor: number): void {
    const missing = [...this.#acked].filter((name) => !this.#logged.has(name))
    if (missing.length > 0 && floor === 0) {
      throw new Error(
        `${missing.length} acknowledged commits are not in the log: ${missing.slice(0, 5).join(', ')}`,
      )
    }
  }

  /** @param phrases of a replica that has caught up. @param which all saved commits, or only those acknowledged. */
  checkReadable(phrases: ReadonlySet<string>, which: 'saved' | 'acked'): void {
    const missing = [...this.#saved].filter(
      ([name, phrase]) => (which === 'saved' || this.#acked.has(name)) && !phrases.has(phrase),
    )
    if (missing.length === 0) return
    throw new Error(
      `${missing.length} ${which} commits are not in the content: ${missing
        .slice(0, 5)
        .map(([name]) => name)
        .join(', ')}`,
    )
  }
}
