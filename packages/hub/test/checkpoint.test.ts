import { MemoryLevel } from 'memory-level'
import { expect, test } from 'vitest'
import { SyncError, type HubStore, type Namespace, type NewCheckpoint } from '@rejoin/core'
import { MapHubStore, VirtualClock } from '@rejoin/testkit'
import { openHubStore } from '@rejoin/persistence-level'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { inlineWork, openHub, rebuildNamespace, verifyNamespace } from '../src/index.ts'
import { openLog } from '../src/opening.ts'
import { epochAfter } from '../src/rebuild.ts'
import { encodeMarks } from '../src/stored-marks.ts'
import { Author, Line, NAMESPACE, notes, openWorld, pass, settle, textsOf, type World } from './world.ts'

const stores: [string, () => Promise<HubStore>][] = [
  ['Maps', () => Promise.resolve(new MapHubStore())],
  ['LevelDB', () => openHubStore(new MemoryLevel(), { incarnation: 'a test' })],
]

async function marksOf(store: HubStore): Promise<string> {
  const { marks } = await openLog(store, yjsCrdt.updates, NAMESPACE)
  if (marks === null) throw new Error('there are no marks')
  return Buffer.from(encodeMarks(marks, new Uint8Array(), '')).toString('hex')
}

async function fill(
  world: World,
  count: number,
  ada = new Author(world.clock),
): Promise<{ ada: Author; line: Line }> {
  const line = new Line(world).hello(ada)
  await settle()
  for (let i = 1; i <= count; i++) {
    line.push(line.cursor?.epoch ?? null, ada.note(`n${i % 7}`, `text ${i}`))
    await settle()
  }
  return { ada, line }
}

test.each(stores)(
  '[5][13] checkpoint, trim and reload give the same marks, and know every resend (%s)',
  async (_, open) => {
    const store = await open()
    const world = openWorld({ store, retention: { commits: 2 } })
    const { ada, line } = await fill(world, 6)
    const before = await marksOf(store)
    await world.hub.checkpoint(NAMESPACE)
    expect(await marksOf(store)).toBe(before)
    const range = (await store.heads([NAMESPACE])).get(NAMESPACE)
    expect(range).toMatchObject({ head: line.cursor?.seq })
    expect(range?.floor).toBeGreaterThan(0)
    line.channel.close()
    await settle()
    expect(world.hub.metrics().rooms).toBe(0)

    const again = new Line(world).hello(ada, line.cursor)
    await settle()
    const resend = {
      counter: 3,
      prev: 2,
      hlc: ada.hlc.last,
      domainVersion: 1,
      ops: [{ type: 'Noted' }],
      update: Uint8Array.of(0, 0),
    }
    again.push(line.cursor?.epoch ?? null, resend)
    await settle()
    expect(again.of('Ack')).toMatchObject([{ counter: 3, duplicate: true }])
    expect(await marksOf(store)).toBe(before)
    again.push(line.cursor?.epoch ?? null, ada.note('after'))
    await settle()
    expect(again.of('Ack')[1]).toMatchObject({ counter: 7, duplicate: false })
    expect((await verifyNamespace(store, yjsCrdt.updates, NAMESPACE)).faults).toEqual([])
  },
)

test('pushes and tails decode no document', async () => {
  const world = openWorld()
  const { line } = await fill(world, 30)
  const reader = new Line(world).hello(new Author(world.clock))
  const behind = new Line(world).hello(new Author(world.clock), line.of('Tail')[3]?.cursor ?? null)
  await settle()
  expect(reader.of('CaughtUp')).toHaveLength(1)
  expect(behind.of('Welcome')[0]?.path).toBe('tail')
  expect(world.hub.metrics()).toMatchObject({ documentsDecoded: 0, checkpoints: 0, commits: 30 })
})

test('a checkpoint is built when the log has outgrown the last one, and not again before', async () => {
  const world = openWorld({ checkpoint: { bytesMin: 2_000 }, retention: { commits: 3 } })
  const { line } = await fill(world, 40)
  const built = world.hub.metrics().checkpoints
  expect(built).toBeGreaterThan(1)
  expect(built).toBeLessThan(10)
  expect(line.of('Ack')).toHaveLength(40)
  const report = await verifyNamespace(world.store, yjsCrdt.updates, NAMESPACE)
  expect(report.faults).toEqual([])
  expect(report.floor).toBeGreaterThan(0)
})

test('[3] no ack waits for a checkpoint', async () => {
  let release: (snapshot: Uint8Array) => void = () => {}
  const world = openWorld({
    checkpoint: { bytesMin: 1 },
    heavy: {
      ...inlineWork(yjsCrdt.updates),
      compact: () => new Promise<Uint8Array>((resolve) => (release = resolve)),
    },
  })
  const { line } = await fill(world, 5)
  expect(line.of('Ack')).toHaveLength(5)
  expect(world.hub.metrics().checkpoints).toBe(0)
  release(new Uint8Array())
  await settle()
  expect(line.of('Ack')).toHaveLength(5)
})

test('[13] a snapshot that does not hold what the log holds is thrown away, and tried again later', async () => {
  let wrong = true
  const world = openWorld({
    checkpoint: { bytesMin: 1 },
    heavy: {
      ...inlineWork(yjsCrdt.updates),
      compact: (parts) => Promise.resolve(yjsCrdt.updates.compact(wrong ? parts.slice(0, 1) : parts)),
    },
  })
  const { ada, line } = await fill(world, 3)
  expect(world.hub.metrics()).toMatchObject({ checkpoints: 1 })
  expect(world.hub.metrics().checkpointFailures).toBeGreaterThan(0)
  expect((await world.store.checkpoint(NAMESPACE))?.seq).toBe(1)
  await expect(world.hub.checkpoint(NAMESPACE)).rejects.toMatchObject({ code: 'HUB_INTERNAL' })
  wrong = false
  await pass(world.clock, 5_000)
  line.push(line.cursor?.epoch ?? null, ada.note('more', 'x'.repeat(1_000)))
  await settle()
  expect((await world.store.checkpoint(NAMESPACE))?.seq).toBe(4)
})

test('a checkpoint of a namespace that does not exist is refused', async () => {
  await expect(openWorld().hub.checkpoint('nowhere')).rejects.toMatchObject({ code: 'NAMESPACE_UNKNOWN' })
})

test.each(stores)(
  '[7][10] a rebuilt namespace resets its replicas, and goes on with their marks (%s)',
  async (_, open) => {
    const store = await open()
    const clock = new VirtualClock(1)
    const world = openWorld({ store, clock })
    const { ada, line } = await fill(world, 20)
    const old = line.cursor
    const before = await verifyNamespace(store, yjsCrdt.updates, NAMESPACE)
    await world.hub.close()

    const rebuilt = await rebuildNamespace(store, yjsCrdt.updates, NAMESPACE, clock)
    expect(rebuilt).toMatchObject({ epoch: old === null ? 0 : epochAfter(old), digest: before.digest })
    const after = await verifyNamespace(store, yjsCrdt.updates, NAMESPACE)
    expect(after).toMatchObject({ digest: before.digest, faults: [], records: 1, checkpointSeq: rebuilt.seq })

    const next = openWorld({ store, clock })
    const back = new Line(next).hello(ada, old)
    await settle()
    expect(back.story).toBe(`Welcome:reset Snapshot@${rebuilt.seq} CaughtUp@${rebuilt.seq}:20`)
    back.push(old?.epoch ?? null, ada.note('from the old epoch'))
    await settle()
    expect(back.of('Refused')).toMatchObject([{ counter: 21, code: 'EPOCH_CHANGED', retryable: true }])
    const fresh = new Author(clock, back.updates, ada.replica)
    const recommitted = { ...fresh.note('recommitted'), counter: 21, prev: 20 }
    back.push(rebuilt.epoch, recommitted)
    await settle()
    expect(back.of('Ack')).toMatchObject([{ counter: 21, duplicate: false }])
    const reader = new Line(next).hello(new Author(clock))
    await settle()
    expect(textsOf(reader.updates)).toMatchObject({ recommitted: 'text of recommitted' })
    expect(Object.keys(textsOf(reader.updates))).toHaveLength(8)
  },
)

test('[7] what a replica without a base made before a rebuild is refused, and a reset tells it where to go on', async () => {
  const clock = new VirtualClock(1)
  const store = new MapHubStore()
  const world = openWorld({ store, clock })
  const { ada } = await fill(world, 2)
  await world.hub.close()
  await rebuildNamespace(store, yjsCrdt.updates, NAMESPACE, clock)
  const next = openWorld({ store, clock })
  const line = new Line(next).hello(ada, null).push(null, ada.note('offline'))
  await settle()
  expect(line.story).toBe('Welcome:reset Snapshot@3 CaughtUp@3:2 Refused:3:EPOCH_CHANGED')
})

/** A store that crashes at a word. */
class CrashingStore extends MapHubStore {
  crashAt: 'installCheckpoint' | 'trim' | null = null

  override async installCheckpoint(namespace: Namespace, checkpoint: NewCheckpoint) {
    if (this.crashAt === 'installCheckpoint') throw new SyncError('STORE_CLOSED', 'crashed')
    return await super.installCheckpoint(namespace, checkpoint)
  }

  override async trim(namespace: Namespace, upTo: number) {
    if (this.crashAt === 'trim') throw new SyncError('STORE_CLOSED', 'crashed')
    return await super.trim(namespace, upTo)
  }
}

test.each(['installCheckpoint', 'trim'] as const)(
  '[13] a rebuild that crashed before %s is completed by whoever opens it',
  async (at) => {
    const clock = new VirtualClock(1)
    const store = new CrashingStore()
    const world = openWorld({ store, clock })
    const { ada, line } = await fill(world, 5)
    const old = line.cursor
    const before = await verifyNamespace(store, yjsCrdt.updates, NAMESPACE)
    await world.hub.close()
    store.crashAt = at
    await expect(rebuildNamespace(store, yjsCrdt.updates, NAMESPACE, clock)).rejects.toMatchObject({
      code: 'STORE_CLOSED',
    })
    store.crashAt = null
    const next = openWorld({ store, clock })
    const back = new Line(next).hello(ada, old)
    await settle()
    expect(back.story).toBe('Welcome:reset Snapshot@6 CaughtUp@6:5')
    expect(textsOf(back.updates)).toEqual(
      textsOf(line.updates.length > 0 ? line.updates : [ada.doc.encode()]),
    )
    const report = await verifyNamespace(store, yjsCrdt.updates, NAMESPACE)
    expect(report).toMatchObject({ digest: before.digest, faults: [] })
  },
)

test('[7] a rebuild by another process reaches the sessions that are there', async () => {
  const clock = new VirtualClock(1)
  const store = new MapHubStore()
  const world = openWorld({ store, clock })
  const { line, ada } = await fill(world, 3)
  line.forget()
  await rebuildNamespace(store, yjsCrdt.updates, NAMESPACE, clock)
  line.push(world.hub.status().rooms[0]?.head?.epoch ?? null, ada.note('of the old epoch'))
  await pass(clock, 1_000)
  expect(line.story).toMatch(/Welcome:reset Snapshot@4 CaughtUp@4:3/)
  expect(line.of('Refused')).toMatchObject([{ counter: 4, code: 'EPOCH_CHANGED' }])
})

test('hubs share a namespace that either of them checkpoints', async () => {
  const clock = new VirtualClock(1)
  const store = new MapHubStore()
  const options = { store, clock, retention: { commits: 1 } }
  const [one, two] = [openWorld(options), openWorld(options)]
  const reader = new Line(two).hello(new Author(clock))
  await settle()
  await fill(one, 5)
  await one.hub.checkpoint(NAMESPACE)
  await pass(clock, 6_000)
  expect(reader.story).toBe('Welcome:unknown CaughtUp@none:0 Welcome:snapshot Snapshot@5 CaughtUp@5:0')
  expect(Object.keys(textsOf(reader.updates))).toHaveLength(5)
  expect(openHub({ store, clock, updates: yjsCrdt.updates, domains: [notes] }).status().rooms).toEqual([])
})
