/** What `checkConvergence` takes, and what it refuses before it begins. */
import { SyncError, type AnyDomain } from '@rejoin/core'
import { stepKinds } from './step-arbitrary.ts'
import type { StepKind } from './step.ts'
import type { World } from './world.ts'

export interface ConvergenceOptions {
  /** Makes a fresh world for each run; `chance` is any whole number that it draws everything random from. */
  readonly openWorld: (replicas: number, chance: number) => Promise<World>
  /** At least 2; default 3. */
  readonly replicas?: number
  /** Steps of one story at most; default 60. */
  readonly steps?: number
  /** Stories to try; default 100. */
  readonly runs?: number
  /** Replays a failure: the seed it printed. Default: a new one each time. */
  readonly seed?: number
  /** Replays the failing story at once: the path it printed. */
  readonly path?: string
  /** Whether to look for a shorter story that fails too; default true. */
  readonly shrink?: boolean
  /** Stories to try at most while looking for a shorter one; default 300. */
  readonly shrinkTriesMax?: number
  /** Kinds of steps to leave out; default none. */
  readonly without?: readonly StepKind[]
  /**
   * Hears a line now and then. Default: silence, but for one line on standard error when a story fails and a shorter one is
   * looked for, so that what replays it is known even if a test runner loses patience.
   */
  readonly log?: (line: string) => void
  /** The stack of a failure begins where this was called; default: `checkConvergence` itself. */
  readonly door?: (...args: never[]) => unknown
}

/** `ports` is what `rejoin/testing` adds. */
const known: Readonly<Record<keyof ConvergenceOptions | 'ports', true>> = {
  replicas: true,
  steps: true,
  runs: true,
  seed: true,
  path: true,
  shrink: true,
  shrinkTriesMax: true,
  without: true,
  log: true,
  ports: true,
  openWorld: true,
  door: true,
}
const internal: readonly string[] = ['openWorld', 'door']

/** @throws SyncError INPUT_INVALID naming the option. */
export function checkOptions(domain: AnyDomain, options: ConvergenceOptions): void {
  const refuse = (why: string): never => {
    throw new SyncError('INPUT_INVALID', `checkConvergence of domain ${domain.name}: ${why}`)
  }
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(known, name)) continue
    const names = Object.keys(known).filter((each) => !internal.includes(each))
    refuse(`there is no option ${JSON.stringify(name)}; there are ${names.join(', ')}`)
  }
  const { replicas, steps, runs, shrinkTriesMax, seed, path, without = [] } = options
  const atLeast = {
    replicas: [replicas, 2],
    steps: [steps, 1],
    runs: [runs, 1],
    shrinkTriesMax: [shrinkTriesMax, 0],
  }
  for (const [name, [value, min]] of Object.entries(atLeast)) {
    if (value === undefined || (Number.isSafeInteger(value) && value >= (min ?? 0))) continue
    refuse(`${name} is a whole number from ${min} up, got ${value}${hints[name] ?? ''}`)
  }
  if (seed !== undefined && !Number.isSafeInteger(seed)) refuse(`seed is a whole number, got ${seed}`)
  if (path !== undefined && !/^\d+(:\d+)*$/.test(path))
    refuse(`${JSON.stringify(path)} is no path that a failure printed`)
  if (path !== undefined && seed === undefined)
    refuse('path replays nothing without the seed that was printed with it')
  for (const kind of without) {
    if (!stepKinds.includes(kind))
      refuse(`without names ${JSON.stringify(kind)}; steps are ${stepKinds.join(', ')}`)
    if (kind === 'apply') refuse('without apply there is nothing to check')
  }
}

const hints: Readonly<Record<string, string>> = {
  replicas: ': one alone has nobody to converge with',
  steps: ': a story without steps proves nothing',
  runs: ': no story, no proof',
}
