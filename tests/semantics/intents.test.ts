// The intents domain: what several people teach at once all stays. Random stories against a model of who had seen what; a
// failure prints the seed and the shortest story.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { APPENDED, intents, type IntentsOp } from '@rejoin/intents'
import { at, set, type Effect, type Json } from './effects.ts'
import { type Model } from './model.ts'
import { playStories, RUNS, storyOf } from './stories.ts'
import { World, type Told } from './world.ts'

type Op = Exclude<IntentsOp, { type: 'Resolved' | 'Restored' | 'NamespaceMetadataUpdated' }>

const told: Told<Op> = {
  domain: intents,
  shapes: {
    intents: { keyLength: 1, fields: ['description', 'instructions', 'persona'] },
    phrases: { keyLength: 3, under: 'intents', merge: { '': (values) => Math.min(...values.map(Number)) } },
    weights: { keyLength: 2, under: 'intents', merge: { '': (values) => Math.max(...values.map(Number)) } },
    domains: { keyLength: 1 },
  },
  effects: effectsOf,
}

function effectsOf(op: Op, rows: (table: string) => ReturnType<Model['rows']>): readonly Effect[] {
  switch (op.type) {
    case 'IntentAdded':
      return [
        set(at('intents', [op.id]), true),
        ...fieldsOf(op.id, { description: op.description, persona: op.persona }),
        ...Object.entries(op.phrasesByLang).flatMap(([lang, phrases]) =>
          [...new Set(phrases)].map((phrase, i) => set(at('phrases', [op.id, lang, phrase]), i)),
        ),
      ]
    case 'IntentRemoved':
      return [{ kind: 'removeRow', table: 'intents', row: [op.id] }]
    case 'PhraseAdded': {
      const key = [op.intentId, op.lang, op.phrase]
      const isThere = rows('phrases').some(([row]) => row.join('\n') === key.join('\n'))
      return isThere ? [] : [set(at('phrases', key), APPENDED)]
    }
    case 'PhraseRemoved':
      return rows('phrases')
        .filter(([row]) => row[0] === op.intentId && row[2] === op.phrase)
        .map(([row]): Effect => ({ kind: 'remove', at: at('phrases', row) }))
    case 'WeightUpdates':
      return op.changes.map(([token, intent, weight]) =>
        set(at('weights', [intent, token]), Math.fround(weight)),
      )
    case 'IntentMetadataUpdated':
      return [
        ...fieldsOf(op.id, op.edit as Record<string, Json>),
        ...Object.entries(op.edit)
          .filter(([, value]) => value === null)
          .map(([field]): Effect => ({ kind: 'remove', at: at('intents', [op.id], field) })),
      ]
    case 'DomainDescription':
      return op.description === null
        ? [{ kind: 'removeRow', table: 'domains', row: [op.domain] }]
        : [set(at('domains', [op.domain]), op.description)]
  }
}

function fieldsOf(id: string, fields: Readonly<Record<string, Json | undefined>>): readonly Effect[] {
  return Object.entries(fields).flatMap(([field, value]) =>
    value === undefined || value === null ? [] : [set(at('intents', [id], field), value)],
  )
}

const id = fc.constantFrom('greet', 'bye')
const lang = fc.constantFrom('en', 'de')
const phrase = fc.constantFrom('hello', 'hi', 'so long', '__proto__')
const text = fc.constantFrom('one', 'two')
const phrasesByLang = fc.dictionary(lang, fc.array(phrase, { maxLength: 3 }), { noNullPrototype: true })
const description = fc.option(text, { nil: undefined })
const intentAdded = fc.record({ type: fc.constant('IntentAdded' as const), id, phrasesByLang, description })
const phraseOps: fc.Arbitrary<Op> = fc.oneof(
  { weight: 3, arbitrary: intentAdded },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('IntentRemoved' as const), id }) },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('PhraseAdded' as const), intentId: id, phrase, lang }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('PhraseRemoved' as const), intentId: id, phrase }) },
)
const weight = fc.tuple(fc.constantFrom('hello', 'hi'), fc.constant('greet'), fc.constantFrom(0, 0.1, 0.5, 1))
const anyOp: fc.Arbitrary<Op> = fc.oneof(
  phraseOps,
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('WeightUpdates' as const),
      changes: fc.array(weight, { minLength: 1, maxLength: 2 }),
    }),
  },
  fc.record({
    type: fc.constant('IntentMetadataUpdated' as const),
    id,
    edit: fc.record({ description: fc.option(text), persona: fc.option(text) }, { requiredKeys: [] }),
  }),
  fc.record({ type: fc.constant('DomainDescription' as const), domain: id, description: fc.option(text) }),
)

test("[1] the same intent created on several replicas at once keeps every side's phrases", async () => {
  const skew = fc.integer({ min: -60, max: 60 })
  const play = async (
    sides: readonly (readonly [Extract<Op, { type: 'IntentAdded' }>, number])[],
  ): Promise<void> => {
    const world = await World.open(
      told,
      sides.map(([, wrong]) => wrong),
    )
    for (const [who, [op]] of sides.entries()) world.apply(who, { ...op, id: 'greet' })
    await world.settle()
    const all = sides.flatMap(([op]) =>
      Object.entries(op.phrasesByLang).flatMap(([language, phrases]) =>
        phrases.map((one) => `${language} ${one}`),
      ),
    )
    for (let who = 0; who < world.count; who++) {
      const kept = [...world.read(who, 'phrases').entries()].map(([key]) => `${key[1]} ${key[2]}`)
      expect(kept.sort()).toEqual([...new Set(all)].sort())
      expect(world.read(who, 'intents').has('greet')).toBe(true)
      // Only what nobody can have both of is a conflict.
      expect(
        world
          .replica(who)
          .conflicts()
          .every(({ field }) => field === 'description'),
      ).toBe(true)
    }
    await world.close()
  }
  const sides = fc.array(fc.tuple(intentAdded, skew), { minLength: 2, maxLength: 4 })
  await fc.assert(fc.asyncProperty(sides, play), { numRuns: RUNS })
})

test('[1] phrases that are added, removed and added with their intents elsewhere at once are told as anyone would', async () => {
  const met = await playStories(told, storyOf(phraseOps, { opsMax: 1 }), {
    look: (world, who) => world.model.survivors(who).some(({ table }) => table === 'phrases'),
  })
  expect(met).toBeGreaterThan(0)
})

test('[1] phrases, weights, fields and descriptions together', async () => {
  const met = await playStories(told, storyOf(anyOp, { opsMax: 1 }), {
    opening: [{ type: 'IntentAdded', id: 'greet', phrasesByLang: { en: ['hello'] } }],
    look: (world, who) => {
      const contested = [...world.replica(who).registers.contested()]
      return contested.some(([entry]) => entry?.table === 'weights')
    },
  })
  expect(met).toBeGreaterThan(0)
})
