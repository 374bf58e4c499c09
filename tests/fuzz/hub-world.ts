/**
 * A hub on a store in memory, members who write honestly all the while, and a line to it for whoever does not. Members are
 * held against the hub in the end: what strangers said has changed nothing that the hub did not take.
 */
import { setImmediate } from 'node:timers/promises'
import {
  CLIENT_ID_MIN,
  commitName,
  type ClientId,
  type DownMessage,
  type PushedCommit,
  type ReplicaChannel,
  type ReplicaId,
} from '@rejoin/core'
import { digestOf, yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, openHub, readLog, verifyNamespace, type Hub, type ReadCommit } from '@rejoin/hub'
import { MapHubStore, VirtualClock } from '@rejoin/testkit'
import { memoryConnection, type MemoryConnection } from '@rejoin/transport'
import type { Seeded } from '../support/seeded.ts'
import { Author } from './author.ts'
import { shapes } from './shapes.ts'

/** Turns of the event loop in which every answer comes; no time passes here. */
const turnsMax = 5_000

export class HubWorld {
  readonly clock = new VirtualClock(3)
  readonly store = new MapHubStore()
  readonly hub: Hub
  readonly #connections: MemoryConnection[] = []

  constructor() {
    const { clock, store } = this
    // The whole log stays, to be read in the end.
    const retention = { commits: 1_000_000, bytes: 2 ** 30 }
    const { updates } = yjsCrdt
    this.hub = openHub({ store, clock, updates, domains: [shapes], rebuild: 'never', retention })
  }

  line(author: Author, namespace: string): Line {
    const connection = memoryConnection({
      clock: this.clock,
      accept: (channel) => void this.hub.accept(channel, anyone),
    })
    this.#connections.push(connection)
    return new Line(connection, author, namespace)
  }

  /** @throws Error where the log is at fault, or a member reads something else than it says. */
  async check(namespace: string, members: readonly Member[]): Promise<void> {
    const { faults, digest } = await verifyNamespace(this.store, yjsCrdt.updates, namespace)
    if (faults.length > 0) throw new Error(`${namespace}: ${JSON.stringify(faults)}`)
    const items = new LoggedItems()
    for await (const commit of readLog(this.store, namespace)) items.add(commit)
    for (const { line } of members) {
      line.hear()
      const { doc } = line.author
      if (doc.pendingCount > 0) throw new Error('something waits in the document of a member')
      if (digestOf(doc) !== digest)
        throw new Error(`a member of ${namespace} reads something else than the hub`)
    }
  }

  async close(): Promise<void> {
    for (const connection of this.#connections) if (connection.isOpen) connection.cut()
    await this.hub.close()
  }
}

/** What the log says of items, told apart from how the hub keeps count of them. */
class LoggedItems {
  readonly #names = new Set<string>()
  readonly #clients = new Map<ClientId, { readonly owner: ReplicaId; readonly clock: number }>()

  /** @throws Error where a commit is there twice, builds on what is not there, or writes under the id of another. */
  add({ id, update }: ReadCommit): void {
    const name = commitName(id)
    if (this.#names.has(name)) throw new Error(`${name} is logged twice`)
    this.#names.add(name)
    if (update.length === 0) return
    const { sections, deleted } = yjsCrdt.updates.inspectState(update)
    for (const { inserted } of sections) {
      const { owner, clock } = this.#clients.get(inserted.client) ?? { owner: id.replica, clock: 0 }
      if (owner !== id.replica) throw new Error(`${name} writes under the client id of ${owner}`)
      if (clock !== inserted.clock) throw new Error(`${name} writes at ${inserted.clock}, not at ${clock}`)
      this.#clients.set(inserted.client, { owner, clock: clock + inserted.length })
    }
    for (const { client, clock, length } of deleted) {
      const isKnown = clock + length <= (this.#clients.get(client)?.clock ?? 0)
      // Ids below are the hub's own: an epoch's filler is in no log.
      if (client >= CLIENT_ID_MIN && !isKnown) throw new Error(`${name} deletes what is not there`)
    }
  }
}

/** Whoever writes honestly and is not disturbed. */
export class Member {
  readonly line: Line
  readonly #random: Seeded

  constructor(line: Line, random: Seeded) {
    this.line = line
    this.#random = random
  }

  /** @throws Error where it is not acknowledged. */
  async write(count = 1): Promise<void> {
    this.line.hear()
    const commits = Array.from({ length: count }, () => this.line.author.someCommit(this.#random))
    for (const answer of await this.line.push(commits)) {
      if (answer !== 'Ack') throw new Error(`an honest commit was answered with ${answer}`)
    }
  }
}

/** One channel of one author. */
export class Line {
  readonly author: Author
  readonly channel: ReplicaChannel
  readonly #answers = new Map<number, string>()
  #epoch: number | null = null
  #updates: Uint8Array[] = []
  #isCaughtUp = false
  isClosed = false

  constructor(connection: MemoryConnection, author: Author, namespace: string) {
    this.author = author
    this.channel = connection.open()
    this.channel.send({
      type: 'Hello',
      namespace,
      domain: shapes.name,
      domainVersion: 1,
      replica: author.replica,
      cursor: null,
      ackedCounter: 0,
      capabilities: ['delta', 'newer'],
    })
    void this.#receive()
  }

  get epoch(): number | null {
    return this.#epoch
  }

  async caughtUp(): Promise<this> {
    await turnsUntil('the hub greets', () => this.#isCaughtUp || this.isClosed)
    return this
  }

  /** Takes over what came since. */
  hear(): void {
    const updates = this.#updates
    this.#updates = []
    if (updates.length > 0) this.author.hear(updates)
  }

  /** How each is answered: `Ack`, or a code; `closed` where the channel is. */
  async push(commits: readonly PushedCommit[], epoch = this.#epoch): Promise<readonly string[]> {
    for (const { counter } of commits) this.#answers.delete(counter)
    this.channel.send({ type: 'Push', epoch, commits: [...commits] })
    const answered = (): boolean => commits.every(({ counter }) => this.#answers.has(counter))
    await turnsUntil('the hub answers', () => this.isClosed || answered())
    return commits.map(({ counter }) => this.#answers.get(counter) ?? 'closed')
  }

  close(): void {
    this.channel.close()
  }

  async #receive(): Promise<void> {
    for (let next = await this.channel.receive(); next !== null; next = await this.channel.receive())
      this.#note(next)
    this.isClosed = true
  }

  #note(message: DownMessage): void {
    if (message.type === 'Ack') this.#answer(message.counter, 'Ack')
    else if (message.type === 'Refused' && message.counter !== null)
      this.#answer(message.counter, message.code)
    else if (message.type === 'Snapshot') this.#updates.push(message.snapshot)
    else if (message.type === 'Tail') {
      for (const { update } of message.commits)
        if (update !== null && update.length > 0) this.#updates.push(update)
    } else if (message.type === 'CaughtUp') this.#isCaughtUp = true
    // Whoever has a cursor knows the epoch.
    if ('cursor' in message && typeof message.cursor === 'object' && message.cursor !== null)
      this.#epoch = message.cursor.epoch
  }

  #answer(counter: number, answer: string): void {
    if (this.#answers.has(counter)) throw new Error(`commit ${counter} was answered twice`)
    this.#answers.set(counter, answer)
  }
}

export async function turnsUntil(what: string, holds: () => boolean): Promise<void> {
  for (let turn = 0; !holds(); turn++) {
    if (turn >= turnsMax) throw new Error(`waited ${turnsMax} turns in vain: ${what}`)
    await setImmediate()
  }
}
