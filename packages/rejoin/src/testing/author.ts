/** What a replica of the world writes: ops, choices, undoing, and what becomes of commits that were refused. */
import { SyncError } from '@rejoin/core'
import type { Receipt, Resolution } from '@rejoin/replica'
import type { CommitName, LocalOutcome, Step, StepOutcome } from '@rejoin/testkit'
import type { CommitBook } from './commit-book.ts'
import type { Member } from './member.ts'
import { writeTo } from './writing.ts'

export class Author {
  readonly #member: Member
  readonly #book: CommitBook

  constructor(member: Member, book: CommitBook) {
    this.#member = member
    this.#book = book
  }

  apply({ ops }: Step & { kind: 'apply' }): LocalOutcome {
    // Ops come from arbitraries of this very domain; `apply` checks them in any case.
    return this.#write(() => this.#member.replica.apply(ops as never), ops.length === 1)
  }

  resolve({ pick, choice }: Step & { kind: 'resolve' }): StepOutcome {
    const { replica } = this.#member
    const conflict = nth(replica.conflicts(), pick)
    if (conflict === undefined) return done('there was none')
    const orphan = choice % 2 === 0 ? 'restore' : 'drop'
    const resolution: Resolution =
      conflict.kind === 'concurrent'
        ? { kind: 'choose', value: nth(conflict.choices, choice)?.value ?? null }
        : { kind: orphan }
    return this.#write(() => replica.resolve(conflict, resolution), false)
  }

  turnBack(way: 'undo' | 'redo'): StepOutcome {
    return this.#write(() => this.#member.replica[way](), false)
  }

  discard(pick: number): StepOutcome {
    const rejected = nth(this.#member.replica.rejected, pick)
    if (rejected === undefined) return done('there was none')
    // A disk that fails says so to whoever waits for it; the commit is forgotten in any case.
    this.#member.replica.discard(rejected.commit.id.counter).catch(() => {})
    return done()
  }

  resubmit(pick: number): StepOutcome {
    const { replica } = this.#member
    const rejected = nth(replica.rejected, pick)
    if (rejected === undefined) return done('there was none')
    return this.#write(() => replica.resubmit(rejected.commit.id.counter), false)
  }

  /** @param turn lets everybody work. */
  async withdraw(pick: number, turn: () => Promise<void>): Promise<StepOutcome> {
    const { index, replica } = this.#member
    const commit = nth(replica.outbox, pick)
    if (commit === undefined) return done('there was none')
    const { counter } = commit.id
    let note = 'still waiting'
    const end = (told: string): void => {
      note = told
      // Where the disk fails it is withdrawn all the same, and saved later.
      const isGone = replica.outbox.every(({ id }) => id.counter !== counter)
      if (isGone && told !== 'INPUT_INVALID') this.#book.close(`${index}:${counter}`, 'withdrawn')
    }
    replica.withdraw(counter).then(
      () => end(''),
      (error: unknown) => end(codeOf(error)),
    )
    await turn()
    return done(note)
  }

  /** Takes note of what the hub has refused. */
  noteRefused(): void {
    if (!this.#member.isOpen) return
    const { index, replica } = this.#member
    for (const { commit } of replica.rejected) this.#book.close(`${index}:${commit.id.counter}`, 'rejected')
  }

  #write(act: () => Receipt, repeatable: boolean): LocalOutcome {
    const { index, replica } = this.#member
    return writeTo(replica, act, repeatable, ({ id, saved, acked }, effect) => {
      const name: CommitName = `${index}:${id.counter}`
      const record = this.#book.add(name, index, effect)
      saved.then(record.saved, () => {})
      acked.then(record.acked, () => {})
      return name
    })
  }
}

export function done(note = ''): StepOutcome {
  return { kind: 'done', note }
}

export function codeOf(error: unknown): string {
  return error instanceof SyncError ? error.code : String(error)
}

/** Counts round and round. */
function nth<T>(items: readonly T[], pick: number): T | undefined {
  return items[pick % Math.max(1, items.length)]
}
