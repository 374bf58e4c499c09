/**
 * Many clients in a process of its own, which may be killed at any moment. Arguments: a JSON object, `ClientsArguments`.
 * Prints what `Place` says, `worked` when all acts are done; told `settle` it prints `settled`, told `read` a line `read
 * NAMESPACE …` for each place and `done`. It ends when its standard input does.
 */
import { createInterface } from 'node:readline'
import { Seeded } from '../support/seeded.ts'
import { Place } from './place.ts'

export interface ClientsArguments {
  readonly hub: string
  readonly folder: string
  /** Numbers of its places. */
  readonly first: number
  readonly count: number
  readonly namespaces: number
  readonly seed: number
  /** Of each place; null: until it is told to settle. */
  readonly acts: number | null
  readonly pauseMsMax: number
}

/** The place's namespace: as many places in each. */
export function namespaceOf(place: number, namespaces: number): string {
  return `team-${place % namespaces}`
}

if (process.argv[1] === import.meta.filename)
  await main(JSON.parse(process.argv[2] ?? '{}') as ClientsArguments)

async function main(given: ClientsArguments): Promise<void> {
  const { hub, folder, first, count, namespaces, seed, acts, pauseMsMax } = given
  const places = Array.from({ length: count }, (_, i) => {
    const number = first + i
    const namespace = namespaceOf(number, namespaces)
    const random = new Seeded(seed + number)
    const name = `place-${number}`
    return {
      namespace,
      place: new Place({ name, namespace, hub, folder, random, pauseMsMax, say: console.log }),
    }
  })
  const told = new Set<string>()
  const hears = createInterface(process.stdin)
  hears.on('line', (line) => told.add(line))
  hears.on('close', () => process.exit(told.has('end') ? 0 : 1))
  const order = (word: string): Promise<void> =>
    new Promise((resolve) => {
      if (told.has(word)) return resolve()
      hears.on('line', (line) => line === word && resolve())
    })
  try {
    await Promise.all(places.map(({ place }) => place.live(acts ?? Infinity, () => told.has('settle'))))
    console.log('worked')
    await order('settle')
    await Promise.all(places.map(({ place }) => place.settle()))
    console.log('settled')
    await order('read')
    for (const { namespace, place } of places) console.log(`read ${namespace} ${await place.read()}`)
    for (const { place } of places) await place.close()
    console.log('done')
  } catch (error) {
    console.error(error)
    process.exit(1)
  }
}
