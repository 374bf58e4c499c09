import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  canonicalOps,
  checkEntriesFollowFromOps,
  formatHlc,
  planWrites,
  type Entry,
  type Hlc,
} from '@rejoin/core'
import { indexOf, intents, rankIntents, type IntentsOp } from '../src/index.ts'
import { codeOf, MemoryDocument } from './support.ts'

/** Everything that can be read, in key order. */
function content(document: MemoryDocument): unknown {
  const { namespace, intents: rows, phrases, weights, domains } = document.tables
  return [namespace.get(), ...[rows, phrases, weights, domains].map((table) => [...table.entries()])]
}

describe('properties', () => {
  const id = fc.constantFrom('a', 'b', 'a:c', '__proto__')
  const lang = fc.constantFrom('en', 'de')
  const phrase = fc.constantFrom('hello there', 'cancel my order', 'not that', 'constructor')
  const op: fc.Arbitrary<IntentsOp> = fc.oneof(
    fc.record({
      type: fc.constant('IntentAdded' as const),
      id,
      phrasesByLang: fc.dictionary(lang, fc.array(phrase, { maxLength: 3 }), { noNullPrototype: true }),
      description: fc.constantFrom('', 'one'),
    }),
    fc.record({ type: fc.constant('IntentRemoved' as const), id }),
    fc.record({ type: fc.constant('PhraseAdded' as const), intentId: id, phrase, lang }),
    fc.record({ type: fc.constant('PhraseRemoved' as const), intentId: id, phrase }),
    fc.record({
      type: fc.constant('WeightUpdates' as const),
      changes: fc.array(
        fc.tuple(fc.constantFrom('hello', 'order'), id, fc.float({ min: 0, max: 1, noNaN: true })),
        { maxLength: 2 },
      ),
    }),
    fc.record({
      type: fc.constant('IntentMetadataUpdated' as const),
      id,
      edit: fc.record(
        { type: fc.constantFrom(null, 'action'), schema: fc.constantFrom<number[] | null>(null, [1]) },
        { requiredKeys: [] },
      ),
    }),
    fc.record({
      type: fc.constant('NamespaceMetadataUpdated' as const),
      edit: fc.record({ default_threshold: fc.constantFrom(null, 0, 1.5) }, { requiredKeys: [] }),
    }),
    fc.record({
      type: fc.constant('DomainDescription' as const),
      domain: id,
      description: fc.constantFrom(null, 'text'),
    }),
  )

  /** Applies what can be applied: an op for an intent that is not there is refused and leaves no trace. */
  function applyAll(document: MemoryDocument, ops: readonly IntentsOp[]): void {
    for (const one of ops)
      if (codeOf(() => document.apply(one)) === 'OP_FAILED') throw new Error('a writer threw')
  }

  test('any op applied twice equals it applied once, and writes nothing the second time', () => {
    fc.assert(
      fc.property(fc.array(op, { maxLength: 12 }), op, (before, last) => {
        const document = new MemoryDocument()
        applyAll(document, before)
        applyAll(document, [last])
        const once = content(document)
        document.writeCount = 0
        applyAll(document, [last])
        expect(content(document)).toEqual(once)
        expect(document.writeCount).toBe(0)
      }),
    )
  })

  test('what an op sets follows from its payload, whatever is there', () => {
    fc.assert(
      fc.property(
        fc.array(op, { maxLength: 12 }),
        fc.array(op, { minLength: 1, maxLength: 4 }),
        (before, ops) => {
          const document = new MemoryDocument()
          applyAll(document, before)
          const hlc: Hlc = formatHlc({ ms: 1_000, counter: 0, author: 'zzzzz' })
          const writes = planWrites(intents, canonicalOps(intents, ops), document, hlc, 'optional')
          const entries = writes.flatMap((write): Entry[] =>
            write.kind === 'set' ? [{ ...write, hlc }] : [],
          )
          expect(() => checkEntriesFollowFromOps(intents, ops, entries, hlc)).not.toThrow()
        },
      ),
    )
  })

  test('documents of equal content route alike', () => {
    fc.assert(
      fc.property(fc.array(op, { maxLength: 20 }), phrase, (ops, query) => {
        const document = new MemoryDocument()
        applyAll(document, ops)
        const copy = new MemoryDocument()
        for (const [key] of document.tables.intents.entries())
          copy.apply({ type: 'IntentAdded', id: key, phrasesByLang: {} })
        for (const [[intentId, language, text]] of [...document.tables.phrases.entries()].reverse()) {
          copy.apply({ type: 'PhraseAdded', intentId, lang: language, phrase: text })
        }
        for (const [[intentId, token], weight] of document.tables.weights.entries()) {
          copy.apply({ type: 'WeightUpdates', changes: [[token, intentId, weight]] })
        }
        expect(rankIntents(query, indexOf(copy.tables))).toEqual(rankIntents(query, indexOf(document.tables)))
      }),
    )
  })
})
