/**
 * Which items of a document are deleted: a table that grows with what is logged. A plain Yjs client tells all deletions that
 * it knows with every greeting, and a state vector does not say which of them are news.
 */
import { type ClientId, type ItemRange } from '@rejoin/core'

/** From a clock up to but without another. */
interface Span {
  from: number
  to: number
}

export class DeletedItems {
  /** In rising order, never touching. */
  readonly #spans = new Map<ClientId, Span[]>()

  add(ranges: readonly ItemRange[]): void {
    for (const { client, clock, length } of ranges) this.#add(client, clock, clock + length)
  }

  /** What of these is not in it, in the same order. */
  missing(ranges: readonly ItemRange[]): readonly ItemRange[] {
    return ranges.flatMap(({ client, clock, length }) => {
      const spans = this.#spans.get(client) ?? []
      const missing: ItemRange[] = []
      let from = clock
      const end = clock + length
      for (let i = firstEndingBehind(spans, clock); from < end; i++) {
        const span = spans[i]
        const to = Math.min(span?.from ?? end, end)
        if (to > from) missing.push({ client, clock: from, length: to - from })
        if (span === undefined) break
        from = Math.max(from, span.to)
      }
      return missing
    })
  }

  #add(client: ClientId, from: number, to: number): void {
    let spans = this.#spans.get(client)
    if (spans === undefined) this.#spans.set(client, (spans = []))
    // Those that touch it become one with it.
    const start = firstEndingBehind(spans, from - 1)
    let end = start
    const joined = { from, to }
    for (let span = spans[end]; span !== undefined && span.from <= to; span = spans[++end]) {
      joined.from = Math.min(joined.from, span.from)
      joined.to = Math.max(joined.to, span.to)
    }
    spans.splice(start, end - start, joined)
  }
}

/** Index of the first span that ends behind `clock`. */
function firstEndingBehind(spans: readonly Span[], clock: number): number {
  let [low, high] = [0, spans.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((spans[middle]?.to ?? Infinity) > clock) high = middle
    else low = middle + 1
  }
  return low
}
