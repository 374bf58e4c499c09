/**
 * `createWorld`: the simulated world for the tests of an app. Replicas of its own domain and their hub, in one process and
 * without a second of real waiting; the test says who writes, what breaks and when, and `settle` checks the rules.
 */
import {
  assert,
  SyncError,
  type AnyDomain,
  type Conflict,
  type OpOf,
  type RejectedCommit,
  type TablesReads,
} from '@rejoin/core'
import type { ReplicaStatus } from '@rejoin/replica'
import type { Finding } from '@rejoin/testkit'
import type { HearHistory } from './history-event.ts'
import type { ReplicaProcess } from './replica-process.ts'
import type { WireDirection } from './simulated-network.ts'
import type { SimulatedStep } from './step.ts'
import { openSimulatedWorld, type SimulatedWorld } from './world.ts'
import type { SimulatedWorldOptions } from './world-options.ts'

export interface CreateWorldOptions extends Pick<
  SimulatedWorldOptions,
  'hubs' | 'hubDurability' | 'replicaDurability' | 'hubOptions' | 'ports'
> {
  /** Default 2. */
  readonly replicas?: number
  /** Any whole number; the same one, and the same steps, are the same story. Default 1. */
  readonly seed?: number
  readonly onEvent?: HearHistory
}

/** One replica of the world, through crashes: what is read is what its process has now. */
export interface WorldReplica<D extends AnyDomain> {
  readonly index: number
  readonly tables: TablesReads<D['tables']>
  readonly status: ReplicaStatus
  readonly rejected: readonly RejectedCommit[]
  conflicts(): readonly Conflict[]
  /**
   * Applies one op, or several as one commit, at once. Whether and when it reaches others is the world's.
   * @throws SyncError as `replica.apply`, and WorldError where a rule is broken by it
   */
  apply(ops: OpOf<D> | readonly OpOf<D>[]): Promise<'commit' | 'unchanged'>
  /** Stays connected from now on; or no longer. */
  connect(): Promise<void>
  disconnect(): Promise<void>
  /** Nothing passes any more in that direction, and nobody is told. Default: both. */
  partition(direction?: WireDirection): Promise<void>
  heal(): Promise<void>
  /** Its process is killed, and started again. */
  crash(): Promise<void>
  /** One exchange with the hub, for up to 40 simulated seconds. @returns how it went, in a few words */
  sync(): Promise<string>
}

export interface DomainWorld<D extends AnyDomain> {
  /** As many as were asked for: two at least can be named without looking. */
  readonly replicas: readonly [WorldReplica<D>, WorldReplica<D>, ...WorldReplica<D>[]]
  /** Each step so far, with what came of it. */
  readonly story: readonly string[]
  /** Any step that worlds know. @throws WorldError where a rule is broken */
  take(step: SimulatedStep): Promise<string>
  /** Time passes, and what can arrive arrives. */
  pass(ms: number): Promise<void>
  /**
   * Everything works again and everybody is connected, until all have come to rest; then all rules are checked.
   * @throws WorldError where one is broken, or somebody does not come to rest
   */
  settle(): Promise<void>
  close(): void
}

/** Rules of `docs/SPEC.md` are broken: which, and by what story. */
export class WorldError extends Error {
  override readonly name = 'WorldError'
  readonly rules: readonly number[]

  constructor(findings: readonly Finding[], story: readonly string[]) {
    const broken = findings.map(({ rule, what }) => `  [${rule}] ${what}`)
    const lines = story.map((line, i) => `  ${i + 1}. ${line}`)
    super(['broken (numbers as in docs/SPEC.md):', ...broken, 'by:', ...lines].join('\n'))
    this.rules = [...new Set(findings.map(({ rule }) => rule))].sort((a, b) => a - b)
  }
}

/**
 * A hub and replicas of `domain`, each connected to it.
 * @throws SyncError INPUT_INVALID for fewer than two replicas
 */
export async function createWorld<D extends AnyDomain>(
  domain: D,
  { replicas = 2, seed = 1, ...options }: CreateWorldOptions = {},
): Promise<DomainWorld<D>> {
  if (!Number.isInteger(replicas) || replicas < 2)
    throw new SyncError(
      'INPUT_INVALID',
      'createWorld: replicas is a whole number from 2: one alone has nobody to meet',
    )
  const namespaces = [{ name: 'world', domain, replicas }]
  const world = await openSimulatedWorld({ ...options, seed, namespaces })
  return new OneDomainWorld<D>(world).connected()
}

class OneDomainWorld<D extends AnyDomain> implements DomainWorld<D> {
  readonly story: string[] = []
  readonly replicas: DomainWorld<D>['replicas']
  readonly #world: SimulatedWorld

  constructor(world: SimulatedWorld) {
    this.#world = world
    const [first, second, ...others] = world.replicas.map((process) => this.#replicaOf(process))
    assert(first !== undefined && second !== undefined, 'a world has two replicas at least')
    this.replicas = [first, second, ...others]
  }

  async connected(): Promise<this> {
    for (const { index } of this.replicas) await this.take({ kind: 'connect', who: index })
    return this
  }

  async take(step: SimulatedStep): Promise<string> {
    const { line, came, findings } = await this.#world.take(step)
    this.story.push(line)
    this.#check(findings)
    this.#check(this.#world.look('at all'))
    return came
  }

  async pass(ms: number): Promise<void> {
    await this.take({ kind: 'pass', ms })
  }

  async settle(): Promise<void> {
    const restless = await this.#world.calm()
    this.story.push('everything works again')
    this.#check(restless)
    this.#check(await this.#world.check())
  }

  close(): void {
    this.#world.close()
  }

  #check(findings: readonly Finding[]): void {
    if (findings.length > 0) throw new WorldError(findings, this.story)
  }

  #replicaOf(process: ReplicaProcess): WorldReplica<D> {
    const { index } = process
    const take = async (step: SimulatedStep): Promise<void> => void (await this.take(step))
    return {
      index,
      get tables() {
        // The world was made of this domain.
        return process.replica.tables as TablesReads<D['tables']>
      },
      get status() {
        return process.replica.status
      },
      get rejected() {
        return process.replica.rejected
      },
      conflicts: () => process.replica.conflicts(),
      apply: async (ops) => {
        const came = await this.take({ kind: 'apply', who: index, ops: Array.isArray(ops) ? ops : [ops] })
        const { refusal } = process
        if (refusal !== null) throw refusal
        return came === 'unchanged' ? came : 'commit'
      },
      connect: () => take({ kind: 'connect', who: index }),
      disconnect: () => take({ kind: 'disconnect', who: index }),
      partition: (direction = 'both') => take({ kind: 'partition', who: index, direction }),
      heal: () => take({ kind: 'heal', who: index }),
      crash: () => take({ kind: 'kill', who: index, power: false, stays: false }),
      sync: () => this.take({ kind: 'sync', who: index, via: 'live', waits: true }),
    }
  }
}
