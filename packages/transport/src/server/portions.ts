/**
 * Much that comes at once, done in portions: so many in one turn of the loop, the rest in the turns after it, in order. What
 * others have sent meanwhile is read in between.
 */
export interface PortionsOptions {
  readonly perTurn: number
  /** What may wait for later turns. */
  readonly waitingMax: number
  /** Calls once the loop has looked at everybody. */
  readonly nextTurn: (act: () => void) => void
}

export class Portions {
  readonly #options: PortionsOptions
  #left: number
  #isCounting = false
  #waiting: (() => void)[] = []

  constructor(options: PortionsOptions) {
    this.#options = options
    this.#left = options.perTurn
  }

  /** Acts in this turn or in a later one; false where too much waits, and then never. */
  take(act: () => void): boolean {
    if (this.#left === 0 && this.#waiting.length >= this.#options.waitingMax) return false
    if (this.#left > 0) this.#act(act)
    else this.#waiting.push(act)
    return true
  }

  #act(act: () => void): void {
    this.#left--
    if (!this.#isCounting) {
      this.#isCounting = true
      this.#options.nextTurn(() => this.#begin())
    }
    act()
  }

  #begin(): void {
    this.#isCounting = false
    this.#left = this.#options.perTurn
    for (const act of this.#waiting.splice(0, this.#left)) this.#act(act)
  }
}
