import { describe, expect, test } from 'vitest'
import { APPENDED, type IntentsOp } from '../src/index.ts'
import { codeOf, MemoryDocument } from './support.ts'

const greet: IntentsOp = {
  type: 'IntentAdded',
  id: 'greet',
  phrasesByLang: { en: ['hello', 'hi'], de: ['hallo'] },
}

function documentOf(...ops: IntentsOp[]): MemoryDocument {
  const document = new MemoryDocument()
  for (const op of ops) document.apply(op)
  return document
}

describe('intents', () => {
  test('IntentAdded adds the row, its texts and its phrases at their places', () => {
    const { tables } = documentOf({
      ...greet,
      description: 'Says hello',
      instructions: '',
      persona: null,
    } as IntentsOp)
    expect(tables.intents.get('greet')).toEqual({ description: 'Says hello', instructions: '' })
    expect([...tables.phrases.entries()]).toEqual([
      [['greet', 'de', 'hallo'], 0],
      [['greet', 'en', 'hello'], 0],
      [['greet', 'en', 'hi'], 1],
    ])
  })

  test('of equal phrases in a list the first gives the place', () => {
    const { tables } = documentOf({ type: 'IntentAdded', id: 'a', phrasesByLang: { en: ['x', 'x', 'y'] } })
    expect(tables.phrases.get(['a', 'en', 'x'])).toBe(0)
    expect(tables.phrases.get(['a', 'en', 'y'])).toBe(1)
  })

  test('IntentAdded again adds what is lacking and removes nothing', () => {
    const document = documentOf(greet, { type: 'IntentAdded', id: 'greet', phrasesByLang: { en: ['hey'] } })
    expect(document.tables.phrases.size).toBe(4)
  })

  test('IntentRemoved takes phrases and weights with it, and leaves the others alone', () => {
    const document = documentOf(
      greet,
      { type: 'IntentAdded', id: 'greeting', phrasesByLang: { en: ['hello'] } },
      {
        type: 'WeightUpdates',
        changes: [
          ['hello', 'greet', 0.5],
          ['hello', 'greeting', 0.5],
        ],
      },
      { type: 'IntentRemoved', id: 'greet' },
    )
    const { tables } = document
    expect([...tables.intents.entries()]).toEqual([['greeting', {}]])
    expect(tables.phrases.size).toBe(1)
    expect(tables.weights.size).toBe(1)
    expect([...document.tableNames()].flatMap((name) => [...document.scan(name, ['greet'])])).toEqual([])
  })
})

describe('phrases', () => {
  test('PhraseAdded puts a phrase after all others, and leaves one that is there at its place', () => {
    const { tables } = documentOf(
      greet,
      { type: 'PhraseAdded', intentId: 'greet', phrase: 'hey', lang: 'en' },
      { type: 'PhraseAdded', intentId: 'greet', phrase: 'hi', lang: 'en' },
    )
    expect(tables.phrases.get(['greet', 'en', 'hey'])).toBe(APPENDED)
    expect(tables.phrases.get(['greet', 'en', 'hi'])).toBe(1)
  })

  test('PhraseRemoved removes the phrase in every language, and in no other intent', () => {
    const { tables } = documentOf(
      { type: 'IntentAdded', id: 'a', phrasesByLang: { en: ['ok', 'yes'], de: ['ok'] } },
      { type: 'IntentAdded', id: 'b', phrasesByLang: { en: ['ok'] } },
      { type: 'PhraseRemoved', intentId: 'a', phrase: 'ok' },
    )
    expect([...tables.phrases.entries()].map(([key]) => key)).toEqual([
      ['a', 'en', 'yes'],
      ['b', 'en', 'ok'],
    ])
  })

  test('a phrase of an intent that is not there is refused', () => {
    expect(
      codeOf(() => documentOf({ type: 'PhraseAdded', intentId: 'nobody', phrase: 'x', lang: 'en' })),
    ).toBe('PARENT_MISSING')
  })

  test('concurrent places of one phrase: the earlier counts, and there is no conflict', () => {
    const one = documentOf(greet)
    const two = documentOf(
      { type: 'IntentAdded', id: 'greet', phrasesByLang: {} },
      { type: 'PhraseAdded', intentId: 'greet', phrase: 'hi', lang: 'en' },
    )
    one.mergeConcurrent(two)
    expect(one.tables.phrases.get(['greet', 'en', 'hi'])).toBe(1)
  })
})

describe('weights', () => {
  test('are kept as float32', () => {
    const { tables } = documentOf(greet, { type: 'WeightUpdates', changes: [['hello', 'greet', 0.8]] })
    expect(tables.weights.get(['greet', 'hello'])).toBe(Math.fround(0.8))
  })

  test('of two concurrent ones the greater counts; one that saw the value may lower it', () => {
    const one = documentOf(greet, { type: 'WeightUpdates', changes: [['hello', 'greet', 0.25]] })
    const two = documentOf(greet, { type: 'WeightUpdates', changes: [['hello', 'greet', 0.75]] })
    const both = documentOf(greet, { type: 'WeightUpdates', changes: [['hello', 'greet', 0.25]] })
    both.mergeConcurrent(two)
    two.mergeConcurrent(one)
    expect(both.tables.weights.get(['greet', 'hello'])).toBe(0.75)
    expect(two.tables.weights.get(['greet', 'hello'])).toBe(0.75)
    both.apply({ type: 'WeightUpdates', changes: [['hello', 'greet', 0.5]] })
    expect(both.tables.weights.get(['greet', 'hello'])).toBe(0.5)
  })
})

describe('edits', () => {
  test('an absent field stays, null clears, anything else sets', () => {
    const document = documentOf(greet, {
      type: 'IntentMetadataUpdated',
      id: 'greet',
      edit: { description: 'one', persona: 'calm', schema: { type: 'object' }, guardrails: ['be kind'] },
    })
    document.apply({
      type: 'IntentMetadataUpdated',
      id: 'greet',
      edit: { description: null, schema: [1, null], instructions: '' },
    })
    expect(document.tables.intents.get('greet')).toEqual({
      persona: 'calm',
      guardrails: ['be kind'],
      schema: [1, null],
      instructions: '',
    })
  })

  test('clearing the namespace threshold is an edit like any other', () => {
    const document = documentOf({
      type: 'NamespaceMetadataUpdated',
      edit: { name: 'shop', default_threshold: 0 },
    })
    expect(document.tables.namespace.get()).toEqual({ name: 'shop', default_threshold: 0 })
    document.apply({ type: 'NamespaceMetadataUpdated', edit: { default_threshold: null } })
    expect(document.tables.namespace.get()).toEqual({ name: 'shop' })
  })

  test('source and target keep fields that are not known here', () => {
    const target = { type: 'mcp_server', url: 'http://localhost', retries: 3 }
    const { tables } = documentOf(greet, { type: 'IntentMetadataUpdated', id: 'greet', edit: { target } })
    expect(tables.intents.get('greet')).toEqual({ target })
  })

  test('a misspelt field is refused, not ignored', () => {
    const edit = { descripton: 'x' } as object
    expect(codeOf(() => documentOf(greet, { type: 'IntentMetadataUpdated', id: 'greet', edit }))).toBe(
      'OP_INVALID',
    )
  })

  test('editing an intent that is not there is refused', () => {
    expect(
      codeOf(() => documentOf({ type: 'IntentMetadataUpdated', id: 'nobody', edit: { type: 'action' } })),
    ).toBe('PARENT_MISSING')
  })

  test('DomainDescription sets, and null removes', () => {
    const document = documentOf({ type: 'DomainDescription', domain: 'billing', description: 'Money' })
    expect([...document.tables.domains.entries()]).toEqual([['billing', 'Money']])
    document.apply({ type: 'DomainDescription', domain: 'billing', description: null })
    expect(document.tables.domains.size).toBe(0)
  })
})

describe('payloads', () => {
  test.each<[string, object]>([
    ['an empty id', { type: 'IntentAdded', id: '', phrasesByLang: {} }],
    ['an id that is too long', { type: 'IntentRemoved', id: 'i'.repeat(201) }],
    ['an id with U+0000', { type: 'IntentRemoved', id: 'a\u0000b' }],
    ['a language that is no code', { type: 'PhraseAdded', intentId: 'greet', phrase: 'x', lang: '' }],
    ['a blank phrase', { type: 'PhraseAdded', intentId: 'greet', phrase: ' \n', lang: 'en' }],
    ['half a surrogate pair', { type: 'PhraseAdded', intentId: 'greet', phrase: '\ud800', lang: 'en' }],
    ['a weight of NaN', { type: 'WeightUpdates', changes: [['hello', 'greet', NaN]] }],
    ['a weight above 1', { type: 'WeightUpdates', changes: [['hello', 'greet', 1.5]] }],
    [
      'a threshold that is infinite',
      { type: 'NamespaceMetadataUpdated', edit: { default_threshold: Infinity } },
    ],
    ['phrases that are no list', { type: 'IntentAdded', id: 'a', phrasesByLang: { en: 'hello' } }],
  ])('%s is refused', (_, op) => {
    expect(codeOf(() => documentOf(greet, op as IntentsOp))).toBe('OP_INVALID')
  })

  test('the path leads to the fault', () => {
    const op = { type: 'IntentAdded', id: 'a', phrasesByLang: { en: ['x', 7] } } as unknown as IntentsOp
    expect(() => documentOf(op)).toThrow('ops[0].phrasesByLang.en[1]')
  })

  test('fields that are not known here are accepted, as on the wire of others', () => {
    expect(codeOf(() => documentOf({ ...greet, version: 7 } as IntentsOp))).toBe('none')
  })
})
