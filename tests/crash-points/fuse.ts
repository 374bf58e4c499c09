/**
 * A fuse in the way of every call that reaches a disk: it numbers them, and at one of them, before or after it is carried
 * out, the process ends: nothing later is carried out, and nothing is answered any more.
 */

/** `half`: for what is not atomic, such as clearing a range. */
export type Moment = 'before' | 'half' | 'after'

export interface Death {
  /** Which call, from 1. */
  readonly at: number
  readonly moment: Moment
}

export interface Point {
  readonly name: string
  readonly moments: readonly Moment[]
}

export class Fuse {
  /** The calls that were met while it was lit, in order. */
  readonly points: Point[] = []
  readonly death: Death | null
  readonly #died: Promise<'died'>
  #die: () => void = () => {}
  #isLit = false
  #isDead = false

  /** Null: nothing ends, and the calls are counted. */
  constructor(death: Death | null) {
    this.death = death
    this.#died = new Promise((resolve) => (this.#die = () => resolve('died')))
  }

  get isDead(): boolean {
    return this.#isDead
  }

  /** Runs `act`, and what it leaves running, until all of it is done or the process has ended. */
  async during(act: () => Promise<unknown>): Promise<'survived' | 'died'> {
    this.#isLit = true
    const work = this.#whole(act)
    // Whoever outlives the process hears what he likes.
    work.catch(() => {})
    const how = await Promise.race([work, this.#died])
    this.#isLit = false
    return how
  }

  /** One call on its way to the disk. `half` carries out a part of it. */
  async through<T>(name: string, call: () => T | Promise<T>, half?: () => Promise<unknown>): Promise<T> {
    return await this.#meet(
      name,
      half === undefined ? ['before', 'after'] : ['before', 'half', 'after'],
      call,
      half,
    )
  }

  /** A call that changes nothing: whether the process ends before it or after it leaves the same. */
  async throughRead<T>(name: string, call: () => T | Promise<T>): Promise<T> {
    return await this.#meet(name, ['before'], call)
  }

  async #meet<T>(
    name: string,
    moments: readonly Moment[],
    call: () => T | Promise<T>,
    half?: () => Promise<unknown>,
  ): Promise<T> {
    if (this.#isDead) return await never()
    if (!this.#isLit) return await call()
    this.points.push({ name, moments })
    const moment = this.points.length === this.death?.at ? this.death.moment : null
    if (moment === 'before') return await this.#end()
    if (moment === 'half') {
      // From here on everybody else waits for ever.
      this.#isDead = true
      await half?.()
      return await this.#end()
    }
    try {
      return await call()
    } finally {
      // Also where it failed; or another call ended the process meanwhile.
      if (moment === 'after' || this.#isDead) await this.#end()
    }
  }

  /** Whoever does not wait for the disk still gives his answers, and those count; then it is over. */
  async #end(): Promise<never> {
    this.#isDead = true
    await turns(3)
    this.#die()
    return await never()
  }

  async #whole(act: () => Promise<unknown>): Promise<'survived'> {
    await act()
    // What is done after the answer, too: until a while passes in which nothing is called.
    for (let calm = 0, seen = this.points.length; calm < 8; calm++) {
      await turns(1)
      if (this.points.length > seen) calm = 0
      seen = this.points.length
    }
    return 'survived'
  }
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

function never(): Promise<never> {
  return new Promise(() => {})
}
