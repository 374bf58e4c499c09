/** Plays a fixture: one namespace of its own, an actor for each name in it, step after step until one does not hold. */
import {
  randomUint32,
  replicaIdOf,
  SyncError,
  type Dial,
  type DownMessage,
  type UpMessage,
} from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { exportOf, intents, type IntentsOp } from '@rejoin/intents'
import { openReplica, type Replica } from '@rejoin/replica'
import { MapReplicaStore } from '@rejoin/testkit'
import { systemClock } from 'rejoin'
import { until } from '../support/until.ts'
import type { Fixture, Step } from './fixture.ts'
import { mismatch, missing, resolved, viewOf, type Saved } from './matching.ts'
import { Tap } from './tapped.ts'
import type { HubUnderTest, Way, WayName } from './ways.ts'

interface Actor {
  readonly replica: Replica<typeof intents>
  readonly tap: Tap
  readonly sync: Dial
}

type StepOf<Name extends Step['do']> = Step & { do: Name }
type Check = StepOf<'check' | 'until'>

/** @throws Error that says which step of the fixture does not hold, and why. */
export async function play(fixture: Fixture, hub: HubUnderTest, way: WayName): Promise<void> {
  const stage = new Stage(hub, way)
  try {
    for (const [i, step] of fixture.steps.entries()) {
      try {
        await stage.step(step)
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause)
        throw new Error(`${fixture.name}, over ${way}, step ${i + 1} (${step.do}): ${why}`, { cause })
      }
    }
  } finally {
    await stage.close()
  }
}

class Stage {
  readonly #hub: HubUnderTest
  readonly #wayName: WayName
  /** Beside others on the same hub. */
  readonly #namespace = `conformance-${randomUint32(systemClock).toString(36)}`
  readonly #actors = new Map<string, Actor>()
  readonly #saved: Saved = new Map()
  #way: Way

  constructor(hub: HubUnderTest, way: WayName) {
    this.#hub = hub
    this.#wayName = way
    this.#way = hub.open(way)
    this.#saved.set('namespace', this.#namespace)
    this.#saved.set('stranger', replicaIdOf(systemClock.random(16)))
  }

  async step(step: Step): Promise<void> {
    switch (step.do) {
      case 'apply':
        // The hub checks the ops; the fixture's are those of the domain.
        ;(await this.#actor(step.actor)).replica.apply(step.ops as IntentsOp[])
        return
      case 'sync':
        return this.#sync(step)
      case 'exchange':
        return this.#exchange(step)
      case 'check':
        return this.#check(step, await this.#actor(step.actor))
      case 'until':
        return this.#until(step, await this.#actor(step.actor))
      case 'connect':
        return (await this.#actor(step.actor)).replica.connect()
      case 'disconnect':
        return (await this.#actor(step.actor)).replica.disconnect()
      case 'heard':
        return this.#hears(step.hears, (await this.#actor(step.actor)).tap.take().heard)
      case 'fill':
        return this.#fill(step)
      case 'operate':
        return this.#operate(step)
    }
  }

  async close(): Promise<void> {
    for (const { replica } of this.#actors.values()) await replica.close()
    await this.#way.close()
  }

  async #sync({ actor, says = [], hears = [], cutBefore, fails, keep }: StepOf<'sync'>): Promise<void> {
    const { replica, tap, sync } = await this.#actor(actor)
    tap.take()
    tap.cutBefore = cutBefore ?? null
    const code = await codeOf(replica.syncOnce(sync))
    const wasCut = tap.cutBefore === null
    tap.cutBefore = null
    await replica.flush()
    const { said, heard } = tap.take()
    if (cutBefore === undefined && code !== (fails ?? null)) {
      throw new Error(`it ended with ${code ?? 'no fault'}, not with ${fails ?? 'none'}`)
    }
    // Over HTTP a replica tries again at once, so it may end well all the same.
    if (cutBefore !== undefined && !wasCut) throw new Error(`no ${cutBefore} came, to be cut before it`)
    this.#hears(hears, heard)
    hold(missing(says, said.map(viewOf), this.#saved))
    const push = said.find(({ type }) => type === 'Push')
    if (keep === undefined) return
    if (push === undefined) throw new Error('nothing was pushed, to be kept')
    this.#saved.set(keep, push)
  }

  #hears(patterns: readonly unknown[], heard: readonly DownMessage[]): void {
    hold(missing(patterns, heard.map(viewOf), this.#saved))
  }

  async #exchange({ says, hears, answers }: StepOf<'exchange'>): Promise<void> {
    const channel = await this.#way.dial(new AbortController().signal)
    // Written as a replica writes them: a fixture that is wrong is refused by the hub.
    for (const message of says) channel.send(this.#message(message) as UpMessage)
    channel.end()
    const heard: DownMessage[] = []
    for (let next = await channel.receive(); next !== null; next = await channel.receive()) heard.push(next)
    channel.close()
    const isAnswer = ({ type }: DownMessage): boolean => type === 'Ack' || type === 'Refused'
    hold(mismatch(answers, heard.filter(isAnswer).map(viewOf), this.#saved, 'answers'))
    hold(mismatch(hears, heard.filter((message) => !isAnswer(message)).map(viewOf), this.#saved, 'hears'))
  }

  /** What every Hello says alike is left out in fixtures. */
  #message(pattern: unknown): unknown {
    const message = resolved(pattern, this.#saved) as Record<string, unknown>
    if (message['type'] !== 'Hello') return message
    const { name: domain, version: domainVersion } = intents
    return { namespace: this.#namespace, domain, domainVersion, cursor: null, ackedCounter: 0, ...message }
  }

  #check({ pending, rejected, state, seq, training }: Check, { replica }: Actor): void {
    const { status, tables } = replica
    const found = {
      ...(pending !== undefined && { pending: status.pending }),
      ...(rejected !== undefined && { rejected: status.rejected }),
      ...(state !== undefined && { state: status.state }),
      ...(seq !== undefined && { seq: status.cursor?.seq ?? 0 }),
      ...(training !== undefined && { training: sorted(exportOf(tables, 0).training) }),
    }
    hold(mismatch(asked({ pending, rejected, state, seq, training }), found, this.#saved, 'check'))
    // A pattern of an object lets other members be; of what was read nothing may be left over.
    const [meant, read] = [Object.keys(training ?? {}), Object.keys(found.training ?? {})]
    if (training !== undefined && meant.length !== read.length)
      throw new Error(`read were ${read.join(', ')}`)
  }

  async #until(step: Check, actor: Actor): Promise<void> {
    let why = ''
    const holds = (): boolean => {
      try {
        this.#check(step, actor)
        return true
      } catch (error) {
        why = error instanceof Error ? error.message : String(error)
        return false
      }
    }
    await until('the state of the actor', holds, 20_000).catch(() => {
      throw new Error(why)
    })
  }

  async #fill({ count, op }: StepOf<'fill'>): Promise<void> {
    const { dialLive: dial } = this.#way
    const replica = await this.#open(dial, true)
    try {
      for (let n = 1; n <= count; n++) {
        const numbered = JSON.parse(JSON.stringify(op).replaceAll('{n}', String(n))) as IntentsOp
        // One after the other, so that no two are logged together.
        await replica.apply(numbered).acked
      }
    } finally {
      await replica.close()
    }
  }

  async #operate({ what }: StepOf<'operate'>): Promise<void> {
    const { operate } = this.#hub
    if (operate === null) throw new Error('nobody operates this hub here')
    await operate(what, this.#namespace)
    // It may be another one now.
    await this.#way.close()
    this.#way = this.#hub.open(this.#wayName)
  }

  async #actor(name: string): Promise<Actor> {
    const known = this.#actors.get(name)
    if (known !== undefined) return known
    const tap = new Tap()
    const actor = {
      replica: await this.#open(
        tap.tapping(() => this.#way.dialLive),
        false,
      ),
      tap,
      sync: tap.tapping(() => this.#way.dial),
    }
    this.#actors.set(name, actor)
    this.#saved.set(name, actor.replica.id)
    return actor
  }

  #open(dial: Dial, live: boolean): Promise<Replica<typeof intents>> {
    const store = new MapReplicaStore()
    const namespace = this.#namespace
    return openReplica({ domain: intents, namespace, store, crdt: yjsCrdt, clock: systemClock, dial, live })
  }
}

function hold(why: string | null): void {
  if (why !== null) throw new Error(why)
}

function asked(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

function sorted(training: ReturnType<typeof exportOf>['training']): Record<string, unknown> {
  const intents = Object.entries(training).map(([id, lists]) => {
    return [id, Object.fromEntries(Object.entries(lists).map(([lang, list]) => [lang, [...list].sort()]))]
  })
  return Object.fromEntries(intents) as Record<string, unknown>
}

async function codeOf(work: Promise<unknown>): Promise<string | null> {
  try {
    await work
    return null
  } catch (error) {
    if (error instanceof SyncError) return error.code
    throw error
  }
}
