/** In which order messages of different connections arrive, drawn from a number that a story holds. */

/** One of `count`, the oldest first. */
export type Pick = (count: number) => number

export const oldestFirst: Pick = () => 0

/** `order` 0: oldest first. Mulberry32, so that equal numbers mean equal orders. */
export function pickBy(order: number): Pick {
  if (order === 0) return oldestFirst
  let state = order >>> 0
  return (count) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % count
  }
}
