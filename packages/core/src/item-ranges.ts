/** Ranges of items, e.g. those that a document has deleted, to be asked for many others: each costs a search, however many there are. */
import type { ClientId, ItemRange } from './ports/crdt.ts'

export class ItemRanges {
  /** In rising order of clock, never touching. */
  readonly #ranges = new Map<ClientId, ItemRange[]>()

  /** @param ranges in rising order of clock for each client, never touching, as updates have them. */
  constructor(ranges: readonly ItemRange[]) {
    for (const range of ranges) {
      const of = this.#ranges.get(range.client)
      if (of === undefined) this.#ranges.set(range.client, [range])
      else of.push(range)
    }
  }

  cover({ client, clock, length }: ItemRange): boolean {
    const ranges = this.#ranges.get(client) ?? []
    let [from, to] = [0, ranges.length]
    // The last one that does not start behind it.
    while (from < to) {
      const middle = (from + to) >> 1
      if ((ranges[middle]?.clock ?? Infinity) <= clock) from = middle + 1
      else to = middle
    }
    const range = ranges[from - 1]
    return range !== undefined && clock + length <= range.clock + range.length
  }
}
