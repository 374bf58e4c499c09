/**
 * Deletes what nothing refers to any more: in the background, and a few values at a time, so that whatever else is written
 * meanwhile passes in between and no ack waits for ten thousand deletions. What a failure or a crash leaves behind is never
 * read, and goes with the next trim or checkpoint of its namespace.
 */
import type { KeyRange } from '../level-database.ts'
import type { SealedDatabase } from '../sealed-database.ts'

/** Values deleted at once: a millisecond of LevelDB's time, where they are log records of a few kilobytes. */
const valuesMax = 100
/** Ranges that may wait: of more, the rest is left for the next time. */
const waitingMax = 10_000

export class Clearing {
  readonly #database: SealedDatabase
  #waiting: KeyRange[] = []
  #running: Promise<void> | null = null

  constructor(database: SealedDatabase) {
    this.#database = database
  }

  begin(ranges: readonly KeyRange[]): void {
    this.#waiting.push(...ranges.slice(0, waitingMax - this.#waiting.length))
    if (this.#waiting.length > 0) this.#running ??= this.#run()
  }

  /** Resolves when nothing waits or runs; never rejects. */
  async finished(): Promise<void> {
    while (this.#running !== null) await this.#running
  }

  async #run(): Promise<void> {
    try {
      for (let range = this.#waiting.shift(); range !== undefined; range = this.#waiting.shift())
        await this.#clear(range)
    } catch {
      this.#waiting = []
    }
    this.#running = null
  }

  async #clear(range: KeyRange): Promise<void> {
    const { lt, lte, ...from } = range
    const end = lt === undefined ? (lte === undefined ? {} : { lte }) : { lt }
    for (let begin: KeyRange = from; ;) {
      const keys = await this.#database.keys({ ...begin, ...end }, valuesMax)
      const last = keys.at(-1)
      if (last === undefined) return
      await this.#database.clear({ ...begin, lte: last })
      if (keys.length < valuesMax) return
      begin = { gt: last }
    }
  }
}
