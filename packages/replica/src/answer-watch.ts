/** Waits for answers, but not for ever: `late` is called where one is due for `limits.answerMsMax` and none came. */
import { limits, type Clock } from '@rejoin/core'

export class AnswerWatch {
  readonly #clock: Clock
  readonly #over: AbortSignal
  readonly #isDue: () => boolean
  readonly #late: () => void
  #answers = 0
  #watching = false

  constructor(clock: Clock, over: AbortSignal, isDue: () => boolean, late: () => void) {
    this.#clock = clock
    this.#over = over
    this.#isDue = isDue
    this.#late = late
  }

  /** An answer, or a part of one, has come. */
  heard(): void {
    this.#answers++
  }

  /** Call whenever an answer may have become due. */
  look(): void {
    if (this.#watching || this.#over.aborted || !this.#isDue()) return
    this.#watching = true
    const answers = this.#answers
    void this.#clock.sleep(limits.answerMsMax, this.#over).then(() => {
      this.#watching = false
      if (this.#over.aborted) return
      if (this.#answers === answers && this.#isDue()) this.#late()
      else this.look()
    })
  }
}
