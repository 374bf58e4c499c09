/** What a replica of the world writes: ops, choices, undoing, and what becomes of commits that were refused. */
import { canonicalJson, SyncError, type AnyDomain, type AnyOp, type CommitId } from '@rejoin/core'
import type { Receipt, Resolution } from '@rejoin/replica'
import type { Attempt, CommitName, LocalOutcome, Refusal, Step, StepOutcome, Tried } from '@rejoin/testkit'
import { chooseOps, unexplainedIn } from './candidates.ts'
import type { CommitBook } from './commit-book.ts'
import type { Member } from './member.ts'
import { writeTo } from './writing.ts'

export class Author {
  readonly #domain: AnyDomain
  readonly #member: Member
  readonly #book: CommitBook

  constructor(domain: AnyDomain, member: Member, book: CommitBook) {
    this.#domain = domain
    this.#member = member
    this.#book = book
  }

  apply({ ops, others = [] }: Step & { kind: 'apply' }): Tried {
    const first = this.#attempt(ops)
    if (first.outcome.kind === 'commit') return { kind: 'tried', attempts: [first], misfits: [] }
    const { replica } = this.#member
    const choice = chooseOps(this.#domain, replica.registers, ops, others, ops.length)
    const isSame = choice.ops.length === ops.length && choice.ops.every((op, i) => op === ops[i])
    if (choice.ops.length === 0 || isSame) {
      const misfits = [
        ...choice.misfits,
        ...choice.ops.map(({ type }) => ({ type, refusal: refusalIn(first) })),
      ]
      return { kind: 'tried', attempts: [first], misfits }
    }
    const second = this.#attempt(choice.ops)
    const refused = second.outcome.kind === 'commit' ? [] : choice.ops
    const misfits = [...choice.misfits, ...refused.map(({ type }) => ({ type, refusal: refusalIn(second) }))]
    return { kind: 'tried', attempts: [first, second], misfits }
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
    const { table, key, field } = conflict
    const where = `${table} ${JSON.stringify(key)}${field === null ? '' : ` ${field}`}`
    const way = resolution.kind === 'choose' ? `to ${canonicalJson(resolution.value)}` : resolution.kind
    const outcome = this.#write(() => replica.resolve(conflict, resolution), false)
    return { kind: 'picked', what: `${where} ${way}`, outcome }
  }

  turnBack(way: 'undo' | 'redo'): StepOutcome {
    return this.#write(() => this.#member.replica[way](), false)
  }

  discard(pick: number): StepOutcome {
    const rejected = nth(this.#member.replica.rejected, pick)
    if (rejected === undefined) return done('there was none')
    // A disk that fails says so to whoever waits for it; the commit is forgotten in any case.
    this.#member.replica.discard(rejected.commit.id.counter).catch(() => {})
    return done(this.#nameOf(rejected.commit.id))
  }

  resubmit(pick: number): StepOutcome {
    const { replica } = this.#member
    const rejected = nth(replica.rejected, pick)
    if (rejected === undefined) return done('there was none')
    const outcome = this.#write(() => replica.resubmit(rejected.commit.id.counter), false)
    return { kind: 'picked', what: this.#nameOf(rejected.commit.id), outcome }
  }

  /** @param turn lets everybody work. */
  async withdraw(pick: number, turn: () => Promise<void>): Promise<StepOutcome> {
    const { replica } = this.#member
    const commit = nth(replica.outbox, pick)
    if (commit === undefined) return done('there was none')
    const { counter } = commit.id
    const name = this.#nameOf(commit.id)
    let note = 'is being withdrawn'
    const end = (told: string): void => {
      note = told
      // Where the disk fails it is withdrawn all the same, and saved later.
      const isGone = replica.outbox.every(({ id }) => id.counter !== counter)
      if (isGone && told !== 'INPUT_INVALID') this.#book.close(name, 'withdrawn')
    }
    replica.withdraw(counter).then(
      () => end('is withdrawn'),
      (error: unknown) => end(codeOf(error)),
    )
    await turn()
    return done(`commit ${name} ${note}`)
  }

  /** Takes note of what the hub has refused. */
  noteRefused(): void {
    if (!this.#member.isOpen) return
    for (const { commit } of this.#member.replica.rejected)
      this.#book.close(this.#nameOf(commit.id), 'rejected')
  }

  #attempt(ops: readonly AnyOp[]): Attempt {
    const { replica } = this.#member
    // Ops come from arbitraries of this very domain; `apply` checks them in any case.
    const outcome = this.#write(() => replica.apply(ops as never), ops.length === 1)
    const isRefused = outcome.kind === 'refused' || (outcome.kind === 'commit' && outcome.again === 'refused')
    const unexplained = isRefused ? unexplainedIn(this.#domain, replica.registers, ops) : null
    return { ops, outcome, unexplained }
  }

  #nameOf({ counter }: CommitId): CommitName {
    return `${this.#member.index}:${counter}`
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

function refusalIn({ outcome }: Attempt): Refusal | null {
  return outcome.kind === 'refused' ? outcome.refusal : null
}

/** Counts round and round. */
function nth<T>(items: readonly T[], pick: number): T | undefined {
  return items[pick % Math.max(1, items.length)]
}
