/** Copies of one data folder: two writers under one replica id. Whoever comes second must hear of it. */
import { expect, test } from 'vitest'
import { type Namespace } from '@rejoin/core'
import { MapHubStore, VirtualClock } from '@rejoin/testkit'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { readLog, rebuildNamespace } from '../src/index.ts'
import { Author, Line, NAMESPACE, openWorld, pass, settle, type World } from './world.ts'

const gone = 'Refused:room:REPLICA_TAKEN Closing:REPLICA_TAKEN'

/** A replica with one commit in the log, and two copies of its folder that go on apart. */
async function copies(world: World) {
  const original = new Author(world.clock)
  const line = new Line(world).hello(original)
  await settle()
  line.push(null, original.note('base'))
  await settle()
  const cursor = line.cursor
  if (cursor === null) throw new Error('the base is not in the log')
  line.channel.close()
  await settle()
  const first = copyOf(original, world)
  world.clock.advance(1_000)
  const second = copyOf(original, world)
  return { cursor, epoch: cursor.epoch, first, second, original }
}

function copyOf(original: Author, { clock }: World): Author {
  const author = new Author(clock, [original.doc.encode()], original.replica)
  author.counter = 1
  author.prev = 1
  return author
}

async function logged(world: World): Promise<string[]> {
  const ids: string[] = []
  for await (const { id, ops } of readLog(world.store, NAMESPACE))
    ids.push(`${id.counter}:${String(ops[0]?.['id'])}`)
  return ids
}

/** What the copy pushes is made at its own time. */
function later(world: World): void {
  world.clock.advance(1_000)
}

test('[5] of two copies of one replica that both commit, the second hears REPLICA_TAKEN, and nothing of it is logged', async () => {
  const world = openWorld()
  const { cursor, epoch, first, second, original } = await copies(world)
  const one = new Line(world).hello(first, cursor).push(epoch, first.note('one'))
  one.channel.end()
  await one.ended
  later(world)
  // The next one names the second, which is in the log by its number, and its bytes are good by themselves.
  const three = { ...copyOf(original, world).note('three'), counter: 3, prev: 2 }
  const two = new Line(world).hello(second, cursor).push(epoch, second.note('two'), three)
  two.channel.end()
  await two.ended
  expect(one.story).toBe('Welcome:live CaughtUp@1:1 Ack:2@2 Tail@2[own2]')
  expect(two.story).toBe(`Welcome:tail Tail@2[2] CaughtUp@2:2 ${gone}`)
  expect(two.of('CaughtUp')[0]?.ackedHlc).toBe(first.hlc.last)
  expect(two.of('Refused')[0]).toMatchObject({ counter: null, retryable: false })
  expect(two.of('Refused')[0]?.message).toMatch(/another copy .* nothing was taken .* new folder/)
  expect(await logged(world)).toEqual(['1:base', '2:one'])
  expect(world.hub.metrics()).toMatchObject({ duplicates: 0, refusals: { REPLICA_TAKEN: 1 } })
})

test('[5] the copy that was first goes on, and a resend of its last commit is still known', async () => {
  const world = openWorld()
  const { cursor, epoch, first, second } = await copies(world)
  const lines = [new Line(world).hello(first, cursor), new Line(world).hello(second, cursor)] as const
  await settle()
  const commit = first.note('one')
  lines[0].push(epoch, commit)
  await settle()
  later(world)
  lines[1].push(epoch, second.note('two'))
  await settle()
  lines[0].push(epoch, commit, first.note('more'))
  await settle()
  expect(lines[0].story).toMatch(/Ack:2@2 Tail@2\[own2\] Ack:2again@2 Ack:3@3 Tail@3\[own3\]$/)
  expect(lines[1].story).toBe(`Welcome:live CaughtUp@1:1 Tail@2[2] ${gone}`)
})

/** A store whose appends wait for a word. */
class SlowStore extends MapHubStore {
  gate: Promise<void> | null = null

  override async append(namespace: Namespace, after: number, body: Uint8Array) {
    await this.gate
    return await super.append(namespace, after, body)
  }
}

test.each([
  ['the last of what waits', 1],
  ['one that others wait behind', 2],
])('[5] a copy is told also while the other commit, %s, waits for its append', async (_, count) => {
  const store = new SlowStore()
  const world = openWorld({ store })
  const { cursor, epoch, first, second } = await copies(world)
  const lines = [new Line(world).hello(first, cursor), new Line(world).hello(second, cursor)] as const
  await settle()
  let open = (): void => {}
  store.gate = new Promise((resolve) => (open = resolve))
  lines[0].push(epoch, ...['one', 'more'].slice(0, count).map((id) => first.note(id)))
  await settle()
  later(world)
  lines[1].push(epoch, second.note('two'))
  await settle()
  open()
  await settle()
  expect(lines[0].of('Ack')).toHaveLength(count)
  expect(lines[1].of('Ack')).toHaveLength(0)
  expect(lines[1].story).toContain(gone)
  expect(await logged(world)).toEqual(['1:base', '2:one', '3:more'].slice(0, count + 1))
})

test('[5] a copy at another hub of the same store is told when its hub reads on', async () => {
  const store = new MapHubStore()
  const clock = new VirtualClock(1)
  const [here, there] = [openWorld({ store, clock }), openWorld({ store, clock })]
  const { cursor, epoch, first, second, original } = await copies(here)
  const lines = [new Line(here).hello(first, cursor), new Line(there).hello(second, cursor)] as const
  await settle()
  lines[0].push(epoch, first.note('one'))
  await settle()
  later(here)
  lines[1].push(epoch, second.note('two'), { ...copyOf(original, here).note('three'), counter: 3, prev: 2 })
  await pass(clock, 1_000)
  expect(lines[1].of('Ack')).toHaveLength(0)
  expect(lines[1].story).toContain(gone)
  expect(await logged(here)).toEqual(['1:base', '2:one'])
})

test('[5][13] the stamp of the last commit outlives checkpoint, trim, reload and rebuild', async () => {
  const store = new MapHubStore()
  const clock = new VirtualClock(1)
  const world = openWorld({ store, clock, retention: { commits: 1 } })
  const { cursor, epoch, first, second } = await copies(world)
  const one = new Line(world).hello(first, cursor).push(epoch, first.note('one'))
  await settle()
  const hlc = first.hlc.last
  await world.hub.checkpoint(NAMESPACE)
  one.channel.close()
  await settle()
  expect(world.hub.metrics().rooms).toBe(0)
  later(world)
  const commit = second.note('two')
  const again = new Line(world).hello(second, one.cursor).push(epoch, commit)
  await settle()
  expect(again.of('CaughtUp')).toMatchObject([{ ackedCounter: 2, ackedHlc: hlc }])
  expect(again.story).toContain(gone)
  await world.hub.close()

  const rebuilt = await rebuildNamespace(store, yjsCrdt.updates, NAMESPACE, clock)
  const last = new Line(openWorld({ store, clock })).hello(second, one.cursor).push(rebuilt.epoch, commit)
  await settle()
  expect(last.of('CaughtUp')).toMatchObject([{ ackedCounter: 2, ackedHlc: hlc }])
  expect(last.story).toContain(gone)
})

test('a replica of which nothing is in the log has no stamp there', async () => {
  const world = openWorld()
  await copies(world)
  const line = new Line(world).hello(new Author(world.clock))
  await settle()
  expect(line.of('CaughtUp')).toMatchObject([{ ackedCounter: 0, ackedHlc: null }])
})
