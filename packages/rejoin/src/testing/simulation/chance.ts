/** Chance from one number: equal seeds draw equally, on every machine (invariant 15). */

export class Chance {
  #state: number

  /** @param seed any whole number. */
  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** Draws from here on what `seed` says. */
  reseed(seed: number): void {
    this.#state = seed >>> 0
  }

  /** SplitMix32: full period, no state but one number. */
  uint32(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return (mixed ^ (mixed >>> 15)) >>> 0
  }

  /** From 0 up to but without `count`. */
  below(count: number): number {
    return Math.floor((this.uint32() / 2 ** 32) * count)
  }

  /** Both possible. */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1)
  }

  isIn(percent: number): boolean {
    return this.below(100) < percent
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[this.below(choices.length)]
    if (choice === undefined) throw new Error('there is nothing to pick from')
    return choice
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.uint32() >>> 24)
  }
}
