// What must be true of every undo and redo, whatever happened before.
import assert from 'node:assert/strict'
import { allEntries, authorOf, parseHlc, type Registers } from '@rejoin/core'
import type { Replica } from '@rejoin/replica'
import { seenBy } from './hubbed.ts'
import type { Todo, TodoOp } from './support.ts'

/** Every register with its entries, as text: what is there, whether readers see it or not. */
type Dump = ReadonlyMap<string, readonly string[]>

function dumpOf(registers: Registers): Dump {
  const found = new Map<string, string[]>()
  for (const { table, key, value, hlc } of allEntries(registers)) {
    const name = JSON.stringify([table, key])
    found.set(name, [...(found.get(name) ?? []), JSON.stringify([value, hlc])])
  }
  return found
}

const valueIn = (entries: readonly string[] | undefined): unknown =>
  entries === undefined ? undefined : (JSON.parse(entries[0] ?? '[]') as unknown[])[0]
const authorIn = (entry: string): string => parseHlc((JSON.parse(entry) as [unknown, string])[1]).author
const namesIn = (...dumps: readonly Dump[]): Set<string> => new Set(dumps.flatMap((dump) => [...dump.keys()]))
const differ = (a: Dump, b: Dump) => (name: string) => String(a.get(name)) !== String(b.get(name))

/** Everything that was seen, and where among it we are. */
export class Walk {
  readonly #replica: Replica<Todo>
  #seen: object[]
  #at = 0

  constructor(replica: Replica<Todo>) {
    this.#replica = replica
    this.#seen = [seenBy(replica)]
  }

  step(step: 'undo' | 'redo' | readonly TodoOp[]): void {
    const replica = this.#replica
    assert.deepEqual([replica.canUndo, replica.canRedo], [this.#at > 0, this.#at < this.#seen.length - 1])
    if (step === 'undo') {
      replica.undo()
      this.#at = Math.max(0, this.#at - 1)
    } else if (step === 'redo') {
      replica.redo()
      this.#at = Math.min(this.#seen.length - 1, this.#at + 1)
    } else if (isApplied(replica, step)) {
      this.#seen = [...this.#seen.slice(0, ++this.#at), seenBy(replica)]
    }
    assert.deepEqual(seenBy(replica), this.#seen[this.#at])
  }
}

/** Whether it became a commit. */
function isApplied(replica: Replica<Todo>, ops: readonly TodoOp[]): boolean {
  try {
    return replica.apply(ops).kind === 'commit'
  } catch {
    // Its parent is not there.
    return false
  }
}

/** A replica whose every undo and redo is checked. */
export class Watched {
  readonly replica: Replica<Todo>
  readonly reached: Reached
  /** The last commit, while nothing was undone since: everything before and after it. */
  #last: { readonly before: Dump; readonly after: Dump } | null = null

  constructor(replica: Replica<Todo>, reached: Reached) {
    this.replica = replica
    this.reached = reached
  }

  apply(ops: readonly TodoOp[]): void {
    const before = dumpOf(this.replica.registers)
    if (isApplied(this.replica, ops)) this.#last = { before, after: dumpOf(this.replica.registers) }
  }

  turn(way: 'undo' | 'redo'): void {
    const { replica } = this
    const was = dumpOf(replica.registers)
    const can = way === 'undo' ? replica.canUndo : replica.canRedo
    assert.deepEqual(replica[way]().kind, can ? 'commit' : 'unchanged')
    const is = dumpOf(replica.registers)
    const authors = [...namesIn(was, is)]
      .filter(differ(was, is))
      .flatMap((name) => (was.get(name) ?? []).map(authorIn))
    assert.deepEqual(
      authors.filter((author) => author !== authorOf(replica.id)),
      [],
    )
    if (way === 'undo') this.#checkLast(was, is)
    this.#last = null
  }

  backAndForth(): void {
    if (!this.replica.canUndo) return
    const seen = seenBy(this.replica)
    this.turn('undo')
    assert.deepEqual(this.replica.canRedo, true)
    this.turn('redo')
    assert.deepEqual(seenBy(this.replica), seen)
    this.reached.identity++
  }

  /** What still stands as the last commit left it reads as before that; everything else is as it was. */
  #checkLast(was: Dump, is: Dump): void {
    if (this.#last === null) return
    const { before, after } = this.#last
    const written = [...namesIn(before, after)].filter(differ(before, after))
    const ours = written.filter((name) => {
      const [old, now] = [valueIn(before.get(name)), valueIn(after.get(name))]
      return !differ(was, after)(name) && JSON.stringify(old) !== JSON.stringify(now)
    })
    // Nothing is left of it: an earlier one is undone.
    if (ours.length === 0) return
    this.reached[ours.length === written.length ? 'whole' : 'partly']++
    for (const name of namesIn(was, is, before)) {
      if (ours.includes(name)) assert.deepEqual(valueIn(is.get(name)), valueIn(before.get(name)))
      else assert.deepEqual(is.get(name), was.get(name))
    }
  }
}

/** How often the stories came to what they are told for. */
export interface Reached {
  whole: number
  partly: number
  identity: number
}
