// Three replicas, random ops, random order, broken connections, crashes, compaction: the real engines in one process.
// A failure prints the shortest story and the seed that replays it.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { intents } from '@rejoin/intents'
import { checkConvergence, openEngineWorld } from 'rejoin/testing'
import { todo } from '@rejoin/examples/todo'

const id = fc.constantFrom('a', 'b', 'c')
const text = fc.constantFrom('one', 'two', 'three')

test('[1] [2] [4] [5] [10] the todo domain converges over 500 random stories', async () => {
  await checkConvergence(
    todo,
    {
      ListAdded: fc.record({ id, title: text }),
      ItemDone: fc.record({ list: id, item: id, text }),
      ListRemoved: fc.record({ id }),
    },
    { runs: 500 },
  )
})

test('[1] [2] [4] [5] [10] the intents domain converges over 200 random stories with all eight ops', async () => {
  const lang = fc.constantFrom('en', 'de')
  const edit = fc.record(
    { description: fc.option(text), guardrails: fc.array(text, { maxLength: 2 }) },
    { requiredKeys: [] },
  )
  const weight = fc.constantFrom(0, 0.25, 0.5, 1)
  await checkConvergence(
    intents,
    {
      IntentAdded: fc.record({ id, phrasesByLang: fc.dictionary(lang, fc.array(text, { maxLength: 3 })) }),
      IntentRemoved: fc.record({ id }),
      PhraseAdded: fc.record({ intentId: id, phrase: text, lang }),
      PhraseRemoved: fc.record({ intentId: id, phrase: text }),
      WeightUpdates: fc.record({ changes: fc.array(fc.tuple(text, id, weight), { maxLength: 3 }) }),
      IntentMetadataUpdated: fc.record({ id, edit }),
      NamespaceMetadataUpdated: fc.record({ edit: fc.record({ name: fc.option(text) }) }),
      DomainDescription: fc.record({ domain: id, description: fc.option(text) }),
    },
    { runs: 200 },
  )
})

test('the world does what stories are made of: commits travel, connections break, replicas crash', async () => {
  const world = await openEngineWorld(todo, 2)
  try {
    expect(await world.apply(0, { type: 'ListAdded', id: 'a', title: 'one' })).toMatchObject({
      kind: 'commit',
    })
    expect(await world.apply(0, { type: 'ListAdded', id: 'a', title: 'one' })).toEqual({ kind: 'unchanged' })
    expect(await world.apply(1, { type: 'Nope' })).toEqual({ kind: 'refused', code: 'OP_UNKNOWN' })
    await world.exchange(0, 0)
    expect((await world.observe()).logged).toEqual([])
    await world.exchange(0, 2)
    expect((await world.observe()).logged).toHaveLength(1)
    expect((await world.observe()).acknowledged).toEqual([])
    await world.restart(0)
    await world.exchange(0, null)
    await world.exchange(1, null)
    const { logged, acknowledged, replicas } = await world.observe()
    expect(logged).toHaveLength(1)
    expect(acknowledged).toEqual([])
    expect(replicas[0]).toEqual(replicas[1])
  } finally {
    await world.close()
  }
})
