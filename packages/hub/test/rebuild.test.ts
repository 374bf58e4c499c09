// A rebuild while the hub serves: who stands right before it is told so, and makes the new document of what it has.
import { expect, test } from 'vitest'
import {
  limits,
  REBUILD_CLIENT_ID,
  SyncError,
  type Cursor,
  type HubStore,
  type Namespace,
  type TailLimit,
} from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { MapHubStore, VirtualClock } from '@rejoin/testkit'
import {
  inlineWork,
  rebuildNamespace,
  verifyNamespace,
  type HeavyWork,
  type HubLogEvent,
} from '../src/index.ts'
import { installRebuild } from '../src/complete-rebuild.ts'
import { readPage } from '../src/log.ts'
import { openLog } from '../src/opening.ts'
import { epochAfter } from '../src/rebuild.ts'
import { encodeRecord } from '../src/record.ts'
import { isRebuildDue } from '../src/rebuild-policy.ts'
import { Author, Line, NAMESPACE, openWorld, pass, settle, textsOf, type World } from './world.ts'

const rebuilds = { capabilities: ['delta', 'rebuild'] }
const { updates } = yjsCrdt

/** An author that is live and has made so many commits. */
async function fill(
  world: World,
  count: number,
  ada = new Author(world.clock),
  cursor: Cursor | null = null,
) {
  const line = new Line(world).hello(ada, cursor, rebuilds)
  await settle()
  for (let i = 0; i < count; i++) {
    line.push(line.cursor?.epoch ?? null, ada.note(`n${ada.counter % 7}`, `text ${ada.counter}`))
    await settle()
  }
  return { ada, line }
}

function cursorOf(line: Line): Cursor {
  if (line.cursor === null) throw new Error('it has no cursor')
  return line.cursor
}

test('[1] [7] [22] whoever is live and caught up is told of a rebuild in its stream, and of nothing else', async () => {
  const world = openWorld()
  const { ada, line } = await fill(world, 12)
  const before = cursorOf(line)
  const bob = new Line(world).hello(new Author(world.clock), null, rebuilds)
  const old = new Line(world).hello(new Author(world.clock))
  await settle()
  for (const each of [line, bob, old]) each.forget()
  const bytesBefore = bob.channel.bill.bytesDown
  const rebuilt = await world.hub.rebuild(NAMESPACE)
  await settle()
  expect(line.story).toBe('Welcome:rebuild Rebuild@13 CaughtUp@13:12')
  expect(bob.story).toBe('Welcome:rebuild Rebuild@13 CaughtUp@13:0')
  expect(old.story).toBe('Welcome:reset Snapshot@13 CaughtUp@13:0')
  expect(bob.channel.bill.bytesDown - bytesBefore).toBeLessThan(250)
  // What it makes of its own is what the others are sent.
  const own = updates.rebuild([ada.doc.encode()])
  const [told] = line.of('Rebuild')
  expect(told).toEqual({
    type: 'Rebuild',
    digest: own.digest,
    cursor: { ...told?.cursor, epoch: epochAfter(before), seq: rebuilt.seq },
  })
  expect(rebuilt).toMatchObject({ epoch: epochAfter(before), seq: 13, digest: own.digest })
  expect(old.of('Snapshot')[0]?.snapshot).toEqual(own.snapshot)
  expect([...updates.clocks(own.snapshot).keys()]).toEqual([REBUILD_CLIENT_ID])
  expect(world.hub.metrics()).toMatchObject({ rebuilds: 1, rebuildFailures: 0, snapshots: 1 })
  expect((await verifyNamespace(world.store, updates, NAMESPACE)).faults).toEqual([])
})

test('[7] what was pushed while it happened is refused with the epoch, and goes on in the new one', async () => {
  const world = openWorld()
  const { ada, line } = await fill(world, 3)
  const before = cursorOf(line)
  line.forget()
  const { snapshot } = updates.rebuild([ada.doc.encode()])
  await world.hub.rebuild(NAMESPACE)
  line.push(before.epoch, ada.note('late'))
  await settle()
  expect(line.story).toBe('Refused:4:EPOCH_CHANGED Welcome:rebuild Rebuild@4 CaughtUp@4:3')
  const anew = new Author(world.clock, [snapshot], ada.replica)
  line.push(epochAfter(before), { ...anew.note('again'), counter: 4, prev: 3 })
  await settle()
  expect(line.story).toMatch(/Ack:4@5 Tail@5\[own4\]$/)
})

/** A store that counts the pages of the log that were read. */
class CountingStore extends MapHubStore {
  pages = 0

  override async readTail(namespace: Namespace, after: number, limit: TailLimit) {
    this.pages++
    return await super.readTail(namespace, after, limit)
  }
}

test('[7] [22] a replica that comes back is left to it where it stands right before it, and else reset', async () => {
  const store = new CountingStore()
  const world = openWorld({ store, retention: { commits: 3 } })
  const { ada, line } = await fill(world, 5)
  const at = line.of('Tail').map(({ cursor }) => cursor)
  const [behind, before] = [at[3], at[4]]
  if (behind === undefined || before === undefined) throw new Error('five tails')
  line.channel.close()
  await world.hub.rebuild(NAMESPACE)
  await settle()
  const story = async (cursor: Cursor, more = rebuilds): Promise<string> => {
    const back = new Line(world).hello(new Author(world.clock), cursor, more)
    await settle()
    back.channel.close()
    await settle()
    return back.story
  }
  expect(await story(before)).toBe('Welcome:rebuild Rebuild@6 CaughtUp@6:0')
  expect(await story(before, { capabilities: ['delta'] })).toBe('Welcome:reset Snapshot@6 CaughtUp@6:0')
  expect(await story(before, { capabilities: ['rebuild'] })).toBe('Welcome:reset Snapshot@6 CaughtUp@6:0')
  expect(await story(behind)).toBe('Welcome:reset Snapshot@6 CaughtUp@6:0')
  expect(await story({ ...before, tag: '0123456789abcdef' })).toBe('Welcome:reset Snapshot@6 CaughtUp@6:0')
  expect(await story({ ...before, epoch: before.epoch - 1 })).toBe('Welcome:reset Snapshot@6 CaughtUp@6:0')

  // What came after it follows as a tail, for as long as the record is retained.
  const anew = new Author(world.clock, [updates.rebuild([ada.doc.encode()]).snapshot], ada.replica)
  anew.counter = anew.prev = 5
  const next = new Line(world).hello(anew, { ...before, epoch: before.epoch }, rebuilds)
  await settle()
  for (let i = 0; i < 4; i++) {
    next.push(epochAfter(before), anew.note(`m${i}`))
    await settle()
  }
  expect(await story(before)).toBe('Welcome:rebuild Rebuild@6 Tail@10[6,7,8,9] CaughtUp@10:0')
  await world.hub.checkpoint(NAMESPACE)
  expect(await story(before)).toBe('Welcome:reset Snapshot@10 CaughtUp@10:0')
  // Nobody else costs a read for it.
  const pages = store.pages
  expect(await story(cursorOf(next))).toBe('Welcome:live CaughtUp@10:0')
  expect(store.pages).toBe(pages)
})

test('[7] [10] [22] several rebuilds in a row: who stands before the last one makes it, who stands before the first is reset', async () => {
  const world = openWorld()
  const { ada, line } = await fill(world, 4)
  const first = cursorOf(line)
  await world.hub.rebuild(NAMESPACE)
  await settle()
  const second = cursorOf(line)
  expect(second.epoch).toBe(epochAfter(first))
  await world.hub.rebuild(NAMESPACE)
  await settle()
  expect(line.story).toMatch(/Welcome:rebuild Rebuild@5 CaughtUp@5:4 Welcome:rebuild Rebuild@6 CaughtUp@6:4$/)
  for (const [cursor, path] of [
    [first, 'Welcome:reset Snapshot@6 CaughtUp@6:4'],
    [second, 'Welcome:rebuild Rebuild@6 CaughtUp@6:4'],
    [cursorOf(line), 'Welcome:live CaughtUp@6:4'],
  ] as const) {
    const back = new Line(world).hello(ada, cursor, rebuilds)
    await settle()
    expect(back.story).toBe(path)
  }
})

/** A store that is away at one word, for ever or so many times. */
class FailingStore extends MapHubStore {
  failing = 0

  override async installCheckpoint(...[namespace, checkpoint]: Parameters<MapHubStore['installCheckpoint']>) {
    if (this.failing-- > 0) throw new Error('the disk is full')
    return await super.installCheckpoint(namespace, checkpoint)
  }
}

test('[3] [13] [22] a hub that stopped between the record and its checkpoint: the next one completes it, and the rest is the same', async () => {
  const clock = new VirtualClock(1)
  const store = new FailingStore()
  const world = openWorld({ store, clock })
  const { ada, line } = await fill(world, 5)
  const before = cursorOf(line)
  // It fails for the hub that rebuilds and for its room, which opens the log next.
  store.failing = 2
  await expect(world.hub.rebuild(NAMESPACE)).rejects.toMatchObject({ code: 'HUB_INTERNAL' })
  expect(world.hub.metrics()).toMatchObject({ rebuilds: 0, rebuildFailures: 1 })
  await world.hub.close()
  expect(await store.checkpoint(NAMESPACE)).toBeNull()
  const next = openWorld({ store, clock })
  const back = new Line(next).hello(ada, before, rebuilds)
  await settle()
  expect(back.story).toBe('Welcome:rebuild Rebuild@6 CaughtUp@6:5')
  const reset = new Line(next).hello(ada, before)
  await settle()
  expect(reset.story).toBe('Welcome:reset Snapshot@6 CaughtUp@6:5')
  expect(textsOf(reset.updates)).toEqual(textsOf([ada.doc.encode()]))
})

test('[7] [22] another hub over the same store: its sessions that are caught up make it themselves', async () => {
  const clock = new VirtualClock(1)
  const store = new MapHubStore()
  const [here, there] = [openWorld({ store, clock }), openWorld({ store, clock })]
  const { ada, line } = await fill(here, 5)
  const reader = new Line(there).hello(new Author(clock), null, rebuilds)
  await settle()
  const { epoch } = cursorOf(line)
  line.forget()
  reader.forget()
  await there.hub.rebuild(NAMESPACE)
  await settle()
  expect(reader.story).toBe('Welcome:rebuild Rebuild@6 CaughtUp@6:0')
  // Here nobody has heard of it: the log says so to whoever pushes, and to whoever waits.
  line.push(epoch, ada.note('of the old epoch'))
  await settle()
  expect(line.story).toBe('Refused:6:EPOCH_CHANGED Welcome:rebuild Rebuild@6 CaughtUp@6:5')
  await here.hub.rebuild(NAMESPACE)
  await pass(clock, limits.followMs)
  expect(reader.story).toMatch(/Welcome:rebuild Rebuild@7 CaughtUp@7:0$/)
})

test('a rebuild that began the epoch is told; commits that began it are not', async () => {
  const clock = new VirtualClock(1)
  const store: HubStore = new MapHubStore()
  const world = openWorld({ store, clock })
  const { line } = await fill(world, 1)
  const { epoch } = cursorOf(line)
  const stranger = new Line(world).hello(
    new Author(clock),
    { epoch: epoch - 1, seq: 0, tag: '0'.repeat(16) },
    rebuilds,
  )
  await settle()
  expect(stranger.of('Welcome')[0]?.path).toBe('reset')
})

test('a rebuild of a namespace that does not exist is refused, and leaves no room behind', async () => {
  const world = openWorld()
  await expect(world.hub.rebuild('nowhere')).rejects.toMatchObject({ code: 'NAMESPACE_UNKNOWN' })
  await settle()
  expect(world.hub.metrics().rooms).toBe(0)
  await world.hub.close()
  await expect(world.hub.rebuild(NAMESPACE)).rejects.toMatchObject({ code: 'HUB_CLOSING' })
})

const weight = (liveStructs: number, deadStructs: number, liveBytes: number, deadBytes: number) => ({
  liveStructs,
  deadStructs,
  liveBytes,
  deadBytes,
  scanSteps: 0,
})

test.each([
  ['mostly dead structs', weight(10, 41, 10_000, 2_000), true],
  ['just not enough of them', weight(10, 40, 10_000, 2_000), false],
  ['mostly dead bytes', weight(10, 1, 1_000, 4_001), true],
  ['just not enough of them', weight(10, 1, 1_000, 4_000), false],
  ['all is dead', weight(0, 1, 0, 1_001), true],
  ['it is too small to matter', weight(0, 90, 1, 1_000), false],
])('the policy: %s', (_, measured, due) => {
  expect(isRebuildDue(measured, { factor: 4, bytesMin: 1_000 })).toBe(due)
})

/** Overwrites one note under a fresh client id each time, as somebody who keeps coming back with nothing does. */
class Returning {
  readonly #world: World
  #last: Author | null = null
  line: Line
  cursor: Cursor | null = null

  constructor(world: World) {
    this.#world = world
    this.line = new Line(world)
  }

  async write(times: number): Promise<void> {
    for (let i = 0; i < times; i++) await this.#writeOnce()
  }

  async #writeOnce(): Promise<void> {
    this.line.channel.close()
    this.line = new Line(this.#world)
    const author = new Author(this.#world.clock, [], this.#last?.replica)
    this.line.hello(author, null)
    await settle()
    for (const bytes of this.line.updates) author.doc.apply([bytes])
    author.counter = author.prev = this.#last?.counter ?? 0
    this.#last = author
    this.line.push(this.line.cursor?.epoch ?? null, author.note('one', `text ${author.counter}`))
    await settle()
    this.cursor = this.line.cursor
  }
}

test('[23] a document that is mostly dead is rebuilt by itself once a checkpoint has weighed it, and not again at once', async () => {
  const logged: HubLogEvent[] = []
  const world = openWorld({
    checkpoint: { bytesMin: 1_000 },
    rebuild: { bytesMin: 300 },
    log: (event) => logged.push(event),
  })
  const writer = new Returning(world)
  await writer.write(40)
  const { rebuilds: count, checkpoints } = world.hub.metrics()
  expect(count).toBeGreaterThan(0)
  expect(count).toBeLessThan(checkpoints)
  expect(logged.map(({ message }) => message)).toContainEqual(
    expect.stringMatching(/^rebuilding: \d+ dead bytes/),
  )
  expect(logged.map(({ message }) => message)).toContainEqual(
    expect.stringMatching(/^rebuilt: epoch \d+ from seq/),
  )
  expect((await verifyNamespace(world.store, updates, NAMESPACE)).faults).toEqual([])
})

test('[23] two hubs over one store weigh the same document, and it is rebuilt no more often than it needs', async () => {
  const options = { checkpoint: { bytesMin: 1_000 }, rebuild: { bytesMin: 300 } }
  const epochs: number[] = []
  for (const hubs of [1, 2]) {
    const clock = new VirtualClock(1)
    const store = new MapHubStore()
    const world = openWorld({ store, clock, ...options })
    const others =
      hubs === 1 ? [] : [new Line(openWorld({ store, clock, ...options })).hello(new Author(clock))]
    const writer = new Returning(world)
    await writer.write(1)
    const seen = new Set([writer.cursor?.epoch])
    for (let i = 0; i < 40; i++) {
      await writer.write(1)
      seen.add(writer.cursor?.epoch)
      if (others.length > 0 && i % 10 === 0) await pass(clock, limits.followMs)
    }
    epochs.push(seen.size - 1)
  }
  expect(epochs[0]).toBeGreaterThan(0)
  expect(epochs[1]).toBe(epochs[0])
})

test('an operator may forbid it', async () => {
  const world = openWorld({ checkpoint: { bytesMin: 1_000 }, rebuild: 'never' })
  await new Returning(world).write(40)
  expect(world.hub.metrics()).toMatchObject({ rebuilds: 0 })
  expect(world.hub.metrics().checkpoints).toBeGreaterThan(1)
})

/** Work that waits at each rebuild until it is told to go on. */
function gated(): { heavy: HeavyWork; begun: () => number; go: () => void } {
  const waiting: (() => void)[] = []
  let begun = 0
  const inline = inlineWork(updates)
  return {
    heavy: {
      ...inline,
      rebuild: async (parts) => {
        begun++
        await new Promise<void>((resolve) => waiting.push(resolve))
        return inline.rebuild(parts)
      },
    },
    begun: () => begun,
    go: () => waiting.shift()?.(),
  }
}

test('[3] [14] [23] writers that never pause do not starve a rebuild: after some lost races they wait, and are refused with the epoch', async () => {
  const { heavy, begun, go } = gated()
  const world = openWorld({ heavy })
  const { ada, line } = await fill(world, 3)
  const { epoch } = cursorOf(line)
  const rebuilding = world.hub.rebuild(NAMESPACE)
  const write = async (): Promise<string> => {
    line.forget()
    line.push(epoch, ada.note('more'))
    await settle()
    return line.story
  }
  for (let lost = 0; lost < limits.rebuildRacesMax; lost++) {
    await settle()
    expect(begun()).toBe(lost + 1)
    expect(await write()).toMatch(/^Ack:/)
    go()
  }
  await settle()
  expect(begun()).toBe(limits.rebuildRacesMax + 1)
  expect(await write()).toBe('')
  go()
  expect((await rebuilding).epoch).toBeGreaterThan(epoch)
  await settle()
  expect(line.story).toBe(`Refused:7:EPOCH_CHANGED Welcome:rebuild Rebuild@7 CaughtUp@7:6`)
  expect(world.hub.metrics()).toMatchObject({ rebuilds: 1, commits: 6 })
})

test('[14] [23] appends are held for a bounded time; what comes too late changes nothing', async () => {
  const { heavy, go } = gated()
  const world = openWorld({ heavy })
  const { ada, line } = await fill(world, 1)
  const { epoch } = cursorOf(line)
  const outcome = world.hub.rebuild(NAMESPACE).catch((error: unknown) => error)
  for (let lost = 0; lost < limits.rebuildRacesMax; lost++) {
    await settle()
    line.push(epoch, ada.note('more'))
    await settle()
    go()
  }
  await settle()
  line.forget()
  line.push(epoch, ada.note('held'))
  await pass(world.clock, limits.rebuildHoldMsMax - 200)
  expect(line.story).toBe('')
  await pass(world.clock, 300)
  expect(await outcome).toMatchObject({ code: 'TIMED_OUT' })
  expect(line.story).toBe('Ack:5@5 Tail@5[own5]')
  go()
  await settle()
  expect(line.story).toBe('Ack:5@5 Tail@5[own5]')
  expect(world.hub.metrics()).toMatchObject({ rebuilds: 0, rebuildFailures: 1 })
})

test('[23] a rebuild that fails is logged and counted while the hub serves on, and tried again later', async () => {
  let failing = true
  const inline = inlineWork(updates)
  const errors: unknown[] = []
  const world = openWorld({
    checkpoint: { bytesMin: 1_000 },
    rebuild: { bytesMin: 300 },
    log: ({ level, error }) => void (level === 'error' && errors.push(error)),
    heavy: {
      ...inline,
      rebuild: async (parts) => {
        if (failing) throw new Error('out of memory')
        return inline.rebuild(parts)
      },
    },
  })
  // Somebody stays, so that the room does.
  new Line(world).hello(new Author(world.clock), null, rebuilds)
  const writer = new Returning(world)
  await writer.write(40)
  const failures = world.hub.metrics().rebuildFailures
  expect(failures).toBeGreaterThan(0)
  expect(failures).toBeLessThan(5)
  expect(errors).toHaveLength(failures)
  expect(world.hub.metrics()).toMatchObject({ rebuilds: 0, commits: 40 })
  failing = false
  // Too early: the wait is not over.
  await writer.write(1)
  expect(world.hub.metrics()).toMatchObject({ rebuilds: 0 })
  await pass(world.clock, limits.reconnectMsMax)
  await writer.write(1)
  expect(world.hub.metrics()).toMatchObject({ rebuilds: 1, rebuildFailures: failures })
})

test.each([
  [
    'a digest of something else',
    (made: ReturnType<typeof updates.rebuild>) => ({ ...made, digest: 'a'.repeat(64) }),
  ],
  [
    'a document of something else',
    (made: ReturnType<typeof updates.rebuild>) => ({ ...made, snapshot: Uint8Array.of(0, 0) }),
  ],
])('[13] %s is thrown away before anything is logged', async (_, spoil) => {
  const inline = inlineWork(updates)
  const world = openWorld({
    heavy: { ...inline, rebuild: async (parts) => spoil(await inline.rebuild(parts)) },
  })
  const { line } = await fill(world, 3)
  line.forget()
  await expect(world.hub.rebuild(NAMESPACE)).rejects.toMatchObject({ code: 'HUB_INTERNAL' })
  await settle()
  expect(line.story).toBe('')
  expect((await world.store.heads([NAMESPACE])).get(NAMESPACE)).toEqual({ floor: 0, head: 3 })
  expect(await world.store.checkpoint(NAMESPACE)).toBeNull()
})

test('[13] a record that tells of other content than was logged is reported, whoever completes it', async () => {
  const world = openWorld()
  const { line } = await fill(world, 2)
  const { epoch, seq, tag } = cursorOf(line)
  await world.hub.close()
  const began = { kind: 'rebuild', from: epoch, epoch: epoch + 1, domain: 'notes', forgot: null } as const
  const record = encodeRecord(tag, { ...began, digest: 'b'.repeat(64) }, 1)
  await world.store.append(NAMESPACE, seq, record.bytes)
  await expect(rebuildNamespace(world.store, updates, NAMESPACE, world.clock)).rejects.toMatchObject({
    code: 'STORE_CORRUPT',
  })
})

test('who asks for a rebuild while one is made gets that one', async () => {
  const { heavy, begun, go } = gated()
  const world = openWorld({ heavy })
  await fill(world, 2)
  const both = Promise.all([world.hub.rebuild(NAMESPACE), world.hub.rebuild(NAMESPACE)])
  await settle()
  go()
  const [one, two] = await both
  expect(one).toBe(two)
  expect(begun()).toBe(1)
})

test('[3] an append whose outcome was not heard makes no second rebuild', async () => {
  const clock = new VirtualClock(1)
  const store = new MapHubStore()
  const world = openWorld({ store, clock })
  await fill(world, 2)
  // It happens, and the answer is lost; the same again says that the log has moved.
  const append = store.append.bind(store)
  let lost = false
  store.append = async (...args) => {
    const result = await append(...args)
    if (lost) return result
    lost = true
    throw new SyncError('STORE_UNAVAILABLE', 'the answer is lost')
  }
  const rebuilding = world.hub.rebuild(NAMESPACE)
  await pass(clock, 1_000)
  expect(await rebuilding).toMatchObject({ seq: 3 })
  store.append = append
  const report = await verifyNamespace(store, updates, NAMESPACE)
  expect(report).toMatchObject({ head: 3, faults: [] })
})

test('[7] [22] a rebuild that is completed late leaves its record to those who stand before it', async () => {
  const world = openWorld()
  const { ada, line } = await fill(world, 2)
  const before = cursorOf(line)
  const { marks } = await openLog(world.store, updates, NAMESPACE)
  const parts = [ada.doc.encode()]
  await world.hub.rebuild(NAMESPACE)
  await settle()
  const made = updates.rebuild(parts)
  const anew = new Author(world.clock, [made.snapshot], ada.replica)
  line.push(epochAfter(before), { ...anew.note('after'), counter: 3, prev: 2 })
  await settle()
  expect(line.of('Ack')).toHaveLength(3)
  const page = await readPage(world.store, NAMESPACE, before)
  const entry = page.kind === 'entries' ? page.entries[0] : undefined
  if (entry === undefined || marks === null) throw new Error('the record is there')
  // Another hub, which began before and comes to its end only now.
  const content = await inlineWork(updates).read(made.snapshot)
  await installRebuild(world.store, NAMESPACE, marks, entry, { ...made, ...content })
  const back = new Line(world).hello(new Author(world.clock), before, rebuilds)
  await settle()
  expect(back.story).toMatch(/^Welcome:rebuild Rebuild@3/)
})
