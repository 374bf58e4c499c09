/**
 * Decides before anything changes whether a document can place updates whole: Yjs itself would keep what it cannot place
 * and wait in silence, with deletions already done (HAZARDS C1, C2).
 */
import { SyncError, type ClientId } from '@rejoin/core'
import type { ItemId, Run, Section, StateUpdate } from './update-reader.ts'

/**
 * @param clockOf next clock of a client in the document as it is.
 * @throws SyncError UPDATE_UNKNOWN_ITEM
 */
export function checkPlaceable(updates: readonly StateUpdate[], clockOf: (client: ClientId) => number): void {
  const clocks = new Clocks(clockOf)
  for (const [i, { sections, deleted }] of updates.entries()) {
    for (const { client, clock, at } of sections) {
      if (clock > clocks.next(client))
        throw unknownItem('it continues after', { client, clock: clock - 1 }, i, at)
    }
    placeSections(sections, clocks, i)
    for (const { client, clock, length, at } of deleted) {
      const last = { client, clock: clock + length - 1 }
      if (!clocks.holds(last)) throw unknownItem('it deletes', last, i, at)
    }
  }
}

/** Next clock by client, as the updates are placed one after the other. */
class Clocks {
  readonly #clockOf: (client: ClientId) => number
  readonly #next = new Map<ClientId, number>()

  constructor(clockOf: (client: ClientId) => number) {
    this.#clockOf = clockOf
  }

  next(client: ClientId): number {
    let clock = this.#next.get(client)
    if (clock === undefined) this.#next.set(client, (clock = this.#clockOf(client)))
    return clock
  }

  holds({ client, clock }: ItemId): boolean {
    return clock < this.next(client)
  }

  place(client: ClientId, run: Run): void {
    this.#next.set(client, Math.max(this.next(client), run.clock + run.length))
  }
}

interface Place {
  readonly section: Section
  /** Index of the run that is placed next. */
  next: number
  /** Whether a section that is being placed waits for this one. */
  waitedFor: boolean
}

/** Runs of a section in their order; where one follows an item of another section, that one is placed up to it first. */
function placeSections(sections: readonly Section[], clocks: Clocks, update: number): void {
  const places = new Map<ClientId, Place>()
  for (const section of sections) places.set(section.client, { section, next: 0, waitedFor: false })
  for (const start of places.values()) {
    const stack = [start]
    for (let place = stack.at(-1); place !== undefined; place = stack.at(-1)) {
      place.waitedFor = true
      const run = place.section.runs[place.next]
      if (run === undefined) {
        place.waitedFor = false
        stack.pop()
        continue
      }
      if (run.origin === null || clocks.holds(run.origin)) {
        clocks.place(place.section.client, run)
        place.next++
        // Whoever waits for this section looks again; it comes back here where one run was not enough.
        if (stack.length > 1) {
          place.waitedFor = false
          stack.pop()
        }
        continue
      }
      const other = places.get(run.origin.client)
      // One that is waited for waits for this run itself, and one that is done does not hold the item.
      if (other === undefined || other.waitedFor || other.next === other.section.runs.length) {
        throw unknownItem('it builds on', run.origin, update, run.at)
      }
      stack.push(other)
    }
  }
}

function unknownItem(what: string, { client, clock }: ItemId, update: number, at: number): SyncError {
  const path = `updates[${update}]@${at}`
  return new SyncError(
    'UPDATE_UNKNOWN_ITEM',
    `${path}: ${what} item ${clock} of client ${client}, which this document lacks; fetch what was made before it`,
    { path },
  )
}
