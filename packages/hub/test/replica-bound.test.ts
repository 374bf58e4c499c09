// [14] How many replica ids a namespace knows, and one principal in it: at the bound the commit of a new one waits, all else goes on.
import { mayPlainReturn, type PushedCommit, type ReplicaId } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { MapHubStore, VirtualClock } from '@rejoin/testkit'
import { expect, test } from 'vitest'
import {
  anyone,
  markRestored,
  openHub,
  type HubLogEvent,
  type HubOptions,
  type Principal,
} from '../src/index.ts'
import { openLog } from '../src/opening.ts'
import { PlainClient } from './plain-client.ts'
import { Author, Line, NAMESPACE, notes, openWorld, pass, settle, textsOf, type World } from './world.ts'

const principal = (name: string): Principal => ({ ...anyone, id: `user:${name}`, name })
const [ada, bob] = [principal('ada'), principal('bob')]

const idOf = (number: number): ReplicaId => `${String(number).padStart(4, '0')}${'A'.repeat(18)}`

/** Of a replica that nobody has seen before. */
function stranger({ clock }: World, number: number): Author {
  const author = new Author(clock, [], idOf(number))
  Object.assign(author, { doc: yjsCrdt.open(9_000 + number, []) })
  return author
}

/** Whose ops change nothing: it carries no bytes. */
const idle = (author: Author): PushedCommit => author.commit({ type: 'Forgotten', id: 'nothing' })

async function pushing(
  world: World,
  author: Author,
  as: Principal,
  ...commits: PushedCommit[]
): Promise<Line> {
  const line = new Line(world, as).hello(author)
  await settle()
  line.push(line.cursor?.epoch ?? null, ...commits)
  await settle()
  return line
}

/** So many replicas of a principal have pushed a commit without bytes. */
async function filled(
  count: number,
  as: Principal,
  replicaLimits: HubOptions['replicaLimits'],
  more: Parameters<typeof openWorld>[0] = {},
) {
  const world = openWorld({ ...more, ...(replicaLimits === undefined ? {} : { replicaLimits }) })
  const authors = Array.from({ length: count }, (_, i) => stranger(world, i))
  const commits = authors.map(idle)
  const lines = []
  for (const [i, author] of authors.entries()) {
    const commit = commits[i]
    if (commit !== undefined) lines.push(await pushing(world, author, as, commit))
  }
  return { world, authors, commits, lines }
}

const headOf = async ({ store }: World): Promise<unknown> => (await store.heads([NAMESPACE])).get(NAMESPACE)

test('[10] [11] [14] at the bound a new replica’s commit is refused and nothing is stored; known ones go on, and resends are told', async () => {
  const { world, authors, commits, lines } = await filled(3, anyone, { replicasMax: 3 })
  for (const line of lines) expect(line.of('Ack')).toMatchObject([{ counter: 1 }])
  const before = await headOf(world)
  const late = stranger(world, 3)
  const wait = [idle(late), late.note('late')]
  const refused = await pushing(world, late, anyone, ...wait)
  // What follows it is only not accepted yet.
  expect(refused.of('Refused')).toMatchObject([
    { counter: 1, code: 'DOCUMENT_TOO_LARGE', retryable: true },
    { counter: 2, code: 'PUSH_GAP', retryable: true },
  ])
  expect(refused.of('Refused')[0]?.message).toMatch(
    /knows 3 replica ids.*at most 3; the commit of a new one is kept and sent again.*another namespace.*--forget-replicas/,
  )
  expect(refused.of('Refused')[0]?.retryAfterMs).toBeGreaterThan(0)
  expect(refused.of('CaughtUp')).toHaveLength(1)
  expect(await headOf(world)).toEqual(before)
  const [[first], [resent]] = [authors, commits]
  if (first === undefined || resent === undefined) throw new Error('nobody')
  const known = await pushing(world, first, anyone, resent, first.note('known'))
  expect(known.of('Ack')).toMatchObject([
    { counter: 1, duplicate: true },
    { counter: 2, duplicate: false },
  ])
  // Raised, it is taken as it was.
  await world.hub.close()
  const raised = openWorld({ store: world.store, clock: world.clock, replicaLimits: { replicasMax: 4 } })
  const taken = await pushing(raised, late, anyone, ...wait)
  expect(taken.of('Ack').map(({ counter }) => counter)).toEqual([1, 2])
})

test('the operator is told that new replicas are refused, once an hour and not each time', async () => {
  const told: HubLogEvent[] = []
  const { world } = await filled(1, anyone, { replicasMax: 1 }, { log: (event) => told.push(event) })
  const refuse = async (number: number): Promise<void> => {
    const late = stranger(world, number)
    expect((await pushing(world, late, anyone, idle(late), idle(late))).of('Refused')).toHaveLength(2)
  }
  await refuse(7)
  await refuse(8)
  expect(told).toEqual([
    { level: 'warn', namespace: NAMESPACE, message: expect.stringMatching(/refused.*knows 1 replica ids/) },
  ])
  world.clock.advance(60 * 60 * 1000)
  await refuse(9)
  expect(told).toHaveLength(2)
})

test('[14] what waits for its append counts, too', async () => {
  const world = openWorld({ replicaLimits: { replicasMax: 2 } })
  const authors = [0, 1, 2].map((number) => stranger(world, number))
  const lines = authors.map((author) => new Line(world).hello(author))
  await settle()
  for (const [i, author] of authors.entries()) lines[i]?.push(null, idle(author))
  await settle()
  expect(lines.map((line) => line.of('Ack').length)).toEqual([1, 1, 0])
})

test('[14] one principal uses up its own share and no more, also after a checkpoint, a rebuild and a restart', async () => {
  const { world, authors } = await filled(2, ada, { replicasMax: 3, replicasPerPrincipalMax: 2 })
  const [first] = authors
  if (first === undefined) throw new Error('nobody')
  const share = async (at: World): Promise<void> => {
    const late = stranger(at, 7)
    const refused = await pushing(at, late, ada, idle(late))
    expect(refused.of('Refused')).toMatchObject([{ counter: 1, code: 'DOCUMENT_TOO_LARGE' }])
    expect(refused.of('Refused')[0]?.message).toMatch(
      /2 replica ids of groceries are ada's.*replicasPerPrincipal/,
    )
    expect((await pushing(at, first, ada, idle(first))).of('Ack')).toHaveLength(1)
  }
  await share(world)
  await world.hub.checkpoint(NAMESPACE)
  await world.hub.rebuild(NAMESPACE)
  await world.hub.close()
  const { store, clock } = world
  const again = openWorld({ store, clock, replicaLimits: { replicasMax: 3, replicasPerPrincipalMax: 2 } })
  await share(again)
  const [bobs, more] = [stranger(again, 8), stranger(again, 9)]
  expect((await pushing(again, bobs, bob, idle(bobs))).of('Ack')).toHaveLength(1)
  expect((await pushing(again, more, bob, idle(more))).of('Refused')[0]?.message).toMatch(
    /knows 3 replica ids/,
  )
})

test('[14] where nobody signs in all share the namespace’s bound alone', async () => {
  const { lines } = await filled(4, anyone, { replicasMax: 4, replicasPerPrincipalMax: 1 })
  expect(lines.flatMap((line) => line.of('Refused'))).toEqual([])
})

test('[14] a plain client whose principal is new is held to the same, and may come again', async () => {
  const { world } = await filled(1, ada, { replicasMax: 1 })
  const client = new PlainClient(world.clock, 7_000).connect(world.hub, {}, bob)
  await settle()
  const before = await headOf(world)
  client.note('mine')
  await settle()
  expect(client.closedWith?.code).toBe('DOCUMENT_TOO_LARGE')
  expect(mayPlainReturn('DOCUMENT_TOO_LARGE')).toBe(true)
  expect(await headOf(world)).toEqual(before)
})

test('[14] [23] commits without bytes are folded as others are, and the marks that each fold writes count as its snapshot does', async () => {
  const bytesMin = 1_000
  const { world } = await filled(60, anyone, {}, { checkpoint: { bytesMin } })
  expect(world.hub.metrics().checkpoints).toBeGreaterThan(1)
  const checkpoint = await world.store.checkpoint(NAMESPACE)
  const marksBytes = checkpoint?.marks.length ?? 0
  expect(marksBytes).toBeGreaterThan(bytesMin)
  const line = new Line(world).hello(stranger(world, 61))
  await settle()
  const held = (): number => world.hub.status().rooms[0]?.bytesAfterCheckpoint ?? 0
  const seqBefore = world.hub.status().rooms[0]?.checkpointSeq
  await world.hub.checkpoint(NAMESPACE)
  const author = stranger(world, 62)
  const writer = new Line(world).hello(author)
  await settle()
  let most = 0
  const folds = world.hub.metrics().checkpoints
  while (world.hub.metrics().checkpoints === folds) {
    most = Math.max(most, held())
    writer.push(writer.cursor?.epoch ?? null, idle(author))
    await settle()
  }
  // It went on beyond `bytesMin`, as far as what it writes anew is large.
  expect(most).toBeGreaterThan(bytesMin)
  expect(most).toBeLessThanOrEqual((await world.store.checkpoint(NAMESPACE))?.marks.length ?? 0)
  expect([seqBefore, line.of('Refused')]).toEqual([expect.any(Number), []])
})

test('[14] the marks of the newest checkpoint count where a document’s bytes are bounded', async () => {
  const store = new MapHubStore()
  const clock = new VirtualClock(1)
  const { world, authors } = await filled(40, anyone, {}, { store, clock })
  await world.hub.checkpoint(NAMESPACE)
  await world.hub.close()
  const checkpoint = await store.checkpoint(NAMESPACE)
  const marksBytes = checkpoint?.marks.length ?? 0
  const [author] = authors
  if (author === undefined) throw new Error('nobody')
  const commit = author.note('milk')
  const answerAt = async (documentBytesMax: number): Promise<Line> => {
    const at = openWorld({ store, clock, documentBytesMax })
    const line = await pushing(at, author, anyone, commit)
    await at.hub.close()
    return line
  }
  const snapshot = (await checkpoint?.snapshot())?.length ?? 0
  const bytes = marksBytes + snapshot + commit.update.length
  expect((await answerAt(bytes - 1)).of('Refused')).toMatchObject([{ code: 'DOCUMENT_TOO_LARGE' }])
  expect((await answerAt(bytes)).of('Ack')).toHaveLength(1)
})

test('[25] a heal is taken whole at the bound, and its replica, for whose mark there is no room, waits with what it has', async () => {
  const clock = new VirtualClock(1)
  const before = new MapHubStore()
  const first = openWorld({ store: before, clock })
  const [one, two] = [stranger(first, 1), stranger(first, 2)]
  await pushing(first, one, anyone, one.note('kept'))
  const backup = before.copy()
  const line = new Line(first).hello(two)
  await settle()
  const commit = two.note('lost')
  line.push(line.cursor?.epoch ?? null, commit)
  await settle()
  const { cursor } = line
  await first.hub.close()
  await markRestored(backup, yjsCrdt.updates, clock)
  const world = openWorld({ store: backup, clock, replicaLimits: { replicasMax: 1 } })
  const healing = new Line(world).hello(two, cursor, {
    ackedCounter: 1,
    capabilities: ['delta', 'rebuild', 'newer', 'heal'],
  })
  await pass(clock, 1_000)
  const wanted = healing.of('HealWanted').at(-1)
  if (wanted === undefined) throw new Error(healing.story)
  const update = yjsCrdt.updates.diff([...line.updates, commit.update], wanted.stateVector)
  healing.channel.send({ type: 'Heal', counter: 1, domainVersion: 1, update })
  await pass(clock, 1_000)
  expect(healing.story).toMatch(/CaughtUp@\d+:0$/)
  expect(textsOf(healing.updates)).toEqual({ kept: 'text of kept', lost: 'text of lost' })
  const { marks } = await openLog(backup, yjsCrdt.updates, NAMESPACE)
  expect([marks?.replicaCount, marks?.markOf(two.replica)]).toEqual([1, null])
})

test.each([{ replicasMax: 0 }, { replicasPerPrincipalMax: 1.5 }, { replicasMax: Infinity }])(
  '[14] %o is no bound for replicas',
  (replicaLimits) => {
    const [store, clock] = [new MapHubStore(), new VirtualClock(1)]
    const open = (): unknown =>
      openHub({ store, updates: yjsCrdt.updates, domains: [notes], clock, replicaLimits })
    expect(open).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }))
  },
)
