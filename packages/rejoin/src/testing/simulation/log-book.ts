/**
 * The whole log of one namespace, as records were appended: also what was trimmed since, and the names of what was lost. What
 * a store may have forgotten is known here.
 */
import { commitName, entryLine, type HubStore, type Namespace, type Seq } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { loggedCommits, readLog } from '@rejoin/hub'
import type { EntryLine } from '@rejoin/testkit'

interface Kept {
  readonly seq: Seq
  readonly prev: Seq
  readonly body: Uint8Array
  readonly names: readonly string[]
}

/** A commit of the log, under its full name (`commitName`). */
export interface BookedCommit {
  readonly name: string
  readonly sets: readonly EntryLine[]
}

export class LogBook {
  readonly namespace: Namespace
  #records: Kept[] = []
  readonly #seqs = new Map<string, Seq>()
  readonly #lost = new Set<string>()
  readonly #twice: string[] = []
  commits = 0
  isRemoved = false

  constructor(namespace: Namespace) {
    this.namespace = namespace
  }

  get head(): Seq {
    return this.#records.at(-1)?.seq ?? 0
  }

  get hasLost(): boolean {
    return this.#lost.size > 0
  }

  has(name: string): boolean {
    return this.#seqs.has(name)
  }

  seqOf(name: string): Seq | null {
    return this.#seqs.get(name) ?? null
  }

  /** It was in a log that was lost, and is not in this one. */
  wasLost(name: string): boolean {
    return this.#lost.has(name) && !this.#seqs.has(name)
  }

  /** Also those that came again. */
  get everLost(): readonly string[] {
    return [...this.#lost]
  }

  /** Commits that were appended while they were in the log; told once. */
  takeTwice(): readonly string[] {
    return this.#twice.splice(0)
  }

  append(seq: Seq, prev: Seq, body: Uint8Array): readonly string[] {
    const names = loggedCommits(body, `record ${seq}`)
    for (const name of names) {
      this.commits++
      if (this.#seqs.has(name)) this.#twice.push(name)
      this.#seqs.set(name, seq)
    }
    this.#records.push({ seq, prev, body, names })
    return names
  }

  /** What was after `head` is lost. */
  lose(head: Seq): void {
    const lost = this.#records.filter(({ seq }) => seq > head)
    this.#records = this.#records.filter(({ seq }) => seq <= head)
    for (const { names } of lost) {
      for (const name of names) {
        this.#seqs.delete(name)
        this.#lost.add(name)
      }
    }
  }

  /** Every commit, decoded, with the chain of records checked from the first on. @throws SyncError STORE_CORRUPT */
  async read(): Promise<readonly BookedCommit[]> {
    const commits: BookedCommit[] = []
    if (this.#records.length === 0) return commits
    for await (const { id, update } of readLog(this.#asStore(), this.namespace)) {
      const entries = update.length === 0 ? [] : yjsCrdt.updates.inspect(update).entries
      commits.push({ name: commitName(id), sets: entries.map(entryLine) })
    }
    return commits
  }

  #asStore(): HubStore {
    const reads: Pick<HubStore, 'heads' | 'readTail'> = {
      heads: () => Promise.resolve(new Map([[this.namespace, { floor: 0, head: this.head }]])),
      readTail: (_, after, { records: limit }) => {
        const left = this.#records.filter(({ seq }) => seq > after)
        return Promise.resolve({
          kind: 'records' as const,
          records: left.slice(0, limit),
          more: left.length > limit,
        })
      },
    }
    // Nothing else of it is used for reading.
    return reads as HubStore
  }
}
