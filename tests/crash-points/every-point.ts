/** Plays a scenario once to count its points, then once more for each of them and each moment of it, and says how many. */
import { Fuse, type Death, type Moment } from './fuse.ts'

export interface Counted {
  /** Calls that reached the disk. */
  readonly points: number
  /** Times that the process was ended there. */
  readonly deaths: number
  readonly names: readonly string[]
}

/**
 * `play` prepares a world, runs the part in question within `fuse.during`, and checks what is left.
 * @throws Error what `play` throws, with the point's name in front; or that there was nothing to be ended at.
 */
export async function atEveryPoint(
  title: string,
  play: (fuse: Fuse) => Promise<'survived' | 'died'>,
  isAsked: (moment: Moment) => boolean = () => true,
): Promise<Counted> {
  const counting = new Fuse(null)
  const how = await named(`${title}, to its end`, () => play(counting))
  if (how !== 'survived' || counting.points.length === 0) throw new Error(`${title}: it reaches no disk`)
  let deaths = 0
  for (const [i, { name, moments }] of counting.points.entries()) {
    for (const moment of moments.filter(isAsked)) {
      const at = i + 1
      const where = `${title}, ended ${moment} call ${at}, ${name}`
      if ((await named(where, () => play(new Fuse({ at, moment } satisfies Death)))) !== 'died') {
        throw new Error(`${where}: it lived on`)
      }
      deaths++
    }
  }
  return { points: counting.points.length, deaths, names: counting.points.map(({ name }) => name) }
}

/** Counts by scenario, told at the end of a file. */
export class Tally {
  readonly #counts: { readonly title: string; readonly counted: Counted }[] = []
  readonly #of: string

  constructor(of: string) {
    this.#of = of
  }

  async add(title: string, play: (fuse: Fuse) => Promise<'survived' | 'died'>): Promise<Counted> {
    const counted = await atEveryPoint(title, play)
    this.#counts.push({ title, counted })
    return counted
  }

  tell(): void {
    const sum = (count: (counted: Counted) => number): number =>
      this.#counts.reduce((total, { counted }) => total + count(counted), 0)
    const lines = this.#counts.map(
      ({ title, counted }) => `  ${title}: ${counted.points} points, ended ${counted.deaths} times`,
    )
    console.log(
      [
        `${this.#of}: ${sum(({ points }) => points)} points, ended ${sum(({ deaths }) => deaths)} times`,
        ...lines,
      ].join('\n'),
    )
  }
}

async function named<T>(where: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    throw new Error(`${where}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}
