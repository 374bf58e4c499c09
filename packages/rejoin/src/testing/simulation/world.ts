/**
 * A world of real engines in one process: hubs and replicas of several namespaces on simulated disks, behind a simulated
 * network, in simulated time. It takes steps, one after the other, and says what it finds broken. Everything random in it is
 * drawn from one number, so the same steps on the same number are the same history, to the byte (invariant 15).
 */
import type { Finding } from '@rejoin/testkit'
import type { HubProcess } from './hub-process.ts'
import type { ReplicaProcess } from './replica-process.ts'
import { restlessLines } from './resting.ts'
import { settledFindings } from './settled.ts'
import type { SimulatedStep } from './step.ts'
import { stepLine } from './step-line.ts'
import { takeStep } from './step-taking.ts'
import type { WorldCounts } from './world-counts.ts'
import type { SimulatedNamespace, SimulatedWorldOptions } from './world-options.ts'
import { WorldParts } from './world-parts.ts'

/** Steps between two looks at everybody. */
const LOOK_EVERY = 10
/** The end of a world draws another stream than its beginning: ids are drawn from it. */
const END_OF_SEED = 0x5bd1e995

export interface TakenStep {
  /** The step and what came of it. */
  readonly line: string
  /** What came of it, in a few words; empty where nothing is worth telling. */
  readonly came: string
  /** Empty where nothing is broken. */
  readonly findings: readonly Finding[]
}

export async function openSimulatedWorld(options: SimulatedWorldOptions): Promise<SimulatedWorld> {
  const world = new SimulatedWorld(options)
  await world.open()
  return world
}

export class SimulatedWorld {
  readonly #parts: WorldParts

  constructor(options: SimulatedWorldOptions) {
    this.#parts = new WorldParts(options)
  }

  get replicas(): readonly ReplicaProcess[] {
    return this.#parts.replicas
  }

  get hubs(): readonly HubProcess[] {
    return this.#parts.hubs
  }

  get counts(): WorldCounts {
    return this.#parts.counts
  }

  async open(): Promise<void> {
    for (const hub of this.#parts.hubs) hub.start()
    for (const namespace of this.#parts.namespaces) {
      for (let i = 0; i < namespace.replicas; i++) await this.#parts.start(this.#parts.newReplica(namespace))
    }
  }

  /** What names everything that has happened so far: equal for equal histories. */
  get traceHash(): string {
    return this.#parts.history.hash
  }

  now(): number {
    return this.#parts.time.now()
  }

  /** Takes one step. What goes wrong in it is an outcome, never a failure. */
  async take(step: SimulatedStep): Promise<TakenStep> {
    this.#parts.counts.steps++
    if (step.draws !== undefined) this.#parts.chance.reseed(step.draws)
    const came = await takeStep(this.#parts, step)
    await this.#parts.pace.turn()
    const line = `${stepLine(step)}${came === '' ? '' : ` -> ${came}`}`
    this.#parts.history.step(line)
    return {
      line,
      came,
      findings: this.look(this.#parts.counts.steps % LOOK_EVERY === 0 ? 'at all' : 'around'),
    }
  }

  /** What may be looked at after every step. `around`: what is known without looking at anybody. */
  look(how: 'around' | 'at all'): readonly Finding[] {
    if (how === 'at all') {
      for (const process of this.#parts.replicas) this.#parts.noteRejected(process)
      this.#parts.sentry.lookAt(this.#parts.replicas, this.#parts.hubs, this.#parts.network, this.#parts.time)
    }
    return this.#parts.sentry.take()
  }

  /**
   * Everything works again, and everybody is connected: until all have come to rest.
   * @returns who has not within a bounded time, and what holds him.
   */
  async calm(): Promise<readonly Finding[]> {
    this.#parts.chance.reseed(this.#parts.seed ^ END_OF_SEED)
    this.#parts.refusals.end()
    this.#parts.network.mend()
    for (const hub of this.#parts.hubs) {
      hub.disk.set('works')
      hub.wall.standsAt = null
      if (!hub.isOpen) hub.start()
    }
    for (const process of this.#parts.replicas) {
      process.disk.set('works')
      process.wall.standsAt = null
      process.mayWrite = true
    }
    await this.#parts.pace.carryAll()
    this.#parts.network.exorcise()
    for (const process of this.#parts.replicas) {
      if (!process.isOpen) await this.#parts.start(process)
      if (!process.isOpen) continue
      process.isLive = true
      process.replica.connect()
    }
    const stuck = await this.#parts.pace.comeToRest(() => this.#restless())
    for (const process of this.#parts.replicas) this.#parts.noteRejected(process)
    this.#parts.history.step('calm')
    return [...this.look('at all'), ...stuck.map((what) => ({ rule: 21, what }))]
  }

  /** What must be true once everybody has come to rest. */
  async check(): Promise<readonly Finding[]> {
    const findings: Finding[] = []
    for (const namespace of this.#parts.namespaces) {
      const book = this.#parts.bookOf(namespace.name)
      const newcomer = book.isRemoved || book.head === 0 ? null : await this.#newcomer(namespace)
      const settled = {
        namespace,
        book,
        accepted: this.#parts.accepted,
        replicas: this.#parts.replicas.filter(
          (process) => process.namespace === namespace.name && process !== newcomer,
        ),
        newcomer,
        store: this.#parts.place.store,
        updates: this.#parts.ports.updates,
        history: this.#parts.history,
      }
      findings.push(...(await settledFindings(settled)))
      this.#parts.counts.oracles++
      if (newcomer !== null) this.#leave(newcomer)
    }
    this.#parts.counts.commitsLogged = [...this.#parts.books.values()].reduce(
      (sum, { commits }) => sum + commits,
      0,
    )
    this.#parts.counts.commitsAccepted = this.#parts.accepted.size
    this.#parts.counts.parcels = this.#parts.network.carried
    this.#parts.counts.simulatedMs = this.#parts.history.timeMs
    return findings
  }

  /** Everybody is gone at once. */
  close(): void {
    for (const process of this.#parts.replicas) {
      this.#parts.network.killReplica(process.index, false)
      process.kill(false)
    }
    for (const hub of this.#parts.hubs) {
      this.#parts.network.killHub(hub.index, false)
      hub.kill()
    }
  }

  async #newcomer(namespace: SimulatedNamespace): Promise<ReplicaProcess> {
    const hub = this.#parts.runningHub(0)
    await this.#parts.waitFor(hub.hub.checkpoint(namespace.name).then(({ seq }) => `up to ${seq}`))
    const process = this.#parts.newReplica(namespace)
    await this.#parts.start(process)
    await this.#parts.waitFor(process.replica.syncOnce().then(() => ''))
    return process
  }

  /** It was only to look. */
  #leave(newcomer: ReplicaProcess): void {
    this.#parts.network.killReplica(newcomer.index, true)
    newcomer.kill(false)
    this.#parts.replicas.splice(this.#parts.replicas.indexOf(newcomer), 1)
  }

  /** Who has not come to rest, and what holds him. */
  #restless(): readonly string[] {
    return this.#parts.replicas.flatMap((process) =>
      restlessLines(process, this.#parts.bookOf(process.namespace), this.#parts.network),
    )
  }
}
