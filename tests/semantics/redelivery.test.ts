// Idempotence in bytes, over the wire: a commit that is pushed again, and a tail that comes again, change nothing anywhere:
// not the hub's log, not the document of who pushed, not the document of who receives.
import { describe, expect, test } from 'vitest'
import {
  SyncError,
  type Dial,
  type DownMessage,
  type HubStore,
  type PushedCommit,
  type ReplicaChannel,
} from '@rejoin/core'
import { anyone } from '@rejoin/hub'
import { MapReplicaStore } from '@rejoin/testkit'
import { memoryConnection, type MemoryConnection } from '@rejoin/transport'
import { bytesOf, NAMESPACE, openScene, ops, type Scene } from './eight-ops.ts'

describe('a commit pushed again', () => {
  test.each(ops)(
    '[2] [5] %s: on new channels, twice and five times, it is acknowledged and not logged again',
    async (_, op) => {
      const scene = await openScene()
      const { ann, hubStore } = scene
      const { epoch } = ann.status.cursor ?? { epoch: null }
      ann.apply(op)
      const [commit] = ann.outbox
      if (commit === undefined) throw new Error('the op made no commit')
      await ann.syncOnce()
      const reader = await scene.newcomer()
      await reader.syncOnce()
      const once = { ann: bytesOf(ann), reader: bytesOf(reader), log: await logOf(hubStore) }
      const { counter } = commit.id
      const { prev, hlc, domainVersion, update } = commit
      const pushed: PushedCommit = { counter, prev, hlc, domainVersion, ops: [...commit.ops], update }

      for (const commits of [[pushed], [pushed], [pushed, pushed, pushed]]) {
        const answers = await pushAgain(scene, epoch, commits)
        expect(answers).toEqual(
          commits.map(() => expect.objectContaining({ type: 'Ack', counter, duplicate: true })),
        )
      }
      await ann.syncOnce()
      await reader.syncOnce()
      const newcomer = await scene.newcomer()
      await newcomer.syncOnce()
      expect({ ann: bytesOf(ann), reader: bytesOf(reader), log: await logOf(hubStore) }).toEqual(once)
      expect(bytesOf(newcomer)).toEqual(once.reader)
      for (const replica of [ann, reader, newcomer]) await replica.close()
      await scene.hub.close()
    },
  )
})

describe('a tail that comes again', () => {
  test.each(ops)('[2] %s: delivered twice and five times, to its author too', async (_, op) => {
    const scene = await openScene()
    const { ann } = scene
    const [once, twice, often] = [await scene.newcomer(), await scene.newcomer(), await scene.newcomer()]
    const all = [
      [once, 1],
      [twice, 2],
      [often, 5],
    ] as const
    for (const [replica, times] of all) await replica.syncOnce(repeating(scene, times).dial)
    ann.apply(op)
    const applied = bytesOf(ann)
    await ann.syncOnce(repeating(scene, 5).dial)
    expect(bytesOf(ann)).toEqual(applied)
    expect(ann.status.pending).toBe(0)
    for (const [replica, times] of all) {
      const wire = repeating(scene, times)
      await replica.syncOnce(wire.dial)
      expect(wire.tails).toBe(times)
      expect(bytesOf(replica)).toEqual(bytesOf(once))
      expect(replica.status.cursor).toEqual(ann.status.cursor)
    }
    for (const replica of [ann, once, twice, often]) await replica.close()
    await scene.hub.close()
  })

  test.each(ops)(
    '[2] [6] %s: told and not saved, it is neither asked for again nor forgotten, however often the connection breaks',
    async (_, op) => {
      const scene = await openScene()
      const { ann } = scene
      let failing = false
      const fault = (call: string): SyncError | undefined =>
        failing && call === 'record' ? new SyncError('STORE_UNAVAILABLE', 'away') : undefined
      const wire = repeating(scene, 1)
      const reader = await scene.newcomer({ store: new MapReplicaStore({ fault }), dial: wire.dial })
      await reader.syncOnce()
      const { cursor } = reader.status
      ann.apply(op)
      await ann.syncOnce()

      failing = true
      wire.tails = 0
      reader.connect()
      await until('the tail came', scene, () => wire.tails === 1 && reader.status.state === 'live')
      const once = bytesOf(reader)
      for (let times = 1; times <= 4; times++) {
        // The app is told the recorded cursor, the hub the applied one.
        expect(reader.status.cursor).toEqual(cursor)
        wire.cut()
        await until('it is gone', scene, () => reader.status.state !== 'live')
        await until('it is back', scene, () => reader.status.state === 'live')
        expect([wire.tails, bytesOf(reader)]).toEqual([1, once])
      }
      failing = false
      await until('it is saved', scene, () => reader.status.persistence === 'ok')
      expect(reader.status.cursor).toEqual(ann.status.cursor)
      expect(bytesOf(reader)).toEqual(once)
      const newcomer = await scene.newcomer()
      await newcomer.syncOnce()
      expect(bytesOf(newcomer)).toEqual(once)
      reader.disconnect()
      for (const replica of [ann, reader, newcomer]) await replica.close()
      await scene.hub.close()
    },
  )
})

/** Connections to the scene's hub that deliver every tail so many times. */
class Repeating {
  readonly #scene: Scene
  readonly #times: number
  #connection: MemoryConnection | null = null
  tails = 0

  constructor(scene: Scene, times: number) {
    this.#scene = scene
    this.#times = times
  }

  readonly dial: Dial = async () => {
    const { clock, hub } = this.#scene
    this.#connection = memoryConnection({ clock, accept: (channel) => void hub.accept(channel, anyone) })
    return this.#repeat(this.#connection.open())
  }

  cut(): void {
    this.#connection?.cut()
  }

  #repeat(channel: ReplicaChannel): ReplicaChannel {
    const again: DownMessage[] = []
    const receive = async (): Promise<DownMessage | null> => {
      const message = again.shift() ?? (await channel.receive())
      if (message?.type !== 'Tail') return message
      // A tail begins where none is being repeated.
      if (this.tails++ % this.#times === 0) again.push(...Array<DownMessage>(this.#times - 1).fill(message))
      return message
    }
    return new Proxy(channel, {
      get: (target, name) => {
        if (name === 'receive') return receive
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
  }
}

function repeating(scene: Scene, times: number): Repeating {
  return new Repeating(scene, times)
}

/** Greets the hub as Ann on a channel of its own, pushes, and gives the answers. */
async function pushAgain(
  { ann, clock, hub }: Scene,
  epoch: number | null,
  commits: PushedCommit[],
): Promise<readonly DownMessage[]> {
  const connection = memoryConnection({ clock, accept: (channel) => void hub.accept(channel, anyone) })
  const channel = connection.open()
  const { cursor } = ann.status
  channel.send({
    type: 'Hello',
    namespace: NAMESPACE,
    domain: 'intents',
    domainVersion: 1,
    replica: ann.id,
    cursor,
    ackedCounter: 0,
    capabilities: ['delta'],
  })
  channel.send({ type: 'Push', epoch, commits })
  channel.end()
  const answers: DownMessage[] = []
  for (let message = await channel.receive(); message !== null; message = await channel.receive()) {
    if (message.type === 'Ack' || message.type === 'Refused') answers.push(message)
    if (message.type === 'Tail') throw new Error('something new was logged')
  }
  channel.close()
  return answers
}

/** Every record that the hub keeps, byte for byte. */
async function logOf(store: HubStore): Promise<readonly string[]> {
  const tail = await store.readTail(NAMESPACE, 0, { records: 1_000, bytes: 1 << 30 })
  if (tail.kind === 'gap') throw new Error('the log was trimmed')
  return tail.records.map(({ seq, body }) => `${seq} ${Buffer.from(body).toString('hex')}`)
}

async function until(what: string, { clock }: Scene, condition: () => boolean): Promise<void> {
  for (let i = 0; i < 2_000; i++) {
    for (let j = 0; j < 3; j++) await new Promise((resolve) => setImmediate(resolve))
    if (condition()) return
    clock.advance(50)
  }
  throw new Error(`never happened: ${what}`)
}
