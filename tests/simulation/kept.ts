/**
 * Histories that are played for ever: each has found something once. They are kept step by step, shortened, since a seed means
 * another history as soon as anything about drawing is changed.
 */
import { readFileSync } from 'node:fs'
import type { SimulatedStep } from 'rejoin/testing'
import { z } from 'zod'
import { simulatedDomains } from './domains.ts'
import type { DrawnHistory, Shape } from './draw.ts'
import type { HistoryResult } from './history.ts'
import type { Shrunk } from './shrinking.ts'

const durability = z.enum(['durable', 'applied'])
const keptSchema = z.strictObject({
  why: z.string().min(1),
  seed: z.int().min(0),
  /** The rule that it still breaks, where the engines were not mended yet; then it must. */
  breaks: z.int().optional(),
  shape: z.strictObject({
    theme: z.string(),
    hubs: z.int().min(1),
    hubDurability: durability,
    replicaDurability: durability,
    retentionCommits: z.int().min(1),
    namespaces: z.array(z.strictObject({ domain: z.string(), replicas: z.int().min(1) })),
  }),
  steps: z.array(z.looseObject({ kind: z.string() })),
})

export interface KeptHistory {
  readonly why: string
  readonly breaks: number | null
  readonly drawn: DrawnHistory
}

export const keptHistories: readonly KeptHistory[] = z
  .array(keptSchema)
  .parse(JSON.parse(readFileSync(new URL('seeds.json', import.meta.url), 'utf8')))
  .map(({ why, seed, breaks = null, shape, steps }) => ({
    why,
    breaks,
    drawn: {
      seed,
      shape: {
        ...(shape as Omit<Shape, 'namespaces'>),
        namespaces: shape.namespaces.map(({ domain, replicas }) => ({
          domain: domainNamed(domain),
          replicas,
        })),
      },
      // Written by `keptText`.
      steps: steps as unknown as readonly SimulatedStep[],
    },
  }))

/** What was found and is not mended yet: it is told, and looked for no further. */
export function isKnown({ findings }: HistoryResult): boolean {
  return findings.every(({ rule, what }) =>
    knownDefects.some((defect) => defect.rule === rule && defect.says.test(what)),
  )
}

/** Each has a history in `seeds.json` that `breaks` its rule; mending it, take it out here and there. */
export const knownDefects: readonly { readonly rule: number; readonly says: RegExp }[] = []

/** As it is put into `seeds.json`. */
export function keptText({ shape }: DrawnHistory, failed: HistoryResult, { steps }: Shrunk): string {
  const namespaces = shape.namespaces.map(({ domain, replicas }) => ({
    domain: domain.domain.name,
    replicas,
  }))
  const why = failed.findings[0]?.what ?? ''
  return JSON.stringify({ why, seed: failed.seed, shape: { ...shape, namespaces }, steps })
}

/** So many seeds from there on. */
export function* seedsFrom(first: number, count = Infinity): Iterable<number> {
  for (let i = 0; i < count; i++) yield (first + i) >>> 0
}

function domainNamed(name: string): (typeof simulatedDomains)[number] {
  const found = simulatedDomains.find(({ domain }) => domain.name === name)
  if (found === undefined) throw new Error(`no simulated domain is called ${name}`)
  return found
}
