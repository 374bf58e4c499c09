/** A hub on a store in memory, and replicas that are no engines: each test says every message itself. */
import {
  defineDomain,
  HlcClock,
  Id,
  map,
  planWrites,
  replicaIdOf,
  type AnyDomain,
  type AnyOp,
  type CrdtDocument,
  type Cursor,
  type DownMessage,
  type Epoch,
  type Hello,
  type HubChannel,
  type HubStore,
  type PushedCommit,
  type ReplicaChannel,
  type ReplicaId,
} from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { MapHubStore, VirtualClock } from '@rejoin/testkit'
import { memoryConnection, type MemoryConnection } from '@rejoin/transport'
import { z } from 'zod'
import { anyone, openHub, type Hub, type HubOptions, type Principal } from '../src/index.ts'

export const NAMESPACE = 'groceries'
export const notes = defineDomain({
  name: 'notes',
  version: 2,
  tables: { notes: map({ key: Id, value: z.string().max(100_000) }) },
  ops: (op) => ({
    Noted: op(z.object({ id: Id, text: z.string().max(100_000) }), (t, o) => t.notes.set(o.id, o.text)),
    Forgotten: op(z.object({ id: Id }), (t, o) => t.notes.remove(o.id)),
  }),
})
export const other = defineDomain({
  name: 'other',
  version: 1,
  tables: { things: map({ key: Id, value: z.string() }) },
  ops: (op) => ({ Put: op(z.object({ id: Id, text: z.string() }), (t, o) => t.things.set(o.id, o.text)) }),
})

export interface World {
  readonly hub: Hub
  readonly store: HubStore
  readonly clock: VirtualClock
}

export function openWorld(options: Partial<HubOptions> & { clock?: VirtualClock } = {}): World {
  const clock = options.clock ?? new VirtualClock(1)
  const store = options.store ?? new MapHubStore()
  const hub = openHub({ updates: yjsCrdt.updates, domains: [notes, other], ...options, store, clock })
  return { hub, store, clock }
}

/** Lets everything that is under way in this process happen; no time passes. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 40; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** Lets time pass as well, in small steps. */
export async function pass(clock: VirtualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 100) {
    await settle()
    clock.advance(100)
  }
  await settle()
}

let lastReplica = 0

/** The author's side of a document: makes commits as a replica does. */
export class Author {
  readonly replica: ReplicaId
  readonly clientId: number
  readonly doc: CrdtDocument
  readonly hlc: HlcClock
  readonly clock: VirtualClock
  counter = 0
  prev = 0
  /** Which the ops are written in. */
  domain: AnyDomain = notes
  domainVersion = 1

  constructor(clock: VirtualClock, base: readonly Uint8Array[] = [], replica?: ReplicaId) {
    const number = ++lastReplica
    this.replica = replica ?? replicaIdOf(new Uint8Array(16).fill(number))
    this.clientId = 5_000 + number
    this.clock = clock
    this.doc = yjsCrdt.open(this.clientId, base)
    this.hlc = new HlcClock(this.replica, null)
  }

  commit(...ops: AnyOp[]): PushedCommit {
    const hlc = this.hlc.tick(this.clock.now())
    const { domain, domainVersion } = this
    const writes = planWrites(domain, ops, this.doc, hlc, 'optional')
    const update = this.doc.write(writes, hlc) ?? new Uint8Array(0)
    const commit = { counter: ++this.counter, prev: this.prev, hlc, domainVersion, ops: [...ops], update }
    this.prev = this.counter
    return commit
  }

  note(id: string, text = `text of ${id}`): PushedCommit {
    return this.commit({ type: 'Noted', id, text })
  }
}

/** One channel to a hub with everything that came down it. */
export class Line {
  readonly connection: MemoryConnection
  readonly channel: ReplicaChannel
  /** The hub's end, once its first message came. */
  hubChannel: HubChannel | null = null
  readonly received: DownMessage[] = []
  readonly ended: Promise<void>

  constructor({ hub, clock }: { hub: Hub; clock: VirtualClock }, principal: Principal = anyone) {
    this.connection = memoryConnection({
      clock,
      accept: (channel) => {
        this.hubChannel = channel
        void hub.accept(channel, principal)
      },
    })
    this.channel = this.connection.open()
    this.ended = this.#receive()
  }

  hello(author: Pick<Author, 'replica'>, cursor: Cursor | null = null, more: Partial<Hello> = {}): this {
    this.channel.send({
      type: 'Hello',
      namespace: NAMESPACE,
      domain: 'notes',
      domainVersion: 1,
      replica: author.replica,
      cursor,
      ackedCounter: 0,
      capabilities: ['delta', 'newer'],
      ...more,
    })
    return this
  }

  push(epoch: Epoch | null, ...commits: PushedCommit[]): this {
    this.channel.send({ type: 'Push', epoch, commits })
    return this
  }

  of<Type extends DownMessage['type']>(type: Type): Extract<DownMessage, { type: Type }>[] {
    return this.received.filter(
      (message): message is Extract<DownMessage, { type: Type }> => message.type === type,
    )
  }

  /** One word a message, as they came. */
  get story(): string {
    return this.received.map(storyOf).join(' ')
  }

  get cursor(): Cursor | null {
    const at = this.received.findLast((message) => 'cursor' in message && typeof message.cursor === 'object')
    return at?.type === 'Tail' || at?.type === 'Snapshot' || at?.type === 'CaughtUp' ? at.cursor : null
  }

  /** All bytes that came down, in order: what a document is made of. */
  get updates(): readonly Uint8Array[] {
    return this.received.flatMap((message) => {
      if (message.type === 'Snapshot') return [message.snapshot]
      return message.type === 'Tail'
        ? message.commits.flatMap(({ update }) => (update?.length ? [update] : []))
        : []
    })
  }

  forget(): void {
    this.received.length = 0
  }

  async #receive(): Promise<void> {
    for (
      let message = await this.channel.receive();
      message !== null;
      message = await this.channel.receive()
    ) {
      this.received.push(message)
    }
  }
}

function storyOf(message: DownMessage): string {
  switch (message.type) {
    case 'Welcome':
      return `Welcome:${message.path}`
    case 'RevisionGap':
      return `RevisionGap:${message.cursor}<${message.floor}`
    case 'Snapshot':
      return `Snapshot@${message.cursor.seq}`
    case 'Rebuild':
      return `Rebuild@${message.cursor.seq}`
    case 'HealWanted':
      return 'HealWanted'
    case 'NewerDomain':
      return `NewerDomain:${message.domainVersion}`
    case 'Tail':
      return `Tail@${message.cursor.seq}[${message.commits.map(({ counter, update }) => (update === null ? `own${counter}` : counter)).join(',')}]`
    case 'CaughtUp':
      return `CaughtUp@${message.cursor?.seq ?? 'none'}:${message.ackedCounter}`
    case 'Ack':
      return `Ack:${message.counter}${message.duplicate ? 'again' : ''}@${message.seq}`
    case 'Refused':
      return `Refused:${message.counter ?? 'room'}:${message.code}`
    case 'Awareness':
      return 'Awareness'
    case 'Closing':
      return `Closing:${message.code}`
  }
}

/** What one client presents; null: it leaves. */
export function presenceOf(client: number, clock: number, state: unknown = { at: clock }): Uint8Array {
  return yjsCrdt.updates.encodePresence([{ client, clock, json: JSON.stringify(state) }])
}

/** Text of every note that these updates make. */
export function textsOf(updates: readonly Uint8Array[]): Record<string, string> {
  const doc = yjsCrdt.open(4_999, updates)
  const texts: Record<string, string> = {}
  for (const register of doc.scan('notes', [])) {
    const [entry] = register
    if (entry !== undefined) texts[entry.key.join('/')] = String(entry.value)
  }
  doc.destroy()
  return texts
}
