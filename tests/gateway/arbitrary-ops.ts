/** Ops of the intents domain for random stories of several writers. */
import fc from 'fast-check'
import type { IntentsOp } from '@rejoin/intents'

/** What everybody has at first. */
export const commonOps: IntentsOp[] = ['a', 'b'].flatMap((id): IntentsOp[] => [
  { type: 'IntentAdded', id, phrasesByLang: { en: ['one', 'two'], de: ['one'] }, persona: 'calm' },
  { type: 'WeightUpdates', changes: [['one', id, 0.5]] },
])

/** Few things and few values, so that writers meet. */
export function anyOp(): fc.Arbitrary<IntentsOp> {
  const id = fc.constantFrom('a', 'b')
  const phrase = fc.constantFrom('one', 'two')
  const lang = fc.constantFrom('en', 'de')
  const text = fc.option(fc.constantFrom('calm', 'loud'))
  const lists = fc.dictionary(lang, fc.array(phrase, { maxLength: 2 }))
  const payloads = {
    IntentAdded: fc.record({ id, phrasesByLang: lists, persona: text }),
    IntentRemoved: fc.record({ id }),
    PhraseAdded: fc.record({ intentId: id, phrase, lang }),
    PhraseRemoved: fc.record({ intentId: id, phrase }),
    WeightUpdates: fc.record({
      changes: fc.array(fc.tuple(phrase, id, fc.constantFrom(0.25, 0.5, 1)), { maxLength: 2 }),
    }),
    IntentMetadataUpdated: fc.record({ id, edit: fc.record({ persona: text }) }),
    NamespaceMetadataUpdated: fc.record({ edit: fc.record({ name: text }) }),
    DomainDescription: fc.record({ domain: id, description: text }),
  }
  const ops = Object.entries(payloads).map(([type, payload]) =>
    (payload as fc.Arbitrary<object>).map((fields) => ({ type, ...fields }) as IntentsOp),
  )
  return fc.oneof(...ops)
}
