/** Arbitraries of the todo and intents domains: few keys and values, so that writers meet. */
import fc from 'fast-check'

const id = fc.constantFrom('a', 'b', 'c')
const text = fc.constantFrom('one', 'two', 'three')
const lang = fc.constantFrom('en', 'de')
const weight = fc.constantFrom(0, 0.25, 0.5, 1)
const edit = fc.record(
  { description: fc.option(text), guardrails: fc.array(text, { maxLength: 2 }) },
  { requiredKeys: [] },
)

export const todoOps = {
  ListAdded: fc.record({ id, title: text }),
  ItemDone: fc.record({ list: id, item: id, text }),
  ListRemoved: fc.record({ id }),
}

export const intentsOps = {
  IntentAdded: fc.record({ id, phrasesByLang: fc.dictionary(lang, fc.array(text, { maxLength: 3 })) }),
  IntentRemoved: fc.record({ id }),
  PhraseAdded: fc.record({ intentId: id, phrase: text, lang }),
  PhraseRemoved: fc.record({ intentId: id, phrase: text }),
  WeightUpdates: fc.record({ changes: fc.array(fc.tuple(text, id, weight), { maxLength: 3 }) }),
  IntentMetadataUpdated: fc.record({ id, edit }),
  NamespaceMetadataUpdated: fc.record({ edit: fc.record({ name: fc.option(text) }) }),
  DomainDescription: fc.record({ domain: id, description: fc.option(text) }),
}
