import { expect, test } from 'vitest'
import { limits, type Cursor, type Namespace, type TailLimit } from '@rejoin/core'
import { MapHubStore, VirtualClock } from '@rejoin/testkit'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { Author, Line, NAMESPACE, openWorld, pass, settle, textsOf, type World } from './world.ts'

/** A log of `count` records, one commit each, and the cursor at each of them. */
async function fill(world: World, count: number): Promise<{ ada: Author; cursors: Cursor[]; line: Line }> {
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  await settle()
  for (let i = 1; i <= count; i++) {
    line.push(line.cursor?.epoch ?? null, ada.note(`n${i}`))
    await settle()
  }
  return { ada, line, cursors: line.of('Tail').map(({ cursor }) => cursor) }
}

const at = (cursors: readonly Cursor[], seq: number): Cursor => {
  const cursor = cursors.find((each) => each.seq === seq)
  if (cursor === undefined) throw new Error(`no record ${seq}`)
  return cursor
}

async function join(world: World, cursor: Cursor | null, more = {}): Promise<Line> {
  const line = new Line(world).hello(new Author(world.clock), cursor, more)
  await settle()
  return line
}

test('a replica at the head is live at once', async () => {
  const world = openWorld()
  const { cursors } = await fill(world, 3)
  expect((await join(world, at(cursors, 3))).story).toBe('Welcome:live CaughtUp@3:0')
})

test('a new replica gets the whole log while there is no checkpoint', async () => {
  const world = openWorld()
  await fill(world, 3)
  const line = await join(world, null)
  expect(line.story).toBe('Welcome:tail Tail@3[1,2,3] CaughtUp@3:0')
  expect(Object.keys(textsOf(line.updates))).toEqual(['n1', 'n2', 'n3'])
  expect(world.hub.metrics().documentsDecoded).toBe(0)
})

test('a replica behind gets exactly what it lacks', async () => {
  const world = openWorld()
  const { cursors } = await fill(world, 4)
  expect((await join(world, at(cursors, 2))).story).toBe('Welcome:tail Tail@4[3,4] CaughtUp@4:0')
})

test('[5] the author hears in CaughtUp what of its own is in the log, and gets its bytes back', async () => {
  const world = openWorld()
  const { ada, cursors } = await fill(world, 3)
  const line = new Line(world).hello(ada, at(cursors, 1))
  await settle()
  expect(line.story).toBe('Welcome:tail Tail@3[2,3] CaughtUp@3:3')
})

test('[10] at the floor a tail is served, below it a revision gap and a snapshot; both end at the same content', async () => {
  const world = openWorld({ retention: { commits: 3 } })
  const { cursors } = await fill(world, 8)
  expect(await world.hub.checkpoint(NAMESPACE)).toMatchObject({ seq: 8 })
  expect((await world.store.heads([NAMESPACE])).get(NAMESPACE)).toEqual({ floor: 5, head: 8 })
  const decoded = world.hub.metrics().documentsDecoded
  const atFloor = await join(world, at(cursors, 5))
  const below = await join(world, at(cursors, 4))
  const above = await join(world, at(cursors, 6))
  expect(atFloor.story).toBe('Welcome:tail Tail@8[6,7,8] CaughtUp@8:0')
  expect(above.story).toBe('Welcome:tail Tail@8[7,8] CaughtUp@8:0')
  expect(below.story).toBe('Welcome:snapshot RevisionGap:4<5 Snapshot@8 CaughtUp@8:0')
  expect((await join(world, null)).story).toBe('Welcome:snapshot Snapshot@8 CaughtUp@8:0')
  expect(Object.keys(textsOf(below.updates))).toHaveLength(8)
  expect(world.hub.metrics().documentsDecoded).toBe(decoded)
})

test('behind the checkpoint a snapshot is followed by the tail after it', async () => {
  const world = openWorld({ retention: { commits: 1 } })
  const { ada, line, cursors } = await fill(world, 4)
  await world.hub.checkpoint(NAMESPACE)
  line.push(line.cursor?.epoch ?? null, ada.note('n5'))
  await settle()
  const behind = await join(world, at(cursors, 1))
  expect(behind.story).toBe('Welcome:snapshot RevisionGap:1<3 Snapshot@4 Tail@5[5] CaughtUp@5:0')
  expect(Object.keys(textsOf(behind.updates))).toHaveLength(5)
})

test('a replica that takes no tails gets a snapshot, built for it where there is none', async () => {
  const world = openWorld()
  await fill(world, 3)
  const line = await join(world, null, { capabilities: ['unheard-of'] })
  expect(line.story).toBe('Welcome:snapshot Snapshot@3 CaughtUp@3:0')
})

test.each([
  ['ahead of the log', (cursor: Cursor) => ({ ...cursor, seq: cursor.seq + 4 })],
  ['of another history', (cursor: Cursor) => ({ ...cursor, tag: '0123456789abcdef' })],
])('[6] a cursor %s is refused as diverged, and nothing is overwritten', async (_, change) => {
  const world = openWorld()
  const { cursors } = await fill(world, 3)
  const line = await join(world, change(at(cursors, 2)))
  await pass(world.clock, 2_000)
  expect(line.story).toBe('Refused:room:HISTORY_DIVERGED Closing:HISTORY_DIVERGED')
  expect(await line.channel.closed).toMatchObject({ code: 'HISTORY_DIVERGED' })
})

test('a cursor of a namespace that the hub does not have is refused as diverged', async () => {
  const world = openWorld()
  const line = await join(world, { epoch: 5, seq: 3, tag: '0123456789abcdef' })
  await pass(world.clock, 2_000)
  expect(line.story).toBe('Refused:room:HISTORY_DIVERGED Closing:HISTORY_DIVERGED')
})

test('a removed namespace says so, to those who come and to those who are there', async () => {
  const world = openWorld()
  const { ada, line } = await fill(world, 1)
  await world.store.remove(NAMESPACE)
  line.forget()
  line.push(line.cursor?.epoch ?? null, ada.note('late'))
  await pass(world.clock, 1_000)
  expect(line.story).toBe('Refused:room:NAMESPACE_DELETED Closing:NAMESPACE_DELETED')
  const next = await join(world, null)
  expect(next.story).toBe('Refused:room:NAMESPACE_DELETED Closing:NAMESPACE_DELETED')
  expect(await world.store.state(NAMESPACE)).toBe('removed')
})

test('a removed namespace is noticed by those who only listen', async () => {
  const world = openWorld()
  await fill(world, 1)
  const reader = await join(world, null)
  await world.store.remove(NAMESPACE)
  await pass(world.clock, limits.followMs + 200)
  expect(reader.story).toMatch(/Refused:room:NAMESPACE_DELETED Closing:NAMESPACE_DELETED$/)
})

test('[13] a namespace that was deleted is not brought back by a hub that was greeted before it existed', async () => {
  const store = new MapHubStore()
  const clock = new VirtualClock(1)
  const [here, there] = [openWorld({ store, clock }), openWorld({ store, clock })]
  const late = new Author(clock)
  const line = await join(there, null, { replica: late.replica })
  const { ada } = await fill(here, 2)
  await store.remove(NAMESPACE)
  line.push(null, late.note('late'))
  await pass(clock, 1_000)
  expect(line.story).toBe(
    'Welcome:unknown CaughtUp@none:0 Refused:room:NAMESPACE_DELETED Closing:NAMESPACE_DELETED',
  )
  expect(await store.state(NAMESPACE)).toBe('removed')
  await pass(clock, limits.followMs + 200)
  const back = await join(here, null, { replica: ada.replica, ackedCounter: 2 })
  expect(back.story).toBe('Refused:room:NAMESPACE_DELETED Closing:NAMESPACE_DELETED')
})

/** A store that lets a test act between a page's reading and its arrival. */
class TurnStore extends MapHubStore {
  beforeTail: (() => Promise<void>) | null = null

  override async readTail(namespace: Namespace, after: number, limit: TailLimit) {
    const result = await super.readTail(namespace, after, { ...limit, records: Math.min(limit.records, 2) })
    const act = this.beforeTail
    this.beforeTail = null
    await act?.()
    return result
  }
}

test('[6][8] commits appended during a slow catch-up arrive once, in order, without a gap', async () => {
  const store = new TurnStore()
  const world = openWorld({ store })
  const { ada, line, cursors } = await fill(world, 5)
  const push = async (id: string): Promise<void> => {
    line.push(line.cursor?.epoch ?? null, ada.note(id))
    await settle()
  }
  store.beforeTail = async () => {
    store.beforeTail = async () => {
      await push('n6')
      store.beforeTail = () => push('n7')
    }
  }
  const reader = await join(world, at(cursors, 1))
  for (let i = 0; i < 5; i++) await settle()
  await push('n8')
  const counters = reader.of('Tail').flatMap(({ commits }) => commits.map(({ counter }) => counter))
  expect(counters).toEqual([2, 3, 4, 5, 6, 7, 8])
  expect(reader.story).toMatch(/CaughtUp@7:0 Tail@8\[8\]$/)
})

test('[6] a log that another hub trims during a catch-up is served on by a snapshot', async () => {
  const store = new TurnStore()
  const world = openWorld({ store })
  const other = openWorld({ store, clock: world.clock, retention: { commits: 1 } })
  const { cursors } = await fill(world, 7)
  store.beforeTail = async () => {
    store.beforeTail = async () => {
      await other.hub.checkpoint(NAMESPACE)
    }
  }
  const reader = await join(world, at(cursors, 1))
  expect(reader.story).toBe('Welcome:tail Tail@3[2,3] RevisionGap:3<6 Snapshot@7 CaughtUp@7:0')
  expect(Object.keys(textsOf([yjsCrdt.updates.compact(reader.updates.slice(2))]))).toHaveLength(7)
})

test('[1] a subscriber of an unknown namespace receives it once it is created', async () => {
  const world = openWorld()
  const reader = await join(world, null)
  await fill(world, 2)
  expect(reader.story).toBe('Welcome:unknown CaughtUp@none:0 Tail@1[1] Tail@2[2]')
})
