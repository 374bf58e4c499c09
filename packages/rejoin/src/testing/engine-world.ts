/**
 * A world of real engines in one process: hub and replicas over in-memory stores, the real frames and codec, a network on
 * which nothing arrives by itself, and a clock that moves only when a step says so or nobody has anything left to do.
 */
import {
  asSyncError,
  unreachable,
  type AnyDomain,
  type Dial,
  type Namespace,
  type ReplicaId,
} from '@rejoin/core'
import {
  VirtualClock,
  type Glance,
  type Observation,
  type ReplicaObservation,
  type Step,
  type StepOutcome,
  type World,
} from '@rejoin/testkit'
import { Author, codeOf, done } from './author.ts'
import { CommitBook } from './commit-book.ts'
import { HubHost } from './hub-host.ts'
import { LogReading } from './log-reading.ts'
import { unrulyMerges } from './merges.ts'
import { Member } from './member.ts'
import { Network } from './network.ts'
import { glanceAt, observeReplica } from './observation.ts'
import { oldestFirst, pickBy, type Pick } from './order.ts'
import { defaultPorts, type WorldPorts } from './ports.ts'
import { Refusals } from './refusals.ts'
import { Rest } from './rest.ts'

const NAMESPACE: Namespace = 'world'
/** Longer than any wait for an answer and the longest pause before a reconnect, together. */
const CALM_MS = 65_000

/** @param chance any whole number: everything random in the world is drawn from it. */
export async function openEngineWorld(
  domain: AnyDomain,
  replicas: number,
  chance = 0,
  ports: Partial<WorldPorts> = {},
): Promise<World> {
  const world = new EngineWorld(domain, replicas, chance, { ...defaultPorts, ...ports })
  await world.open()
  return world
}

class EngineWorld implements World {
  readonly #domain: AnyDomain
  readonly #ports: WorldPorts
  readonly #clock: VirtualClock
  readonly #network: Network
  readonly #rest: Rest
  readonly #refusals = new Refusals()
  readonly #book = new CommitBook()
  readonly #log: LogReading
  readonly #host: HubHost
  readonly #members: readonly Member[]
  readonly #indexes = new Map<ReplicaId, number>()

  constructor(domain: AnyDomain, replicas: number, chance: number, ports: WorldPorts) {
    this.#domain = domain
    this.#ports = ports
    this.#clock = new VirtualClock(chance)
    this.#log = new LogReading(NAMESPACE, (replica) => this.#indexes.get(replica) ?? replicas)
    this.#host = new HubHost({ domain, namespace: NAMESPACE, clock: this.#clock, ports, log: this.#log })
    this.#network = new Network({
      clock: this.#clock,
      accept: (channel, replica) => this.#host.accept(this.#refusals.through(channel, replica), replica),
      channel: ports.channel,
    })
    this.#rest = new Rest(this.#clock, this.#network)
    this.#members = Array.from({ length: replicas }, (_, index) => this.#memberOf(index))
  }

  get replicas(): number {
    return this.#members.length
  }

  async open(): Promise<void> {
    for (const member of this.#members) await this.#openMember(member)
  }

  async take(step: Step): Promise<StepOutcome> {
    const outcome = await this.#take(step)
    // Whatever it set going has run, and what can be recorded is.
    await this.#rest.turn()
    for (const member of this.#members) this.#authorOf(member).noteRefused()
    return outcome
  }

  async glance(): Promise<Glance> {
    const head = await this.#host.readLog()
    const logged = this.#log.commits.map(({ name }) => name)
    const inLog = new Set(logged)
    const refused = new Set(this.#book.linesOf((name, fate) => fate !== 'open' && !inLog.has(name)))
    return {
      replicas: this.#members.map(({ replica, isLive }) => ({ ...glanceAt(replica, refused), live: isLive })),
      head,
      logged,
      acked: this.#book.acked,
      refused: this.#members.flatMap((member) => this.#refusals.unaskedOf(member)),
    }
  }

  async calm(): Promise<void> {
    this.#refusals.end()
    this.#network.mend()
    for (const { disk } of this.#members) disk.set('works')
    await this.#rest.deliver(Infinity, oldestFirst)
    this.#network.exorcise()
    const isAnyoneLive = this.#members.some(({ isLive }) => isLive)
    if (isAnyoneLive) await this.#rest.pass(CALM_MS, oldestFirst)
  }

  async observe(): Promise<Observation> {
    await this.#host.readLog()
    const replicas: ReplicaObservation[] = []
    for (const member of this.#members) replicas.push(await this.#observe(member))
    const { accepted } = this.#book
    return { replicas, accepted, logged: this.#log.commits, logFault: this.#log.fault }
  }

  unruly(): readonly string[] {
    return unrulyMerges(
      this.#domain,
      this.#book.linesOf(() => true),
    )
  }

  async newcomer(): Promise<ReplicaObservation | null> {
    if (!(await this.#host.isThere())) return null
    await this.#rest.until(this.#host.checkpoint(), oldestFirst)
    const member = this.#memberOf(this.replicas)
    await this.#openMember(member)
    await this.#exchange(member, null, oldestFirst)
    const seen = await this.#observe(member)
    await this.#rest.until(member.end(), oldestFirst)
    return seen
  }

  async close(): Promise<void> {
    this.#network.breakAll()
    const closed = this.#members.map((member) => member.end())
    await this.#rest.until(Promise.allSettled([...closed, this.#host.close()]), oldestFirst)
  }

  async #take(step: Step): Promise<StepOutcome> {
    switch (step.kind) {
      case 'apply':
        return this.#author(step.replica).apply(step)
      case 'resolve':
        return this.#author(step.replica).resolve(step)
      case 'discard':
        return this.#author(step.replica).discard(step.pick)
      case 'resubmit':
        return this.#author(step.replica).resubmit(step.pick)
      case 'undo':
      case 'redo':
        return this.#author(step.replica).turnBack(step.kind)
      case 'withdraw':
        return this.#author(step.replica).withdraw(step.pick, () => this.#rest.turn())
      case 'exchange':
        return done(await this.#exchange(this.#member(step.replica), step.cutAfter, pickBy(step.order)))
      case 'connect':
        this.#member(step.replica).connect()
        return done()
      case 'disconnect':
        this.#member(step.replica).disconnect()
        return done()
      case 'deliver': {
        const delivered = await this.#rest.deliver(step.messages, pickBy(step.order))
        return done(delivered === step.messages ? '' : `${delivered} were under way`)
      }
      case 'wait':
        await this.#rest.pass(step.ms, oldestFirst)
        return done()
      case 'partition':
        this.#network.partition(step.replica, step.direction)
        return done()
      case 'heal':
        this.#network.heal(step.replica)
        return done()
      case 'cut':
        return done(this.#network.cut(step.replica, step.heardBy) ? '' : 'there was none')
      case 'late':
        return done(this.#network.late(step.replica, step.what) ? '' : 'there was nothing')
      case 'restart':
        return this.#restart(this.#member(step.replica))
      case 'restartHub':
        this.#network.breakAll()
        this.#host.crash()
        return done()
      case 'disk':
        this.#member(step.replica).disk.set(step.state)
        return done()
      case 'clock':
        this.#member(step.replica).aheadMs = step.aheadMs
        return done()
      case 'checkpoint':
        return this.#waitFor(this.#host.checkpoint())
      case 'rebuild':
        return this.#waitFor(this.#host.rebuild(step.by))
      case 'refuse':
        this.#refusals.ask(step.replica, step.commits)
        return done()
      default:
        return unreachable(step)
    }
  }

  /** @returns how it went, in a few words. */
  async #exchange({ index, replica }: Member, cutAfter: number | null, pick: Pick): Promise<string> {
    const dial: Dial = async (signal) => {
      const channel = await this.#network.dial(index)(signal)
      this.#cutLater(index, cutAfter)
      return channel
    }
    // Where it is live the exchange is the session's.
    this.#cutLater(index, cutAfter)
    try {
      const report = await this.#rest.until(replica.syncOnce(dial), pick)
      if (report === null) return 'still waiting'
      return `${report.value.path}, ${report.value.pulled} pulled, ${report.value.pushed} pushed`
    } catch (error) {
      return codeOf(error)
    } finally {
      this.#cutLater(index, null)
    }
  }

  #cutLater(replica: number, messages: number | null): void {
    const link = this.#network.linkOf(replica)
    if (link !== null) link.cutAfter = messages
  }

  async #restart(member: Member): Promise<StepOutcome> {
    const { index } = member
    this.#network.breakAll(index)
    member.crash()
    try {
      await this.#openMember(member)
    } catch (cause) {
      const { code, message } = asSyncError(cause, 'STORE_CORRUPT', 'it does not open')
      return { kind: 'gone', replica: index, error: `${code}: ${message}` }
    }
    await this.#host.readLog()
    const { outbox, rejected } = member.replica
    const waiting = outbox.map(({ id }) => `${index}:${id.counter}`)
    const refused = rejected.map(({ commit }) => `${index}:${commit.id.counter}`)
    const logged = this.#log.commits.map(({ name }) => name)
    this.#book.recall(index, new Set(waiting), new Set([...waiting, ...refused, ...logged]))
    return done()
  }

  async #waitFor(work: Promise<string>): Promise<StepOutcome> {
    const ended = await this.#rest.until(work, oldestFirst)
    return done(ended === null ? 'still waiting' : ended.value)
  }

  #memberOf(index: number): Member {
    return new Member({
      index,
      domain: this.#domain,
      namespace: NAMESPACE,
      clock: this.#clock,
      dial: this.#network.dial(index),
      ports: this.#ports,
    })
  }

  async #openMember(member: Member): Promise<void> {
    await this.#rest.until(member.open(), oldestFirst)
    this.#indexes.set(member.replica.id, member.index)
  }

  #observe({ index, replica, store }: Member): Promise<ReplicaObservation> {
    return observeReplica(this.#domain, replica, store, (counter) => `${index}:${counter}`)
  }

  #author(replica: number): Author {
    return this.#authorOf(this.#member(replica))
  }

  #authorOf(member: Member): Author {
    return new Author(this.#domain, member, this.#book)
  }

  #member(replica: number): Member {
    const member = this.#members[replica]
    if (member === undefined) throw new Error(`a story names replica ${replica}, there are ${this.replicas}`)
    return member
  }
}
