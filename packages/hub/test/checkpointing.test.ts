// What is installed as a checkpoint, what is thrown away, and what a hub does that cannot build one.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { MemoryLevel } from 'memory-level'
import { expect, test } from 'vitest'
import {
  limits,
  SyncError,
  type CrdtUpdates,
  type HubStore,
  type LogRange,
  type Namespace,
  type NewCheckpoint,
} from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { openHubStore } from '@rejoin/persistence-level'
import { openHubFolder } from '@rejoin/persistence-level/node'
import { MapHubStore, VirtualClock } from '@rejoin/testkit'
import { inlineWork, verifyNamespace, type HeavyWork, type HubLogEvent } from '../src/index.ts'
import { CheckpointTroubles } from '../src/checkpoint-troubles.ts'
import { readCheckpoint } from '../src/document.ts'
import { openLog } from '../src/opening.ts'
import { encodeMarks } from '../src/stored-marks.ts'
import { Author, Line, NAMESPACE, openWorld, pass, settle, textsOf, type World } from './world.ts'

const { updates } = yjsCrdt
const inline = inlineWork(updates)

/** Notes a to d, then a last commit. */
async function fill(
  world: World,
  last: (ada: Author) => ReturnType<Author['commit']> = (ada) => ada.note('e'),
) {
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  await settle()
  const push = async (commit: ReturnType<Author['commit']>): Promise<void> => {
    const answers = line.of('Ack').length + 1
    line.push(line.cursor?.epoch ?? null, commit)
    do await settle()
    while (line.of('Ack').length < answers)
  }
  for (const id of ['a', 'b', 'c', 'd']) await push(ada.note(id))
  const before = line.cursor?.seq ?? 0
  return { ada, line, push, before, pushLast: () => push(last(ada)) }
}

const rangeOf = async (store: HubStore): Promise<LogRange | undefined> =>
  (await store.heads([NAMESPACE])).get(NAMESPACE)

/** The same bytes with one text instead of another as long. */
function withText(snapshot: Uint8Array, from: string, to: string): Uint8Array {
  const text = Buffer.from(snapshot).toString('latin1')
  expect(text).toContain(from)
  return Uint8Array.from(Buffer.from(text.replace(from, to), 'latin1'))
}

/** The document without one of its notes, which it knows to be deleted. */
function withoutNote(parts: readonly Uint8Array[], id: string): Uint8Array {
  const doc = yjsCrdt.open(4_998, parts)
  const hlc = doc.newestHlc
  if (hlc === null) throw new Error('it is empty')
  doc.write([{ kind: 'remove', table: 'notes', key: [id] }], hlc)
  const snapshot = doc.encode()
  doc.destroy()
  return snapshot
}

/** The document with a note that was taken back again: the same content. */
function withStranger(parts: readonly Uint8Array[]): Uint8Array {
  const stranger = new Author(new VirtualClock(1), parts)
  stranger.note('z')
  stranger.commit({ type: 'Forgotten', id: 'z' })
  return stranger.doc.encode()
}

const forgetting = (ada: Author) => ada.commit({ type: 'Forgotten', id: 'a' })

type Spoil = (parts: readonly Uint8Array[], snapshot: Uint8Array, previous: Uint8Array) => Uint8Array
/** What a worker makes of the parts, instead of what they make; and the last commit, where it matters. */
const spoiled: [string, Spoil, ((ada: Author) => ReturnType<Author['commit']>)?][] = [
  ['leaves out the last commit', (parts) => updates.compact(parts.slice(0, -1))],
  ['leaves out the base', () => updates.compact([])],
  ['drops an entry, and knows all its items', (parts) => withoutNote(parts, 'b')],
  ['swaps a value', (_, snapshot) => withText(snapshot, 'text of b', 'text of x')],
  ['swaps a key', (_, snapshot) => withText(snapshot, 'w\x01bw\x09', 'w\x01yw\x09')],
  ['cuts off its end', (_, snapshot) => snapshot.slice(0, -2)],
  ['goes on behind its end', (_, snapshot) => Uint8Array.from([...snapshot, 0])],
  ['returns nothing', () => new Uint8Array()],
  ['returns the one before', (_, __, previous) => previous],
  ['returns the one before, after a commit that only deletes', (_, __, previous) => previous, forgetting],
  [
    'builds on what is not there',
    (parts) => updates.diff(parts, yjsCrdt.open(4_997, parts.slice(0, 1)).stateVector()),
  ],
  ['returns the same content in other items', (parts) => updates.rebuild(parts).snapshot],
  ['knows of items that the log does not', (parts) => withStranger(parts)],
  [
    'returns another document',
    () => {
      const doc = new Author(new VirtualClock(1))
      doc.note('z')
      return doc.doc.encode()
    },
  ],
]

test.each(spoiled)('[13] a worker that %s is not believed: nothing is replaced', async (_, spoil, last) => {
  const store = new MapHubStore()
  let wrong = false
  let previous = new Uint8Array()
  const heavy: HeavyWork = {
    ...inline,
    compact: async (parts) => {
      const snapshot = await inline.compact(parts)
      if (wrong) return spoil(parts, snapshot, previous)
      previous = new Uint8Array(snapshot)
      return snapshot
    },
  }
  const world = openWorld({ store, heavy, retention: { commits: 1 } })
  const { before, pushLast, push, ada } = await fill(world, last)
  await world.hub.checkpoint(NAMESPACE)
  const range = await rangeOf(store)
  await pushLast()
  wrong = true
  await expect(world.hub.checkpoint(NAMESPACE)).rejects.toMatchObject({
    code: 'HUB_INTERNAL',
    message: expect.stringContaining('thrown away') as string,
  })
  const kept = await readCheckpoint(store, NAMESPACE)
  expect(kept?.seq).toBe(before)
  expect(await kept?.snapshot()).toEqual(previous)
  expect(await rangeOf(store)).toEqual({ floor: range?.floor, head: before + 1 })
  // It serves on, and what comes next is right again.
  await push(ada.note('more'))
  wrong = false
  await world.hub.checkpoint(NAMESPACE)
  expect(await rangeOf(store)).toEqual({ floor: before + 1, head: before + 2 })
  expect((await verifyNamespace(store, updates, NAMESPACE)).faults).toEqual([])
})

test('[13] nor is one that tells of another content than the log makes', async () => {
  const store = new MapHubStore()
  const world = openWorld({ store, heavy: { ...inline, digest: () => Promise.resolve('a'.repeat(64)) } })
  await fill(world)
  await expect(world.hub.checkpoint(NAMESPACE)).rejects.toMatchObject({ code: 'HUB_INTERNAL' })
  expect(await store.checkpoint(NAMESPACE)).toBeNull()
})

test('[13] a stored checkpoint that is whole and no document closes its namespace, and others go on', async () => {
  const store = new MapHubStore()
  const events: HubLogEvent[] = []
  const world = openWorld({ store, log: (event) => void events.push(event) })
  const { ada, line, push } = await fill(world)
  const bea = new Author(world.clock)
  const other = new Line(world).hello(bea, null, { namespace: 'other' })
  await settle()
  // As something would leave it that wrote other bytes than it had read.
  const { marks } = await openLog(store, updates, NAMESPACE)
  if (marks === null) throw new Error('it has a log')
  const snapshot = Uint8Array.of(1, 2, 3, 4)
  const stored = { seq: marks.head.seq, marks: encodeMarks(marks, snapshot, 'd'.repeat(64)), snapshot }
  expect(await store.installCheckpoint(NAMESPACE, stored)).toBe('installed')
  await push(ada.note('e'))
  const logged = await rangeOf(store)
  expect((await verifyNamespace(store, updates, NAMESPACE)).faults).not.toEqual([])

  await expect(world.hub.checkpoint(NAMESPACE)).rejects.toMatchObject({
    code: 'STORE_CORRUPT',
    message: expect.stringContaining('checkpoint 4 has a snapshot that does not read') as string,
  })
  await settle()
  expect(line.story).toMatch(/Refused:room:STORE_CORRUPT Closing:STORE_CORRUPT$/)
  expect(events.filter(({ level }) => level === 'error')).not.toEqual([])
  const again = new Line(world).hello(ada).push(1, ada.note('f'))
  await settle()
  expect(again.story).toBe('Refused:room:STORE_CORRUPT Closing:STORE_CORRUPT')
  await pass(world.clock, 60_000)
  // Neither written to nor folded nor trimmed.
  expect(await rangeOf(store)).toEqual(logged)
  expect((await store.checkpoint(NAMESPACE))?.seq).toBe(4)
  other.push(null, bea.note('a'))
  await settle()
  expect(other.of('Ack')).toHaveLength(1)

  // It stays with the namespace: where that was removed, it is told so.
  await store.remove(NAMESPACE)
  const gone = new Line(world).hello(new Author(world.clock))
  await settle()
  expect(gone.story).toBe('Refused:room:NAMESPACE_DELETED Closing:NAMESPACE_DELETED')
})

test('a checkpoint keeps the digest of its content beside its marks', async () => {
  const world = openWorld()
  await fill(world)
  await world.hub.checkpoint(NAMESPACE)
  const found = await readCheckpoint(world.store, NAMESPACE)
  if (found === null) throw new Error('there is one')
  expect(found.stored.digest).toBe(updates.digest([await found.snapshot()]))
  expect(found.stored.digest).toBe((await verifyNamespace(world.store, updates, NAMESPACE)).digest)
})

test('[3] where others do the heavy work, a hub reads no document itself', async () => {
  const forbidden = (): never => {
    throw new Error('on the thread that answers pushes')
  }
  const light: CrdtUpdates = {
    ...updates,
    compact: forbidden,
    clocks: forbidden,
    digest: forbidden,
    rebuild: forbidden,
    weigh: forbidden,
    diff: forbidden,
  }
  const world = openWorld({ updates: light, heavy: inline })
  const { push, ada } = await fill(world)
  await world.hub.checkpoint(NAMESPACE)
  await push(ada.note('more'))
  await world.hub.checkpoint(NAMESPACE)
  await world.hub.rebuild(NAMESPACE)
  await settle()
  expect(world.hub.metrics()).toMatchObject({ checkpoints: 2, rebuilds: 1, checkpointFailures: 0 })
})

/** A hub whose folding fails until it is told otherwise. */
function failingWorld(options: Parameters<typeof openWorld>[0] = {}) {
  const events: HubLogEvent[] = []
  const failing = { code: 'STORE_UNAVAILABLE' as SyncError['code'] | null, tries: 0 }
  const world = openWorld({
    checkpoint: { bytesMin: 1 },
    log: (event) => void (event.level !== 'info' || /fold/.test(event.message) ? events.push(event) : null),
    heavy: {
      ...inline,
      compact: async (parts) => {
        failing.tries++
        if (failing.code !== null) throw new SyncError(failing.code, 'it does not work')
        return inline.compact(parts)
      },
    },
    ...options,
  })
  const told = (): string[] => events.map(({ level, message }) => `${level}: ${message}`)
  return { world, failing, told, status: () => world.hub.status().rooms[0]?.checkpointing }
}

test('[3] a hub that cannot fold serves on, says so once, and tries again by itself', async () => {
  const { world, failing, told, status } = failingWorld()
  const { line } = await fill(world)
  expect(line.of('Ack')).toHaveLength(4)
  const { now } = { now: world.clock.now() }
  expect(status()).toMatchObject({
    cause: { code: 'STORE_UNAVAILABLE', message: 'it does not work' },
    failures: 1,
  })
  expect(world.hub.metrics()).toMatchObject({ checkpointsFailing: 1, checkpointFailures: 1, checkpoints: 0 })
  const trouble = status()
  if (trouble === undefined || trouble === 'ok') throw new Error('it fails')
  expect(trouble.retryAt - now).toBeGreaterThanOrEqual(limits.checkpointRetryMsMin)
  expect(trouble.retryAt - now).toBeLessThanOrEqual(2 * limits.checkpointRetryMsMin)
  expect(failing.tries).toBe(1)

  // Nobody writes; commits would not hurry it either.
  await pass(world.clock, 10_000)
  expect(failing.tries).toBeGreaterThan(2)
  expect(failing.tries).toBeLessThan(12)
  expect(told()).toEqual(['warn: its log cannot be folded (STORE_UNAVAILABLE); served on, tried again'])
  failing.code = 'STORE_CORRUPT'
  await pass(world.clock, 20_000)
  expect(told()).toHaveLength(2)
  expect(told()[1]).toBe('error: its log cannot be folded (STORE_CORRUPT); served on, tried again')
  failing.code = null
  await pass(world.clock, 60_000)
  expect(status()).toBe('ok')
  expect(world.hub.metrics()).toMatchObject({ checkpointsFailing: 0, checkpoints: 1 })
  expect(told()).toHaveLength(3)
  expect(told()[2]).toMatch(/^info: its log is folded again, after \d+ failures$/)
  expect((await world.store.checkpoint(NAMESPACE))?.seq).toBe(4)
})

test('[14] what fails for long is tried every few minutes, however much is written', async () => {
  const { world, failing } = failingWorld()
  const { line, push, ada } = await fill(world)
  for (let passed = 0; passed < 10; passed++) {
    for (let next = 0; next < 6; next++) {
      world.clock.advance(limits.checkpointRetryMsMax / 2)
      await settle()
    }
    await push(ada.note('more'))
  }
  expect(line.of('Ack')).toHaveLength(14)
  // 150 minutes: at least every five, and not much more often than every two and a half.
  expect(failing.tries).toBeGreaterThan(30)
  expect(failing.tries).toBeLessThan(80)
})

test('it is tried again also where nobody is in the room any more, and not where the namespace is gone', async () => {
  const { world, failing } = failingWorld()
  const { line } = await fill(world)
  line.channel.close()
  await settle()
  expect(world.hub.status().rooms).toEqual([])
  failing.code = null
  await pass(world.clock, 2_000)
  expect(world.hub.metrics()).toMatchObject({ checkpointsFailing: 0, checkpoints: 1 })

  const { world: next, failing: again } = failingWorld()
  const { line: last } = await fill(next)
  last.channel.close()
  await settle()
  await next.store.remove(NAMESPACE)
  await pass(next.clock, 2_000)
  expect(next.hub.metrics()).toMatchObject({ checkpointsFailing: 0, checkpoints: 0 })
  expect(again.tries).toBe(1)
  await next.hub.close()
  expect(next.clock.advanceToNext()).toBe(false)
})

test('a log that has outgrown its checkpoint is folded when its room is opened, before anybody writes', async () => {
  const clock = new VirtualClock(1)
  const store = new MapHubStore()
  const writing = openWorld({ store, clock })
  await fill(writing)
  await writing.hub.close()
  const world = openWorld({ store, clock, checkpoint: { bytesMin: 100 } })
  new Line(world).hello(new Author(clock))
  await settle()
  expect((await store.checkpoint(NAMESPACE))?.seq).toBe(4)
})

test('how far a log has grown that cannot be folded is told as an error, once', () => {
  const events: HubLogEvent[] = []
  const troubles = new CheckpointTroubles(new VirtualClock(1), (event) => void events.push(event))
  const max = limits.checkpointOverdueBytes
  troubles.grown('a', 2 * max)
  troubles.failed('a', new SyncError('STORE_FULL', 'no space left'))
  troubles.grown('a', max)
  expect(events).toHaveLength(1)
  for (const bytes of [max + 1, max + 2]) troubles.grown('a', bytes)
  troubles.failed('a', new SyncError('STORE_FULL', 'no space left'))
  expect(events.slice(1)).toMatchObject([{ level: 'error', namespace: 'a' }])
  expect(events[1]?.message).toMatch(/^67108865 bytes .* failed 1 times \(STORE_FULL\): no space left$/)
  troubles.over('a')
  troubles.over('a')
  expect(events.slice(2)).toMatchObject([{ level: 'info' }])
})

test('[14] a hub that is closed stops at once: nobody waits for a fold, and none is installed afterwards', async () => {
  let release: () => void = () => {}
  const store = new MapHubStore()
  const world = openWorld({
    store,
    heavy: {
      ...inline,
      compact: async (parts) => {
        await new Promise<void>((resolve) => (release = resolve))
        return inline.compact(parts)
      },
    },
  })
  await fill(world)
  const asked = world.hub.checkpoint(NAMESPACE).catch((error: unknown) => error)
  await settle()
  // No time passes.
  await world.hub.close()
  expect(await asked).toMatchObject({ code: 'HUB_CLOSING' })
  release()
  await settle()
  expect(await store.checkpoint(NAMESPACE)).toBeNull()
  await expect(world.hub.checkpoint(NAMESPACE)).rejects.toMatchObject({ code: 'HUB_CLOSING' })
  expect(world.hub.metrics()).toMatchObject({ checkpoints: 0, checkpointFailures: 0 })
})

test('a closed hub tries nothing again', async () => {
  const { world, failing } = failingWorld()
  await fill(world)
  await world.hub.close()
  const { tries } = failing
  expect(world.clock.advanceToNext()).toBe(false)
  await settle()
  expect(failing.tries).toBe(tries)
})

test('[14] few checkpoints are built at once, and all in the end', async () => {
  const waiting: (() => void)[] = []
  const world = openWorld({
    checkpoint: { bytesMin: 1 },
    heavy: {
      ...inline,
      compact: async (parts) => {
        await new Promise<void>((resolve) => waiting.push(resolve))
        return inline.compact(parts)
      },
    },
  })
  const names = Array.from({ length: 2 * limits.checkpointsAtOnceMax + 1 }, (_, i) => `notes-${i}`)
  for (const namespace of names) {
    const ada = new Author(world.clock)
    new Line(world).hello(ada, null, { namespace }).push(null, ada.note('a'))
  }
  await settle()
  expect(waiting).toHaveLength(limits.checkpointsAtOnceMax)
  for (let i = 0; i < names.length; i++) {
    waiting[i]?.()
    await settle()
  }
  expect(waiting).toHaveLength(names.length)
  expect(world.hub.metrics()).toMatchObject({ checkpoints: names.length })
})

/** A store whose process ends at a step of folding; what it holds by then stays. */
function ending(store: HubStore, at: 'before install' | 'after install' | 'after trim'): HubStore {
  const end = (): never => {
    throw new SyncError('STORE_CLOSED', 'the process has ended')
  }
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'installCheckpoint')
        return async (namespace: Namespace, checkpoint: NewCheckpoint) => {
          if (at === 'before install') return end()
          return await target.installCheckpoint(namespace, checkpoint)
        }
      if (name === 'trim')
        return async (namespace: Namespace, upTo: number) => {
          if (at === 'after install') return end()
          await target.trim(namespace, upTo)
          return end()
        }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

const homes: [
  string,
  () => Promise<{
    open: () => Promise<{ store: HubStore; close: () => Promise<void> }>
    end: () => Promise<void>
  }>,
][] = [
  [
    'a database in memory',
    async () => {
      const database = new MemoryLevel<string, string>()
      await database.open()
      const open = async () => {
        const store = await openHubStore(database, { incarnation: 'a test' })
        return { store, close: () => store.close() }
      }
      return { open, end: () => database.close() }
    },
  ],
  [
    'a folder on the disk',
    async () => {
      const folder = await mkdtemp(path.join(tmpdir(), 'rejoin-checkpointing-'))
      const open = async () => {
        const opened = await openHubFolder(path.join(folder, 'hub'))
        return { store: opened.store, close: () => opened.close() }
      }
      return { open, end: () => rm(folder, { recursive: true }) }
    },
  ],
]

const steps = ['before install', 'after install', 'after trim'] as const
test.each(homes.flatMap(([home, make]) => steps.map((at) => [at, home, make] as const)))(
  '[13] a process that ends %s, on %s: the next one has everything, and trims what it keeps no longer',
  async (at, _, make) => {
    const home = await make()
    try {
      const clock = new VirtualClock(1)
      let disk = await home.open()
      const retention = { commits: 2 }
      const dying = openWorld({ store: ending(disk.store, at), clock, retention })
      const { line } = await fill(dying)
      await expect(dying.hub.checkpoint(NAMESPACE)).rejects.toMatchObject({ code: 'STORE_CLOSED' })
      await dying.hub.close()
      await disk.close()

      disk = await home.open()
      const { store } = disk
      expect((await store.checkpoint(NAMESPACE))?.seq ?? 0).toBe(at === 'before install' ? 0 : 4)
      expect(await rangeOf(store)).toEqual({ floor: at === 'after trim' ? 2 : 0, head: 4 })
      expect((await verifyNamespace(store, updates, NAMESPACE)).faults).toEqual([])
      const world = openWorld({ store, clock, retention })
      const reader = new Line(world).hello(new Author(clock))
      const back = new Line(world).hello(new Author(clock), line.of('Tail')[1]?.cursor ?? null)
      while (back.of('CaughtUp').length === 0) await settle()
      expect(back.story).toBe('Welcome:tail Tail@4[3,4] CaughtUp@4:0')
      while (reader.of('CaughtUp').length === 0) await settle()
      expect(Object.keys(textsOf(reader.updates))).toEqual(['a', 'b', 'c', 'd'])
      // Both steps again: as good as once.
      for (let i = 0; i < 2; i++) {
        await world.hub.checkpoint(NAMESPACE)
        expect(await rangeOf(store)).toEqual({ floor: 2, head: 4 })
        expect((await store.checkpoint(NAMESPACE))?.seq).toBe(4)
      }
      await world.hub.close()
      await disk.close()
    } finally {
      await home.end()
    }
  },
)
