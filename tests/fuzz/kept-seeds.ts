/** Seeds that are run for ever: whatever a fuzz has ever found, it finds again. */
import { readFileSync } from 'node:fs'
import { z } from 'zod'

const seedsSchema = z.array(
  z.strictObject({ target: z.string(), seed: z.int().min(0), why: z.string().min(1) }),
)

const kept = seedsSchema.parse(JSON.parse(readFileSync(new URL('seeds.json', import.meta.url), 'utf8')))

export function keptSeeds(target: string): readonly number[] {
  return kept.filter((each) => each.target === target).map(({ seed }) => seed)
}

export const keptTargets: ReadonlySet<string> = new Set(kept.map(({ target }) => target))
