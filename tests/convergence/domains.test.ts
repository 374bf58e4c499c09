// Three replicas, random ops, random order, broken connections, crashes, compaction, rebuilds, refusals: the real engines
// in one process. A failure prints the shortest story and the seed that replays it.
import { expect, test } from 'vitest'
import { intents } from '@rejoin/intents'
import { checkConvergence } from 'rejoin/testing'
import { todo } from '@rejoin/examples/todo'
import { intentsOps, todoOps } from './arbitraries.ts'
import { inWorld } from './hands.ts'

// The same stories each time, so that a red test means a change; `REJOIN_SEED=2 REJOIN_TIMES=50` looks for new ones.
const seed = Number(process.env['REJOIN_SEED'] ?? 1)
const times = Number(process.env['REJOIN_TIMES'] ?? 1)

test('[1] [2] [4] [5] [10] [19] [20] [21] the todo domain converges and loses nothing over random stories', async () => {
  await checkConvergence(todo, todoOps, { runs: 120 * times, seed })
})

test('[1] [2] [4] [5] [10] [19] [20] [21] the intents domain does too, with all eight ops', async () => {
  await checkConvergence(intents, intentsOps, { runs: 80 * times, seed })
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
    expect(await apply(1, { type: 'Nope' })).toEqual({
      kind: 'refused',
      code: 'OP_UNKNOWN',
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
      kind: 'commit',
      name: '0:2',
    })
    await take({ kind: 'exchange', replica: 0, cutAfter: null, order: 0 })
    expect((await world.glance()).logged).toEqual(['0:2'])
  })
})
