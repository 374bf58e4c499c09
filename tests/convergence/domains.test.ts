// Three replicas, random ops, random order, broken connections, crashes, compaction, rebuilds, refusals: the real engines
// in one process. A failure prints the shortest story and the seed that replays it.
import { expect, test } from 'vitest'
import { intents } from '@rejoin/intents'
import {
  checkConvergence as check,
  outcomeText,
  stepText,
  type Glance,
  type OpArbitraries,
  type Step,
  type World,
} from '@rejoin/testkit'
import { checkConvergence, openEngineWorld, withMembers } from 'rejoin/testing'
import { todo } from '@rejoin/examples/todo'
import { intentsOps, todoOps } from './arbitraries.ts'
import { folders, foldersOps } from './folders.ts'
import { inWorld } from './hands.ts'

// The same stories each time, so that a red test means a change; `REJOIN_SEED=2 REJOIN_TIMES=50` looks for new ones.
const seed = Number(process.env['REJOIN_SEED'] ?? 1)
const times = Number(process.env['REJOIN_TIMES'] ?? 1)

test('[1] [2] [4] [5] [10] [19] [20] [21] the todo domain converges and loses nothing over random stories', async () => {
  await checkConvergence(todo, todoOps, { runs: 90 * times, seed })
})

test('[1] [2] [4] [5] [10] [19] [20] [21] the intents domain does too, with all eight ops', async () => {
  await checkConvergence(intents, intentsOps, { runs: 60 * times, seed })
})

// A merge function of its own, and the default number of stories.
test('[1] [2] [4] [5] [19] [24] a domain two tables deep does too, and most stories have many commits and values that meet', async () => {
  const seen: { commits: number; contested: boolean }[] = []
  const domain = folders()
  await check(domain, foldersOps, { seed: 1, openWorld: counting })
  expect(seen.length).toBe(100)
  expect(seen.filter(({ commits }) => commits >= 5).length).toBeGreaterThanOrEqual(90)
  expect(seen.filter(({ contested }) => contested).length).toBeGreaterThanOrEqual(67)

  async function counting(replicas: number, chance: number): Promise<World> {
    const world = await openEngineWorld(domain, replicas, chance)
    const story = { commits: 0, contested: false }
    seen.push(story)
    const glance = async (): Promise<Glance> => {
      const now = await world.glance()
      story.commits = now.logged.length
      story.contested ||= now.replicas.some(({ contested }) => contested > 0)
      return now
    }
    return withMembers(world, { glance })
  }
})

test('an op that others make no room for is told, with its last refusal', async () => {
  const { NoteWritten } = foldersOps
  await expect(checkConvergence(folders(), { NoteWritten }, { runs: 5, seed: 1 })).rejects.toThrow(
    /proves too little[^]*not one commit was made\n {2}NoteWritten never became part of a commit in \d+ tries; at last it was refused with PARENT_MISSING/,
  )
  const misspelt = {
    ...foldersOps,
    NoteWritten: NoteWritten.map(({ folder, ...rest }) => ({ folderId: folder, ...rest })),
  }
  const ops: OpArbitraries<ReturnType<typeof folders>> = misspelt as object
  await expect(checkConvergence(folders(), ops, { runs: 10, seed: 1 })).rejects.toThrow(
    /\n {2}NoteWritten never became part of a commit in \d+ tries; at last it was refused with OP_INVALID at folder: /,
  )
})

test('where its ops make no commit, an apply step takes of its other candidates what fits', async () => {
  await inWorld(1, async ({ take }) => {
    const item = { type: 'ItemDone', list: 'a', item: 'x', text: 'milk' }
    const list = { type: 'ListAdded', id: 'a', title: 'one' }
    const removed = { type: 'ListRemoved', id: 'a' }
    const outcome = await take({ kind: 'apply', replica: 0, ops: [item, item], others: [list, removed] })
    expect(outcome).toMatchObject({
      kind: 'tried',
      attempts: [
        { ops: [item, item], outcome: { kind: 'refused', refusal: { code: 'PARENT_MISSING' } } },
        { ops: [list, item], outcome: { kind: 'commit', name: '0:1' } },
      ],
    })
    expect(outcomeText(outcome)).toBe(
      ' -> PARENT_MISSING, instead ListAdded {"id":"a","title":"one"} + ItemDone {"item":"x","list":"a","text":"milk"} -> commit 0:1',
    )
  })
})

test('what steps picked is told by name', async () => {
  await inWorld(2, async ({ apply, exchange, take }) => {
    const told = async (step: Step): Promise<string> => stepText(step) + outcomeText(await take(step))
    await apply(0, { type: 'ListAdded', id: 'a', title: 'one' })
    await apply(1, { type: 'ListAdded', id: 'a', title: 'two' })
    await exchange(0, 1)
    expect(await told({ kind: 'resolve', replica: 1, pick: 0, choice: 1 })).toMatch(
      /^replica 1 resolves a conflict \(lists \["a"\] title to "(one|two)"\) -> commit 1:2$/,
    )
    expect(await told({ kind: 'withdraw', replica: 1, pick: 0 })).toBe(
      'replica 1 withdraws a commit of its outbox -> commit 1:2 is withdrawn',
    )
    await take({ kind: 'refuse', replica: 0, commits: 2 })
    await apply(0, { type: 'ListAdded', id: 'b', title: 'one' })
    await apply(0, { type: 'ListAdded', id: 'c', title: 'one' })
    await exchange(0)
    expect(await told({ kind: 'resubmit', replica: 0, pick: 0 })).toBe(
      'replica 0 resubmits a refused commit (0:2) -> commit 0:4',
    )
    expect(await told({ kind: 'discard', replica: 0, pick: 0 })).toBe(
      'replica 0 discards a refused commit -> 0:3',
    )
  })
})

test('the world does what stories are made of: commits travel, connections break, replicas crash', async () => {
  await inWorld(2, async ({ apply, take, world }) => {
    expect(await apply(0, { type: 'ListAdded', id: 'a', title: 'one' })).toMatchObject({
      kind: 'commit',
      name: '0:1',
      crowded: [],
      again: 'unchanged',
    })
    expect(await apply(0, { type: 'ListAdded', id: 'a', title: 'one' })).toEqual({ kind: 'unchanged' })
    expect(await apply(1, { type: 'Nope' })).toMatchObject({
      kind: 'refused',
      refusal: { code: 'OP_UNKNOWN' },
      leftTrace: false,
    })
    // Hello arrives, and nothing after it.
    await take({ kind: 'exchange', replica: 0, cutAfter: 1, order: 0 })
    expect((await world.glance()).logged).toEqual([])
    // Hello, Welcome, CaughtUp, Push: what comes down then is not heard.
    await take({ kind: 'exchange', replica: 0, cutAfter: 4, order: 0 })
    expect(await world.glance()).toMatchObject({ logged: ['0:1'], acked: [] })
    await take({ kind: 'restart', replica: 0 })
    for (const replica of [0, 1]) await take({ kind: 'exchange', replica, cutAfter: null, order: 0 })
    expect((await world.glance()).logged).toEqual(['0:1'])
    const { replicas } = await world.observe()
    expect(replicas[0]).toEqual(replicas[1])
    expect(replicas[0]?.reads).toEqual(['lists "a" {"title":"one"}'])
  })
})

test('live replicas hear each other message by message, in the order that the step chooses', async () => {
  await inWorld(2, async ({ apply, take, world }) => {
    for (const replica of [0, 1]) await take({ kind: 'connect', replica })
    await take({ kind: 'deliver', messages: 20, order: 7 })
    await apply(0, { type: 'ListAdded', id: 'a', title: 'one' })
    expect((await world.glance()).logged).toEqual([])
    await take({ kind: 'deliver', messages: 1, order: 0 })
    expect((await world.glance()).logged).toEqual(['0:1'])
    await take({ kind: 'deliver', messages: 20, order: 7 })
    expect((await world.glance()).replicas.map(({ cursor }) => cursor?.seq)).toEqual([1, 1])
  })
})

test('what a dead connection said arrives late, and again, and counts once', async () => {
  await inWorld(2, async ({ apply, take, world }) => {
    await take({ kind: 'connect', replica: 0 })
    await take({ kind: 'deliver', messages: 20, order: 0 })
    await apply(0, { type: 'ListAdded', id: 'a', title: 'one' })
    await take({ kind: 'cut', replica: 0, heardBy: 'replica' })
    await apply(1, { type: 'ListAdded', id: 'b', title: 'two' })
    await take({ kind: 'exchange', replica: 1, cutAfter: null, order: 0 })
    expect((await world.glance()).logged).toEqual(['1:1'])
    await take({ kind: 'late', replica: 0, what: 'rest' })
    await take({ kind: 'deliver', messages: 20, order: 0 })
    expect((await world.glance()).logged).toEqual(['1:1', '0:1'])
    expect(await take({ kind: 'late', replica: 0, what: 'again' })).toEqual({ kind: 'done', note: '' })
    await take({ kind: 'wait', ms: 31_000 })
    expect(await world.glance()).toMatchObject({ logged: ['1:1', '0:1'] })
  })
})

test('a refusal is for good, and its commit can be resubmitted', async () => {
  await inWorld(1, async ({ apply, take, world }) => {
    await take({ kind: 'refuse', replica: 0, commits: 1 })
    await apply(0, { type: 'ListAdded', id: 'a', title: 'one' })
    await take({ kind: 'exchange', replica: 0, cutAfter: null, order: 0 })
    expect((await world.observe()).replicas[0]?.reads).toEqual([])
    expect((await world.observe()).accepted).toMatchObject([{ name: '0:1', fate: 'rejected' }])
    expect(await take({ kind: 'resubmit', replica: 0, pick: 0 })).toMatchObject({
      kind: 'picked',
      what: '0:1',
      outcome: { kind: 'commit', name: '0:2' },
    })
    await take({ kind: 'exchange', replica: 0, cutAfter: null, order: 0 })
    expect((await world.glance()).logged).toEqual(['0:2'])
  })
})
