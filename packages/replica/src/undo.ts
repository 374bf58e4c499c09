/**
 * The undo history of one run: what this replica's last commits found where they wrote, and what they left there. Undoing
 * gives back what was read before, key by key, wherever the document still holds exactly what the commit left; a key that
 * anybody else wrote since is left alone. What undoes a commit is a commit itself, so it can be redone the same way.
 */
import {
  assert,
  findPlace,
  limits,
  readRegister,
  sameValue,
  utf8Length,
  type AnyDomain,
  type Counter,
  type Hlc,
  type KeyParts,
  type Register,
  type RegisterWrite,
  type Registers,
  type Value,
  type Write,
} from '@rejoin/core'
import { registerName } from './changes.ts'
import { jsonOf } from './resolution.ts'

/** What one commit did. */
export interface UndoStep {
  readonly counter: Counter
  readonly writes: readonly Written[]
}

interface Written {
  readonly table: string
  readonly key: KeyParts
  readonly before: Register
  readonly left: Left
}

/** What a register holds that one commit alone decided: the stamp of its one entry, or nothing. */
type Left = Hlc | null

export type UndoWay = 'undo' | 'redo'

const opposite: Readonly<Record<UndoWay, UndoWay>> = { undo: 'redo', redo: 'undo' }

/** What a commit of these writes is going to do to a document. */
export function undoStep(
  counter: Counter,
  hlc: Hlc,
  writes: readonly Write[],
  registers: Registers,
): UndoStep {
  return {
    counter,
    writes: writes.map(({ kind, table, key }) => {
      return { table, key, before: registers.read(table, key), left: kind === 'set' ? hlc : null }
    }),
  }
}

/** What an entry takes beside table, key and value, at most. */
const ENTRY_BYTES = 64

export class UndoHistory {
  /** Oldest first. */
  readonly #steps: Record<UndoWay, UndoStep[]> = { undo: [], redo: [] }

  /** A commit of the app: what was undone before it cannot be redone any more. */
  add(step: UndoStep): void {
    this.#steps.redo = []
    this.#push('undo', step)
  }

  /** What the next one to undo or to redo restores, as the entries of an op; null where there is nothing. */
  next(way: UndoWay, domain: AnyDomain, registers: Registers): readonly RegisterWrite[] | null {
    const steps = this.#steps[way]
    for (let step = steps.at(-1); step !== undefined; step = steps.at(-1)) {
      const entries = [...restoredBy(step, domain, registers)]
      if (entries.length > 0) return entries
      // Others have written all that is left of it.
      steps.pop()
    }
    return null
  }

  has(way: UndoWay, domain: AnyDomain, registers: Registers): boolean {
    const hasSomething = (step: UndoStep) => restoredBy(step, domain, registers).next().done !== true
    return this.#steps[way].findLast(hasSomething) !== undefined
  }

  /** What `next` told was carried out by this commit. */
  turn(way: UndoWay, made: UndoStep): void {
    const turned = this.#steps[way].pop()
    assert(turned !== undefined, 'what is undone or redone was in the history')
    this.#push(opposite[way], made)
    this.#retarget(turned, made)
  }

  /** A commit was refused or withdrawn: what it found is what the next commit there has found. */
  forget(counter: Counter): void {
    const gone = this.#all().find((step) => step.counter === counter)
    if (gone === undefined) return
    for (const way of ['undo', 'redo'] as const) {
      this.#steps[way] = this.#steps[way].filter((step) => step !== gone)
    }
    const later = this.#all().filter((step) => step.counter > counter)
    later.sort((a, b) => a.counter - b.counter)
    const lost = new Map(gone.writes.map((write) => [registerName(write.table, write.key), write]))
    for (const step of later) {
      this.#rewrite(step, (write) => {
        const name = registerName(write.table, write.key)
        const found = lost.get(name)
        lost.delete(name)
        if (found === undefined || leftIn(write.before) !== found.left) return write
        return { ...write, before: found.before }
      })
    }
  }

  /**
   * A register that was restored holds what an earlier commit had left there, under a new stamp: that commit is to know it
   * as its own.
   */
  #retarget(turned: UndoStep, made: UndoStep): void {
    const before = new Map(turned.writes.map((write) => [registerName(write.table, write.key), write.before]))
    const stamps = new Map<string, { readonly old: Hlc; readonly now: Left }>()
    for (const { table, key, left } of made.writes) {
      const name = registerName(table, key)
      const old = leftIn(before.get(name) ?? [])
      if (typeof old === 'string') stamps.set(name, { old, now: left })
    }
    for (const step of this.#all()) {
      this.#rewrite(step, (write) => {
        const stamp = stamps.get(registerName(write.table, write.key))
        return stamp !== undefined && write.left === stamp.old ? { ...write, left: stamp.now } : write
      })
    }
  }

  #all(): readonly UndoStep[] {
    return [...this.#steps.undo, ...this.#steps.redo]
  }

  #rewrite(step: UndoStep, change: (write: Written) => Written): void {
    const writes = step.writes.map(change)
    if (writes.every((write, i) => write === step.writes[i])) return
    for (const steps of [this.#steps.undo, this.#steps.redo]) {
      const at = steps.indexOf(step)
      if (at >= 0) steps[at] = { ...step, writes }
    }
  }

  /**
   * At the bound the oldest can no longer be undone. What no one commit could give back ends the history: to go on behind
   * it would undo something else than the last thing done.
   */
  #push(way: UndoWay, step: UndoStep): void {
    if (isTooLarge(step)) {
      this.#steps[way] = []
      return
    }
    const steps = this.#steps[way]
    steps.push(step)
    let writes = steps.reduce((sum, each) => sum + each.writes.length, 0)
    while (steps.length > limits.undoCommitsMax || writes > limits.undoWritesMax) {
      writes -= steps.shift()?.writes.length ?? 0
    }
  }
}

/** A commit that gives it all back would say every value twice: in its op and in its update. */
function isTooLarge({ writes }: UndoStep): boolean {
  if (writes.length > limits.updateEntriesMax) return true
  let bytes = 0
  for (const { table, key, before } of writes) {
    bytes += ENTRY_BYTES + table.length + utf8Length(JSON.stringify([key, before[0]?.value ?? null]))
    if (2 * bytes > limits.commitBytesMax) return true
  }
  return false
}

/** The entries that give back what a commit found, where the document holds what it left and that reads differently. */
function* restoredBy(step: UndoStep, domain: AnyDomain, registers: Registers): Generator<RegisterWrite> {
  for (const { table, key, before, left } of step.writes) {
    const now = registers.read(table, key)
    if (leftIn(now) !== left) continue
    const was = valueOf(domain, table, key, before)
    const is = valueOf(domain, table, key, now)
    if (was === undefined ? is === undefined : is !== undefined && sameValue(was, is)) continue
    yield was === undefined ? { table, key: [...key] } : { table, key: [...key], value: jsonOf(was) }
  }
}

/** Undefined where several commits had a part in it. */
function leftIn(register: Register): Left | undefined {
  const [only] = register
  return only === undefined ? null : register.length === 1 ? only.hlc : undefined
}

function valueOf(domain: AnyDomain, table: string, key: KeyParts, register: Register): Value | undefined {
  const layout = domain.layouts.get(table)
  const place = layout === undefined ? null : findPlace(layout, key)
  return place === null ? undefined : readRegister(place.layout, place.field, register)
}
