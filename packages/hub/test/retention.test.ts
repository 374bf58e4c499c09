// How much of the log stays: the decision, what is dropped by it, and what replicas at its edge are sent.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  limits,
  replicaIdOf,
  ZERO_TAG,
  type Cursor,
  type Hlc,
  type HubStore,
  type LogRange,
  type Namespace,
  type Seq,
  type TailLimit,
} from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { openReplica } from '@rejoin/replica'
import { MapHubStore, MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { memoryDial } from '@rejoin/transport'
import { anyone, defaultRetention, openHub, verifyNamespace, type Retention } from '../src/index.ts'
import { LogReaders } from '../src/log-readers.ts'
import { encodeRecord } from '../src/record.ts'
import { keptBy, type RetentionRules } from '../src/retention.ts'
import { trimLog, type RetainedLog, type Trimmed } from '../src/trimming.ts'
import { Author, Line, NAMESPACE, notes, openWorld, pass, settle, textsOf, type World } from './world.ts'

const HOUR_MS = 60 * 60 * 1000
const none: Retention = { commits: 0, bytes: 0, hours: 0 }

describe('the decision', () => {
  const now = 1_000 * HOUR_MS
  const record = { seq: 5, commits: 1, bytes: 10, at: now - 100 * HOUR_MS }
  const rules: RetentionRules = { retention: none, now, checkpointSeq: 9, readFrom: Infinity }
  const within = (retention: Partial<Retention>): RetentionRules => {
    return { ...rules, retention: { ...none, ...retention } }
  }

  test.each([
    [9, 'size'],
    [10, null],
    [11, null],
  ])('%i commits after it, where ten are kept: %s', (commits, by) => {
    expect(keptBy(record, { commits, bytes: 0 }, within({ commits: 10, bytes: Infinity }))).toBe(by)
  })

  test.each([
    [999, 'size'],
    [1_000, null],
    [1_001, null],
  ])('%i bytes after it, where a thousand are kept: %s', (bytes, by) => {
    expect(keptBy(record, { commits: 0, bytes }, within({ commits: Infinity, bytes: 1_000 }))).toBe(by)
  })

  test('of commits and bytes, whichever is reached first lets it go', () => {
    const both = within({ commits: 10, bytes: 1_000 })
    expect(keptBy(record, { commits: 9, bytes: 1_000 }, both)).toBeNull()
    expect(keptBy(record, { commits: 10, bytes: 999 }, both)).toBeNull()
    expect(keptBy(record, { commits: 9, bytes: 999 }, both)).toBe('size')
  })

  test.each([
    ['a millisecond younger than that', now - 2 * HOUR_MS + 1, 'age'],
    ['as old as that', now - 2 * HOUR_MS, null],
    ['older', now - 2 * HOUR_MS - 1, null],
    ['logged by a clock that was a little ahead', now + 2 * HOUR_MS - 1, 'age'],
    ['logged by a clock that was far ahead, and says nothing', now + 2 * HOUR_MS, null],
    ['of a format that did not say when', null, null],
  ])('two hours are kept, whatever else is reached; it is %s', (_, at, by) => {
    expect(keptBy({ ...record, at }, { commits: 99, bytes: 99 }, within({ hours: 2 }))).toBe(by)
  })

  test('hours keep more, never less', () => {
    const old = { ...record, at: now - 3 * HOUR_MS }
    expect(keptBy(old, { commits: 1, bytes: 1 }, within({ commits: 2, bytes: 2, hours: 2 }))).toBe('size')
  })

  test('[14] what a catch-up has yet to read stays, unless very much came after it', () => {
    const max = limits.readerHeldBytesMax
    const reading = (readFrom: Seq): RetentionRules => ({ ...rules, readFrom })
    expect(keptBy(record, { commits: 1, bytes: max - 1 }, reading(4))).toBe('reader')
    expect(keptBy(record, { commits: 1, bytes: max }, reading(4))).toBeNull()
    // It has read it.
    expect(keptBy(record, { commits: 1, bytes: 1 }, reading(5))).toBeNull()
  })

  test('what no checkpoint covers stays', () => {
    expect(keptBy(record, { commits: 99, bytes: 99 }, { ...rules, checkpointSeq: 4 })).toBe('checkpoint')
    expect(keptBy(record, { commits: 99, bytes: 99 }, { ...rules, checkpointSeq: 5 })).toBeNull()
  })

  test.each([['commits'], ['bytes'], ['hours']])('what is no count of %s is refused', (name) => {
    for (const wrong of [-1, Number.NaN, '8MB' as never]) {
      const options = { retention: { [name]: wrong } }
      expect(() => openWorld(options)).toThrow(
        expect.objectContaining({ code: 'INPUT_INVALID', path: `retention.${name}` }),
      )
    }
  })

  test('a thousand commits and 8 MiB are kept unless somebody says otherwise', () => {
    expect(defaultRetention).toEqual({ commits: 1_000, bytes: 8 * 1024 * 1024, hours: 0 })
  })
})

describe('dropping', () => {
  const author = replicaIdOf(new Uint8Array(16))
  /** Counts the records that are read of it. */
  class CountingStore extends MapHubStore {
    records = 0

    override async readTail(namespace: Namespace, after: Seq, limit: TailLimit) {
      const result = await super.readTail(namespace, after, limit)
      if (result.kind === 'records') this.records += result.records.length
      return result
    }
  }

  /** A log that is written past every hub; its documents hold nothing. */
  class Log {
    readonly store = new CountingStore()
    tag = ZERO_TAG
    head: Seq = 0
    readonly records: { seq: Seq; commits: number; bytes: number; at: number }[] = []

    async append(commits: number, padding: number, at: number): Promise<void> {
      const commit = {
        id: { replica: author, counter: 1 },
        prev: 0,
        hlc: '0dPGs_F-01abcd' as Hlc,
        domainVersion: 1,
        principal: '',
        opsJson: 'x'.repeat(padding),
        update: new Uint8Array(),
      }
      const record = {
        kind: 'commits',
        epoch: 1,
        domain: 'notes',
        commits: Array(commits).fill(commit),
      } as const
      const { bytes, tag } = encodeRecord(this.tag, record, at)
      const result = await this.store.append(NAMESPACE, this.head, bytes)
      if (result.kind === 'moved') throw new Error('nobody else appends')
      this.records.push({ seq: result.seq, commits, bytes: bytes.length, at })
      this.tag = tag
      this.head = result.seq
    }

    async checkpoint(seq = this.head): Promise<Seq> {
      const [marks, snapshot] = [Uint8Array.of(1), Uint8Array.of(2)]
      await this.store.installCheckpoint(NAMESPACE, { seq, marks, snapshot })
      return seq
    }

    async floor(): Promise<Seq> {
      return (await this.store.heads([NAMESPACE])).get(NAMESPACE)?.floor ?? 0
    }
  }

  test('the floor is where the decision says, with or without sums of before', async () => {
    const records = fc.record({
      commits: fc.integer({ min: 1, max: 3 }),
      padding: fc.nat(60),
      hours: fc.nat(3),
    })
    const retentions = fc.record({
      commits: fc.oneof(fc.nat(12), fc.constant(Infinity)),
      bytes: fc.oneof(fc.nat(1_500), fc.constant(Infinity)),
      hours: fc.nat(4),
    })
    const rounds = fc.record({
      records: fc.array(records, { maxLength: 6 }),
      uncovered: fc.nat(3),
      readAt: fc.option(fc.nat(12)),
      keepSums: fc.boolean(),
      walkedFrom: fc.option(fc.nat(12)),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(rounds, { minLength: 1, maxLength: 6 }),
        retentions,
        async (all, retention) => {
          const log = new Log()
          let now = 500 * HOUR_MS
          let known: RetainedLog | null = null
          await log.append(1, 0, now)
          for (const round of all) {
            for (const { commits, padding, hours } of round.records) {
              now += hours * HOUR_MS
              await log.append(commits, padding, now)
            }
            await log.checkpoint(Math.max(1, log.head - round.uncovered))
            const checkpointSeq = (await log.store.checkpoint(NAMESPACE))?.seq ?? 0
            const readers = new LogReaders(() => {})
            if (round.readAt !== null) readers.begin(round.readAt)
            const before = await log.floor()
            const rules = { retention, now, checkpointSeq, readers }
            // As a fold walks it: from an earlier checkpoint up to its own.
            const from = Math.min(round.walkedFrom ?? 0, checkpointSeq)
            const walked = log.records.filter(({ seq }) => seq > from && seq <= checkpointSeq)
            const sums: RetainedLog | null = round.keepSums ? known : null
            const done: Trimmed = await (round.walkedFrom === null
              ? trimLog(log.store, NAMESPACE, rules, sums)
              : trimLog(log.store, NAMESPACE, rules, sums, { from, records: walked }))
            known = done.retained

            let expected = before
            let kept = null
            for (const record of log.records.filter(({ seq }) => seq > before)) {
              const after = log.records.filter(({ seq }) => seq > record.seq)
              const newer = {
                commits: after.reduce((sum, { commits }) => sum + commits, 0),
                bytes: after.reduce((sum, { bytes }) => sum + bytes, 0),
              }
              kept = keptBy(record, newer, { retention, now, checkpointSeq, readFrom: readers.lowest })
              if (kept !== null) break
              // St6: the newest is never dropped.
              if (record.seq < log.head) expected = record.seq
            }
            expect(await log.floor()).toBe(expected)
            expect(done).toMatchObject({ floor: expected, keptBy: kept })
            const left = log.records.filter(({ seq }) => seq > checkpointSeq)
            expect(done.bytesAfter).toBe(left.reduce((sum, { bytes }) => sum + bytes, 0))
          }
        },
      ),
    )
  })

  test('it costs what is dropped and what is new, not what stays', async () => {
    const log = new Log()
    const rules = { retention: { ...none, commits: 1_000, bytes: Infinity }, now: 0, readers: null }
    for (let i = 0; i < 1_500; i++) await log.append(1, 0, 0)
    const first = await trimLog(
      log.store,
      NAMESPACE,
      { ...rules, checkpointSeq: await log.checkpoint() },
      null,
    )
    expect(first).toMatchObject({ floor: 500, keptBy: 'size' })
    for (let i = 0; i < 20; i++) await log.append(1, 0, 0)
    log.store.records = 0
    const again = { ...rules, checkpointSeq: await log.checkpoint() }
    expect(await trimLog(log.store, NAMESPACE, again, first.retained)).toMatchObject({ floor: 520 })
    expect(log.store.records).toBeLessThan(100)
  })

  test('what a fold has just read of the log is not read again', async () => {
    const log = new Log()
    const rules = { retention: { ...none, commits: 1_000, bytes: Infinity }, now: 0, readers: null }
    for (let i = 0; i < 1_500; i++) await log.append(1, 0, 0)
    const all = { from: 0, records: [...log.records] }
    const checkpointSeq = await log.checkpoint()
    log.store.records = 0
    const first = await trimLog(log.store, NAMESPACE, { ...rules, checkpointSeq }, null, all)
    expect(first).toMatchObject({ floor: 500, keptBy: 'size' })
    expect(log.store.records).toBe(0)
    for (let i = 0; i < 20; i++) await log.append(1, 0, 0)
    const newer = { from: checkpointSeq, records: log.records.slice(1_500) }
    const again = { ...rules, checkpointSeq: await log.checkpoint() }
    expect(await trimLog(log.store, NAMESPACE, again, first.retained, newer)).toMatchObject({ floor: 520 })
    // The oldest ones, to see what goes.
    expect(log.store.records).toBeLessThan(50)
  })

  test('another hub that trims meanwhile is no harm, and its sums are not believed', async () => {
    const log = new Log()
    for (let i = 0; i < 30; i++) await log.append(1, 0, 0)
    const rules = { now: 0, readers: null, checkpointSeq: await log.checkpoint() }
    const keep = (commits: number) => ({ ...rules, retention: { ...none, commits, bytes: Infinity } })
    const first = await trimLog(log.store, NAMESPACE, keep(25), null)
    await log.store.trim(NAMESPACE, 15)
    expect(await trimLog(log.store, NAMESPACE, keep(10), first.retained)).toMatchObject({ floor: 20 })
    // In the middle of it, too.
    const trim = log.store.readTail.bind(log.store)
    log.store.readTail = async (...args) => {
      await log.store.trim(NAMESPACE, 28)
      return await trim(...args)
    }
    expect(await trimLog(log.store, NAMESPACE, keep(9), null)).toMatchObject({ floor: 28, retained: null })
  })

  test('[14] what comes after a catch-up that is very far behind lets go of what it reads', async () => {
    const log = new Log()
    const large = 4 * 1024 * 1024
    for (let i = 0; i < 20; i++) await log.append(1, large, 0)
    const readers = new LogReaders(() => {})
    readers.begin(0)
    const rules = { retention: none, now: 0, readers, checkpointSeq: await log.checkpoint() }
    // Each record is a little larger than 4 MiB.
    const held = Math.floor(limits.readerHeldBytesMax / large)
    expect(await trimLog(log.store, NAMESPACE, rules, null)).toMatchObject({
      floor: 20 - held,
      keptBy: 'reader',
    })
  })

  test('who begins to read while records are being dropped is seen, or sees that they are gone', async () => {
    const log = new Log()
    for (let i = 0; i < 40; i++) await log.append(1, 0, 0)
    const readers = new LogReaders(() => {})
    const read = log.store.readTail.bind(log.store)
    let reads = 0
    log.store.readTail = async (...args) => {
      // What comes after its place was found to be droppable by then, page by page.
      if (++reads === 3) readers.begin(4)
      return await read(...args)
    }
    const trim = log.store.trim.bind(log.store)
    let dropping: Seq = 0
    log.store.trim = (...args) => {
      dropping = readers.dropping
      return trim(...args)
    }
    const rules = { retention: none, now: 0, readers, checkpointSeq: await log.checkpoint() }
    expect(await trimLog(log.store, NAMESPACE, rules, null)).toMatchObject({ floor: 4, keptBy: 'reader' })
    expect([dropping, readers.dropping]).toEqual([4, 0])
  })
})

/** A log of records with these numbers of commits, an hour between two, and the cursor at each. */
async function fill(world: World, sizes: readonly number[]) {
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  await settle()
  for (const [i, size] of sizes.entries()) {
    if (i > 0) world.clock.advance(HOUR_MS)
    line.push(line.cursor?.epoch ?? null, ...Array.from({ length: size }, (_, j) => ada.note(`n${i}-${j}`)))
    await settle()
  }
  return { ada, line, cursors: line.of('Tail').map(({ cursor }) => cursor) }
}

async function rangeOf(store: HubStore): Promise<LogRange> {
  const range = (await store.heads([NAMESPACE])).get(NAMESPACE)
  if (range === undefined) throw new Error('it is not there')
  return range
}

async function bytesOf(store: HubStore): Promise<readonly number[]> {
  const result = await store.readTail(NAMESPACE, 0, { records: 100, bytes: Infinity })
  return result.kind === 'records' ? result.records.map(({ body }) => body.length) : []
}

const eight = [1, 1, 1, 1, 1, 1, 1, 1]
/** Retention by what the eight records weigh, and the floor it leaves. */
const bounds: [string, (bytes: readonly number[]) => Partial<Retention>, Seq][] = [
  ['as many commits as three records have', () => ({ commits: 3 }), 5],
  ['one commit less', () => ({ commits: 2 }), 6],
  ['one commit more', () => ({ commits: 4 }), 4],
  ['as many bytes as three records have', (bytes) => ({ bytes: lastThree(bytes) }), 5],
  ['one byte less: still the third', (bytes) => ({ bytes: lastThree(bytes) - 1 }), 5],
  ['one byte more: the fourth, whole', (bytes) => ({ bytes: lastThree(bytes) + 1 }), 4],
  ['three hours', () => ({ commits: 0, hours: 3 }), 5],
  ['a second less', () => ({ commits: 0, hours: 3 - 1 / 3_600 }), 5],
  ['a second more', () => ({ commits: 0, hours: 3 + 1 / 3_600 }), 4],
]

function lastThree(bytes: readonly number[]): number {
  return bytes.slice(-3).reduce((sum, each) => sum + each, 0)
}

test.each(bounds)(
  '[10] kept: %s. At the floor and above it a tail, one below it a gap and a snapshot',
  async (_, retentionFor, floor) => {
    const clock = new VirtualClock(1)
    const store = new MapHubStore()
    const writing = openWorld({ store, clock })
    const { cursors } = await fill(writing, eight)
    await writing.hub.close()
    const world = openWorld({ store, clock, retention: retentionFor(await bytesOf(store)) })
    await world.hub.checkpoint(NAMESPACE)
    expect(await rangeOf(store)).toEqual({ floor, head: 8 })
    const story = async (seq: Seq): Promise<Line> => {
      const line = new Line(world).hello(new Author(clock), cursors[seq - 1] ?? null)
      await settle()
      return line
    }
    const rest = (after: Seq): string =>
      `Tail@8[${Array.from({ length: 8 - after }, (_, i) => after + 1 + i).join(',')}]`
    expect((await story(floor + 1)).story).toBe(`Welcome:tail ${rest(floor + 1)} CaughtUp@8:0`)
    expect((await story(floor)).story).toBe(`Welcome:tail ${rest(floor)} CaughtUp@8:0`)
    const below = await story(floor - 1)
    expect(below.story).toBe(`Welcome:snapshot RevisionGap:${floor - 1}<${floor} Snapshot@8 CaughtUp@8:0`)
    expect(Object.keys(textsOf(below.updates))).toHaveLength(8)
  },
)

test('commits are counted, not records, and a record goes or stays whole', async () => {
  for (const [commits, floor] of [
    [3, 3],
    [4, 2],
    [5, 2],
    [8, 2],
    [9, 1],
  ] as const) {
    const world = openWorld({ retention: { commits } })
    await fill(world, [1, 1, 5, 3])
    await world.hub.checkpoint(NAMESPACE)
    expect([commits, (await rangeOf(world.store)).floor]).toEqual([commits, floor])
    expect((await verifyNamespace(world.store, yjsCrdt.updates, NAMESPACE)).faults).toEqual([])
  }
})

test.each([-1, 0, 1])(
  '[4] [10] a replica at the floor and %i goes on with what it has written meanwhile',
  async (beside) => {
    const clock = new VirtualClock(1)
    const store = new MapHubStore()
    const hub = openHub({
      store,
      clock,
      updates: yjsCrdt.updates,
      domains: [notes],
      retention: { commits: 3 },
    })
    const join = () => {
      const wire = memoryDial({ clock, accept: (channel) => void hub.accept(channel, anyone) })
      const replicaStore = new MapReplicaStore()
      const options = {
        domain: notes,
        namespace: NAMESPACE,
        crdt: yjsCrdt,
        clock,
        live: false,
        store: replicaStore,
      }
      return openReplica({ ...options, dial: wire.dial })
    }
    const [away, busy] = [await join(), await join()]
    const write = async (id: string): Promise<void> => {
      busy.apply({ type: 'Noted', id, text: 'while the other is away' })
      await busy.syncOnce()
    }
    for (const id of ['a', 'b', 'c']) await write(id)
    await away.syncOnce()
    const at = away.status.cursor?.seq ?? 0
    const receipt = away.apply({ type: 'Noted', id: 'mine', text: 'offline' })
    // So many that three are kept after the floor.
    for (let i = 0; i < 3 - beside; i++) await write(`d${i}`)
    await hub.checkpoint(NAMESPACE)
    const { floor } = await rangeOf(store)
    expect(at - floor).toBe(beside)
    expect(away.status.pending).toBe(1)
    expect(await away.syncOnce()).toMatchObject({ path: beside < 0 ? 'snapshot' : 'tail', pushed: 1 })
    await receipt.acked
    expect(away.status).toMatchObject({ pending: 0, persistence: 'ok' })
    await busy.syncOnce()
    for (const { tables } of [away, busy]) {
      expect(tables.notes.get('mine')).toBe('offline')
      expect([...tables.notes.entries()]).toHaveLength(4 + 3 - beside)
    }
  },
)

const chatty = { text: 'x'.repeat(90_000), count: 60 }

/** Some megabytes of log, and a reader that has taken only its first page. */
async function slowReader(world: World) {
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  await settle()
  for (let i = 0; i < chatty.count; i++) {
    line.push(line.cursor?.epoch ?? null, ada.note(`n${i}`, chatty.text))
    await settle()
  }
  const first = line.of('Tail')[0]?.cursor ?? null
  const reader = new Line(world)
  reader.connection.hold('down')
  reader.hello(new Author(world.clock), first)
  for (let i = 0; i < 5; i++) await settle()
  return { ada, line, reader, first }
}

test('[6] [10] a slow reader in the middle of a tail gets it to its end while the log is folded and trimmed; then it goes', async () => {
  const store = new MapHubStore()
  const world = openWorld({ store, retention: { commits: 1, bytes: 0 }, checkpoint: { bytesMin: Infinity } })
  const { ada, line, reader } = await slowReader(world)
  // What it has yet to read stays, whatever is logged after it.
  const folded = (): Promise<LogRange> => world.hub.checkpoint(NAMESPACE).then(() => rangeOf(store))
  const early = await folded()
  expect(early.floor).toBeLessThan(20)
  // What it has read may go.
  expect(early.floor).toBeGreaterThan(5)
  line.push(line.cursor?.epoch ?? null, ada.note('more'))
  await settle()
  expect((await folded()).floor).toBe(early.floor)
  const checkpoints = world.hub.metrics().checkpoints
  reader.connection.release('down')
  for (let i = 0; i < 8; i++) await settle()
  expect(reader.of('Tail').flatMap(({ commits }) => commits)).toHaveLength(chatty.count)
  expect(reader.of('Snapshot')).toEqual([])
  expect(reader.story).toMatch(/CaughtUp@61:0$/)
  // Nothing was written since, and no checkpoint built.
  expect(await rangeOf(store)).toEqual({ floor: 60, head: 61 })
  expect(world.hub.metrics().checkpoints).toBe(checkpoints)
})

test('a reader that leaves, or that takes nothing, holds the log no longer than its session lives', async () => {
  for (const ending of ['leaves', 'takes nothing'] as const) {
    const store = new MapHubStore()
    const world = openWorld({
      store,
      retention: { commits: 1, bytes: 0 },
      checkpoint: { bytesMin: Infinity },
    })
    const { reader } = await slowReader(world)
    await world.hub.checkpoint(NAMESPACE)
    expect((await rangeOf(store)).floor).toBeLessThan(20)
    if (ending === 'leaves') reader.channel.close()
    await pass(world.clock, ending === 'leaves' ? 0 : 2 * limits.backlogMsMax)
    for (let i = 0; i < 5; i++) await settle()
    expect(await rangeOf(store)).toEqual({ floor: 59, head: 60 })
  }
})

test('another hub over the store knows nothing of the reader: it goes on by snapshot, and loses nothing', async () => {
  const clock = new VirtualClock(1)
  const store = new MapHubStore()
  const world = openWorld({ store, clock })
  const other = openWorld({ store, clock, retention: { commits: 1 } })
  const { reader } = await slowReader(world)
  await other.hub.checkpoint(NAMESPACE)
  expect((await rangeOf(store)).floor).toBe(59)
  reader.connection.release('down')
  for (let i = 0; i < 8; i++) await settle()
  expect(reader.story).toMatch(/^Welcome:tail Tail.* RevisionGap:\d+<59 Snapshot@60 CaughtUp@60:0$/)
  const texts = textsOf([yjsCrdt.updates.compact(reader.of('Snapshot').map(({ snapshot }) => snapshot))])
  expect(Object.keys(texts)).toHaveLength(chatty.count)
})

/** A store in which something happens right before a read of the log, or of a snapshot; once. */
class EventfulStore extends MapHubStore {
  beforeTail: (() => Promise<unknown>) | null = null
  beforeSnapshot: (() => Promise<unknown>) | null = null

  override async readTail(namespace: Namespace, after: Seq, limit: TailLimit) {
    const event = this.beforeTail
    this.beforeTail = null
    await event?.()
    return await super.readTail(namespace, after, limit)
  }

  override async checkpoint(namespace: Namespace) {
    const found = await super.checkpoint(namespace)
    const event = this.beforeSnapshot
    if (found === null || event === null) return found
    this.beforeSnapshot = null
    return { ...found, snapshot: () => event().then(() => found.snapshot()) }
  }
}

test('a catch-up that has been planned finds the log that it was planned for', async () => {
  const store = new EventfulStore()
  const world = openWorld({ store, retention: { commits: 1 } })
  const { cursors } = await fill(world, eight)
  store.beforeTail = () => world.hub.checkpoint(NAMESPACE)
  const reader = new Line(world).hello(new Author(world.clock), cursors[2] ?? null)
  await settle()
  expect(reader.story).toBe('Welcome:tail Tail@8[4,5,6,7,8] CaughtUp@8:0')
  expect(await rangeOf(store)).toEqual({ floor: 7, head: 8 })
})

test('a catch-up by snapshot finds the log that follows it', async () => {
  const store = new EventfulStore()
  const world = openWorld({ store, retention: { commits: 1 } })
  const { ada, line } = await fill(world, eight)
  await world.hub.checkpoint(NAMESPACE)
  store.beforeSnapshot = async () => {
    for (const id of ['x', 'y', 'z']) {
      line.push(line.cursor?.epoch ?? null, ada.note(id))
      await settle()
    }
    await world.hub.checkpoint(NAMESPACE)
  }
  const reader = new Line(world).hello(new Author(world.clock))
  for (let i = 0; i < 8; i++) await settle()
  expect(reader.story).toBe('Welcome:snapshot Snapshot@8 Tail@11[9,10,11] CaughtUp@11:0')
  expect(await rangeOf(store)).toEqual({ floor: 10, head: 11 })
})

/** A store whose trim waits for a word before it does anything. */
class WaitingStore extends MapHubStore {
  go: (() => void) | null = null

  override async trim(namespace: Namespace, upTo: Seq) {
    await new Promise<void>((resolve) => (this.go = resolve))
    return await super.trim(namespace, upTo)
  }
}

test('[10] who greets while records are being dropped is not sent into the gap', async () => {
  const store = new WaitingStore()
  const world = openWorld({ store, retention: { commits: 2 } })
  const { cursors } = await fill(world, eight)
  const folding = world.hub.checkpoint(NAMESPACE)
  await settle()
  expect(store.go).not.toBeNull()
  const story = async (cursor: Cursor | null | undefined): Promise<string> => {
    const line = new Line(world).hello(new Author(world.clock), cursor ?? null)
    await settle()
    return line.story
  }
  expect(await story(cursors[4])).toBe('Welcome:snapshot RevisionGap:5<6 Snapshot@8 CaughtUp@8:0')
  expect(await story(cursors[5])).toBe('Welcome:tail Tail@8[7,8] CaughtUp@8:0')
  store.go?.()
  await folding
  expect(await rangeOf(store)).toEqual({ floor: 6, head: 8 })
})

test('by age alone records go too, where somebody is in the room', async () => {
  const clock = new VirtualClock(1)
  const store = new MapHubStore()
  const world = openWorld({ store, clock, retention: { commits: 1, hours: 2 } })
  const { line } = await fill(world, eight)
  await world.hub.checkpoint(NAMESPACE)
  expect(await rangeOf(store)).toEqual({ floor: 6, head: 8 })
  clock.advance(limits.retentionLookMs)
  await settle()
  expect((await rangeOf(store)).floor).toBe(6)
  clock.advance(HOUR_MS)
  await settle()
  expect((await rangeOf(store)).floor).toBe(7)
  expect(world.hub.metrics()).toMatchObject({ checkpoints: 1, checkpointFailures: 0 })
  line.channel.close()
  await world.hub.close()
  // The timer is gone with the hub.
  expect(clock.advanceToNext()).toBe(false)
})

test('a clock that is set back or ahead drops nothing that commits and bytes keep', async () => {
  for (const years of [-1, 1]) {
    const clock = new VirtualClock(1)
    const store = new MapHubStore()
    const { cursors } = await fill(openWorld({ store, clock }), eight)
    const later = new VirtualClock(1, clock.now() + years * 365 * 24 * HOUR_MS)
    const world = openWorld({ store, clock: later, retention: { commits: 3, hours: 2 } })
    await world.hub.checkpoint(NAMESPACE)
    expect((await rangeOf(store)).floor).toBe(5)
    const line = new Line(world).hello(new Author(later), cursors[4] ?? null)
    await settle()
    expect(line.of('Welcome')[0]?.path).toBe('tail')
  }
})
