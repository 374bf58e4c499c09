// A world in a few words: a domain, a replica over a store that outlives it, and a hub whose lines the test speaks itself.
import {
  canonicalOps,
  defineDomain,
  HlcClock,
  Id,
  map,
  planWrites,
  records,
  singleton,
  SyncError,
  type AnyOp,
  type CatchUpPath,
  type Cursor,
  type Dial,
  type DownMessage,
  type Durability,
  type Hlc,
  type HubChannel,
  type OpOf,
  type ReplicaChannel,
  type TailCommit,
  type UpMessage,
} from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { openReplica, type Replica, type ReplicaOptions } from '@rejoin/replica'
import { MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { memoryConnection } from '@rejoin/transport'
import { z } from 'zod'

const todoOf = (titleCharsMax: number) =>
  defineDomain({
    name: 'todo',
    version: 2,
    tables: {
      lists: records({ title: z.string().max(titleCharsMax), color: z.enum(['red', 'blue']).optional() }),
      items: map({ key: z.tuple([Id, Id]), value: z.string().max(100_000), under: 'lists' }),
      settings: singleton({ owner: z.string() }),
    },
    ops: (op) => ({
      ListAdded: op(z.object({ id: Id, title: z.string() }), (t, o) => t.lists.add(o.id, { title: o.title })),
      ListTitled: op(z.object({ id: Id, title: z.string() }), (t, o) =>
        t.lists.set(o.id, { title: o.title }),
      ),
      ListRemoved: op(z.object({ id: Id }), (t, o) => t.lists.remove(o.id)),
      ItemSet: op(z.object({ list: Id, item: Id, text: z.string() }), (t, o) =>
        t.items.set([o.list, o.item], o.text),
      ),
      ItemRemoved: op(z.object({ list: Id, item: Id }), (t, o) => t.items.remove([o.list, o.item])),
      OwnerNamed: op(z.object({ owner: z.string() }), (t, o) => t.settings.set({ owner: o.owner })),
      BlueOnly: op(z.object({ id: Id }), (t, o) => {
        if (t.lists.get(o.id)?.title === 'red') throw new Error('it is red')
        t.lists.set(o.id, { color: 'blue' })
      }),
    }),
  })
export const todo = todoOf(200)
/** As a hub may know it that refuses longer titles for good. */
export const strictTodo = todoOf(6)
export type Todo = typeof todo
export type TodoOp = OpOf<Todo>

export const listAdded = (id: string, title = id): TodoOp => ({ type: 'ListAdded', id, title })
export const titled = (id: string, title: string): TodoOp => ({ type: 'ListTitled', id, title })
export const itemSet = (list: string, item: string, text = item): TodoOp => ({
  type: 'ItemSet',
  list,
  item,
  text,
})
export const listRemoved = (id: string): TodoOp => ({ type: 'ListRemoved', id })

/** Everything that can run without time passing has run. */
export async function turn(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}

export async function until(what: string, condition: () => boolean, beforeEach?: () => void): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (condition()) return
    beforeEach?.()
    await turn()
  }
  throw new Error(`never happened: ${what}`)
}

export function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof SyncError ? error.code : String(error)),
  )
}

export type Options = Partial<ReplicaOptions<Todo>> & { store?: MapReplicaStore; clock?: VirtualClock }

export async function openTodo(options: Options = {}): Promise<Replica<Todo>> {
  return openReplica({
    domain: todo,
    namespace: 'home',
    store: options.store ?? new MapReplicaStore(),
    crdt: yjsCrdt,
    clock: options.clock ?? new VirtualClock(1),
    dial: null,
    ...options,
  })
}

/** A store that fails while it is told to, and counts the batches that it records. */
export class ShakyStore extends MapReplicaStore {
  failing: SyncError | null = null
  batches = 0
  /** Kinds and counters of the steps recorded, in order. */
  readonly recorded: string[] = []
  /** While set, `load` waits for it. */
  loading: Promise<void> | null = null
  /** While set, each record waits before it is carried out; `letRecord` lets the oldest go on. */
  slow = false
  readonly #waiting: (() => void)[] = []

  letRecord(): void {
    this.#waiting.shift()?.()
  }

  override async load() {
    await this.loading
    return super.load()
  }

  override async record(steps: Parameters<MapReplicaStore['record']>[0]): Promise<void> {
    if (this.slow) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    if (this.failing !== null) throw this.failing
    this.batches++
    for (const step of steps)
      this.recorded.push(step.kind === 'local' ? `local ${step.commit.id.counter}` : step.kind)
    return super.record(steps)
  }
}

export function asOneShot(channel: ReplicaChannel): ReplicaChannel {
  return new Proxy(channel, {
    get: (target, name) => {
      if (name === 'oneShot') return true
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** The hub's end of each channel that a replica opens; the test says what it answers. */
export class ScriptedHub {
  readonly lines: HubLine[] = []
  reachable = true
  readonly #clock: VirtualClock
  readonly #oneShot: boolean

  constructor(clock: VirtualClock, options: { oneShot?: boolean } = {}) {
    this.#clock = clock
    this.#oneShot = options.oneShot ?? false
  }

  readonly dial: Dial = async () => {
    if (!this.reachable) throw new SyncError('HUB_UNREACHABLE', 'no hub here')
    const connection = memoryConnection({
      clock: this.#clock,
      accept: (channel) => this.lines.push(new HubLine(channel, () => connection.cut())),
    })
    const channel = connection.open()
    return this.#oneShot ? asOneShot(channel) : channel
  }

  /** The next channel after `index` others, with its `Hello` read. */
  async line(index: number): Promise<HubLine> {
    await until(`channel ${index}`, () => this.lines.length > index)
    const line = this.lines[index]
    if (line === undefined) throw new Error('no such channel')
    await line.next('Hello')
    return line
  }
}

export class HubLine {
  readonly heard: UpMessage[] = []
  readonly #channel: HubChannel
  readonly cut: () => void
  /** How many of `heard` the test has taken. */
  #taken = 0
  ended = false

  constructor(channel: HubChannel, cut: () => void) {
    this.#channel = channel
    this.cut = cut
    void this.#listen()
  }

  say(...messages: DownMessage[]): void {
    for (const message of messages) this.#channel.send(message)
  }

  close(): void {
    this.#channel.close()
  }

  /** The next message that the test has not taken, which must be of this type. */
  async next<T extends UpMessage['type']>(type: T): Promise<Extract<UpMessage, { type: T }>> {
    await until(`a ${type}`, () => this.heard.length > this.#taken)
    const message = this.heard[this.#taken++]
    if (message?.type !== type) throw new Error(`expected ${type}, heard ${message?.type}`)
    return message as Extract<UpMessage, { type: T }>
  }

  /** Pushes that the test has not taken, after everything has settled. */
  async pushes(): Promise<Extract<UpMessage, { type: 'Push' }>[]> {
    await turn()
    const rest = this.heard.slice(this.#taken)
    this.#taken = this.heard.length
    return rest.filter((message) => message.type === 'Push')
  }

  async #listen(): Promise<void> {
    for (;;) {
      const message = await this.#channel.receive()
      if (message === null) break
      this.heard.push(message)
    }
    this.ended = true
  }
}

export const cursor = (seq: number, epoch = 7): Cursor => ({
  epoch,
  seq,
  tag: seq.toString(16).padStart(16, '0'),
})
export const welcome = (path: CatchUpPath, durability: Durability = 'durable'): DownMessage => ({
  type: 'Welcome',
  path,
  why: `${path} it is`,
  durability,
})
export const caughtUp = (
  at: Cursor | null,
  ackedCounter = 0,
  ackedHlc: Hlc | null | undefined = null,
): DownMessage => ({
  type: 'CaughtUp',
  cursor: at,
  ackedCounter,
  ackedHlc,
})
/** The document that `parts` make was rebuilt at `at`, and is left to the replica. */
export const rebuild = (at: Cursor, parts: readonly Uint8Array[]): DownMessage => ({
  type: 'Rebuild',
  cursor: at,
  digest: yjsCrdt.updates.digest(parts),
})
export const tail = (at: Cursor, ...commits: TailCommit[]): DownMessage => ({
  type: 'Tail',
  cursor: at,
  commits,
})
export const ack = (counter: number, duplicate = false, durability: Durability = 'durable'): DownMessage => ({
  type: 'Ack',
  counter,
  seq: 1,
  duplicate,
  durability,
})
export const refused = (
  counter: number | null,
  code: SyncError['code'],
  retryAfterMs: number | null = null,
): DownMessage => ({
  type: 'Refused',
  counter,
  code,
  message: `${code} it is`,
  path: null,
  retryable: new SyncError(code, '').retryable,
  retryAfterMs,
})

/** Somebody else's document and the commits it makes. */
export class Peer {
  readonly replica: string
  readonly #hlc: HlcClock
  readonly #clock: VirtualClock
  readonly document
  #counter = 0

  constructor(clock: VirtualClock, name = 'P', clientId = 5000, base: readonly Uint8Array[] = []) {
    this.replica = name.padEnd(22, 'A')
    this.#clock = clock
    this.#hlc = new HlcClock(this.replica, null)
    this.document = yjsCrdt.open(clientId, base)
  }

  commit(...input: TodoOp[]): TailCommit & { update: Uint8Array } {
    const hlc = this.#hlc.tick(this.#clock.now())
    const ops = canonicalOps(todo, input as readonly AnyOp[])
    const update = this.document.write(planWrites(todo, ops, this.document, hlc, 'optional'), hlc)
    if (update === null) throw new Error('the peer changed nothing')
    return { replica: this.replica, counter: ++this.#counter, update }
  }
}

export const bytesOf = (replica: Replica<Todo>): string => Buffer.from(replica.encode()).toString('hex')

/** Time passes until the work is done. */
export async function finished<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  let done = false
  void work.then(
    () => (done = true),
    () => (done = true),
  )
  for (let i = 0; !done && i < 400; i++) {
    await turn()
    if (!done) clock.advanceToNext()
  }
  if (!done) throw new Error('it never ends')
  return work
}
