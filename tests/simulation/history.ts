/** Plays one drawn history to its end, checks it, and says what is broken and how to see it again. */
import type { Finding } from '@rejoin/testkit'
import {
  openSimulatedWorld,
  type HearHistory,
  type SimulatedStep,
  type WorldCounts,
  type WorldPorts,
} from 'rejoin/testing'
import { drawHistory, type DrawnHistory } from './draw.ts'

export interface HistoryOptions {
  /** Default 200. */
  readonly steps?: number
  /** Adapters in place of the defaults, such as broken ones; called for each world. */
  readonly ports?: () => Partial<WorldPorts>
  readonly onEvent?: HearHistory
}

export interface HistoryResult {
  readonly seed: number
  readonly theme: string
  /** Empty where nothing is broken. */
  readonly findings: readonly Finding[]
  /** Each step that was taken, with what came of it. */
  readonly lines: readonly string[]
  /** Steps that were taken; the finding shows after the last of them. */
  readonly taken: number
  readonly counts: WorldCounts
  /** Equal for equal histories. */
  readonly traceHash: string
}

/** The history of a seed. Never rejects: a world that fails is a finding of rule 0. */
export function runHistory(seed: number, options: HistoryOptions = {}): Promise<HistoryResult> {
  return playHistory(drawHistory(seed, options.steps), options)
}

export async function playHistory(
  { seed, shape, steps }: DrawnHistory,
  { ports, onEvent }: HistoryOptions = {},
): Promise<HistoryResult> {
  const world = await openSimulatedWorld({
    seed,
    namespaces: shape.namespaces.map(({ domain, replicas }, i) => ({
      name: `n${i}`,
      domain: domain.domain,
      replicas,
    })),
    hubs: shape.hubs,
    hubDurability: shape.hubDurability,
    replicaDurability: shape.replicaDurability,
    hubOptions: { retention: { commits: shape.retentionCommits } },
    ...(ports === undefined ? {} : { ports: ports() }),
    ...(onEvent === undefined ? {} : { onEvent }),
  })
  const lines: string[] = []
  const play = async (): Promise<readonly Finding[]> => {
    for (const step of steps) {
      const { line, findings } = await world.take(step)
      lines.push(line)
      // What happens on broken ground says nothing.
      if (findings.length > 0) return findings
    }
    const restless = await world.calm()
    return restless.length > 0 ? restless : world.check()
  }
  let findings: readonly Finding[]
  try {
    findings = await play()
  } catch (error) {
    findings = [{ rule: 0, what: error instanceof Error ? (error.stack ?? error.message) : String(error) }]
  }
  world.close()
  const { counts, traceHash } = world
  return { seed, theme: shape.theme, findings, lines, taken: lines.length, counts, traceHash }
}

export type { SimulatedStep }
