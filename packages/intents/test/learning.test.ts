import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  correct,
  decay,
  indexOf,
  learn,
  learningState,
  reinforce,
  scoreIntents,
  type IntentsOp,
  type LearningState,
} from '../src/index.ts'
import { MemoryDocument } from './support.ts'

function greetings(): MemoryDocument {
  const document = new MemoryDocument()
  document.apply(
    { type: 'IntentAdded', id: 'greet', phrasesByLang: { en: ['hello', 'hi'] } },
    { type: 'IntentAdded', id: 'farewell', phrasesByLang: { en: ['goodbye', 'bye'] } },
  )
  return document
}

function stateOf(document: MemoryDocument): LearningState {
  return learningState(document.tables, indexOf(document.tables))
}

/** Learns and applies what was learned; gives the weight in force afterwards. */
function weightAfter(
  document: MemoryDocument,
  token: string,
  ...steps: ((state: LearningState) => readonly IntentsOp[])[]
): number {
  for (const step of steps) {
    const ops = step(stateOf(document))
    if (ops.length > 0) document.apply(...ops)
  }
  return stateOf(document).weight('greet', token)
}

const phrase = (text: string) => (state: LearningState) => learn(state, 'greet', text, 'en')
const again = (state: LearningState): readonly IntentsOp[] => reinforce(state, 'greet', 'howdy')

describe('learning a phrase', () => {
  test('k phrases give 0.4, 0.64, 0.784, 0.8704, 0.92224', () => {
    const document = greetings()
    for (const [k, weight] of [0.4, 0.64, 0.784, 0.8704, 0.92224].entries()) {
      expect(weightAfter(document, 'howdy', phrase(`howdy ${k}`))).toBeCloseTo(weight, 6)
    }
    expect(document.tables.weights.size).toBe(0)
  })

  test('moves an explicit weight on as well', () => {
    const document = greetings()
    expect(weightAfter(document, 'howdy', again, phrase('howdy partner'))).toBeCloseTo(1 - 0.7 * 0.6, 6)
  })

  test('that is there already, or is blank, changes nothing', () => {
    const state = stateOf(greetings())
    expect(learn(state, 'greet', 'hello', 'en')).toEqual([])
    expect(learn(state, 'greet', '  ', 'en')).toEqual([])
  })

  test('phrases and reinforcements give 1 − 0.6^p · 0.7^q in any order', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 8 }), (steps) => {
        const document = greetings()
        const weight = weightAfter(
          document,
          'howdy',
          ...steps.map((isPhrase, i) => (isPhrase ? phrase(`howdy ${i}`) : again)),
        )
        const p = steps.filter(Boolean).length
        expect(weight).toBeCloseTo(1 - 0.6 ** p * 0.7 ** (steps.length - p), 5)
      }),
    )
  })

  test('of an intent that is not there is refused', () => {
    expect(() => learn(stateOf(greetings()), 'nobody', 'x', 'en')).toThrow('there is no intent "nobody"')
  })
})

describe('reinforcing', () => {
  test('gives post-values as float32', () => {
    expect(reinforce(stateOf(greetings()), 'greet', 'hello friend')).toEqual([
      {
        type: 'WeightUpdates',
        changes: [
          ['hello', 'greet', Math.fround(0.4 + 0.3 * 0.6)],
          ['friend', 'greet', Math.fround(0.3)],
          ['hello friend', 'greet', Math.fround(0.3)],
        ],
      },
    ])
  })

  test('leaves negated words alone', () => {
    const ops = reinforce(stateOf(greetings()), 'greet', "hello, don't shout")
    const tokens = ops.flatMap((op) =>
      op.type === 'WeightUpdates' ? op.changes.map(([token]) => token) : [],
    )
    expect(tokens).toContain('hello')
    expect(tokens).not.toContain('shout')
    expect(tokens).not.toContain('not_shout')
  })

  test('stops changing at 1', () => {
    const document = greetings()
    document.apply({ type: 'WeightUpdates', changes: [['hello', 'greet', 1]] })
    expect(reinforce(stateOf(document), 'greet', 'hello')).toEqual([])
  })

  test('leaves out tokens that are too long for a key', () => {
    expect(reinforce(stateOf(greetings()), 'greet', 'x'.repeat(2_000))).toEqual([])
  })
})

describe('decay', () => {
  test('takes alpha off the weights of the queries’ tokens in these intents', () => {
    const document = greetings()
    document.apply(...decay(stateOf(document), ['hello world'], { intents: ['greet'], alpha: 0.2 }))
    expect([...document.tables.weights.entries()]).toEqual([[['greet', 'hello'], Math.fround(0.32)]])
  })

  test('of no intents named means all', () => {
    const document = greetings()
    const ops = decay(stateOf(document), ['hello and bye'], { alpha: 0.5 })
    expect(ops.flatMap((op) => (op.type === 'WeightUpdates' ? op.changes : []))).toEqual([
      ['bye', 'farewell', Math.fround(0.2)],
      ['hello', 'greet', Math.fround(0.2)],
    ])
  })

  test('counts a token once for each query that holds it', () => {
    const ops = decay(stateOf(greetings()), ['hello', 'hello hello'], { intents: ['greet'], alpha: 0.5 })
    expect(ops).toEqual([{ type: 'WeightUpdates', changes: [['hello', 'greet', Math.fround(0.1)]] }])
  })

  test('a negated token decays as its base', () => {
    const ops = decay(stateOf(greetings()), ["don't say hello"], { intents: ['greet'], alpha: 0.5 })
    expect(ops).toEqual([{ type: 'WeightUpdates', changes: [['hello', 'greet', Math.fround(0.2)]] }])
  })

  test('lowers the score', () => {
    const document = greetings()
    const before = scoreIntents('hello', indexOf(document.tables))[0]?.score ?? 0
    document.apply(...decay(stateOf(document), ['hello']))
    expect(scoreIntents('hello', indexOf(document.tables))[0]?.score).toBeCloseTo(before * 0.9, 6)
  })

  test('unknown intents and unknown words change nothing', () => {
    expect(decay(stateOf(greetings()), ['hello'], { intents: ['nobody'] })).toEqual([])
    expect(decay(stateOf(greetings()), ['unheard'])).toEqual([])
  })

  test.each([0, 1, -0.1, 1.1, NaN])('alpha of %d is refused', (alpha) => {
    expect(() => decay(stateOf(greetings()), ['hello'], { alpha })).toThrow('give a number between 0 and 1')
  })
})

describe('correcting', () => {
  test('moves the query: both halves in one', () => {
    const document = greetings()
    document.apply(...correct(stateOf(document), { query: 'bye', wrong: 'farewell', right: 'greet' }))
    expect([...document.tables.phrases.entries()].map(([key]) => key)).toEqual([
      ['farewell', 'en', 'goodbye'],
      ['greet', 'en', 'bye'],
      ['greet', 'en', 'hello'],
      ['greet', 'en', 'hi'],
    ])
  })

  test('a query that the wrong intent does not have is only added', () => {
    const correction = { query: 'howdy', wrong: 'farewell', right: 'greet' }
    expect(correct(stateOf(greetings()), correction)).toEqual([
      { type: 'PhraseAdded', intentId: 'greet', phrase: 'howdy', lang: 'en' },
    ])
  })

  test.each([
    ['取消订单', 'zh'],
    ['こんにちは', 'zh'],
    ['hallo', 'en'],
  ])('%s is taken for %s', (query, lang) => {
    expect(correct(stateOf(greetings()), { query, wrong: 'farewell', right: 'greet' })).toEqual([
      { type: 'PhraseAdded', intentId: 'greet', phrase: query, lang },
    ])
  })

  test('a blank query changes nothing, whoever is meant', () => {
    expect(correct(stateOf(greetings()), { query: ' ', wrong: 'a', right: 'nobody' })).toEqual([])
  })

  test('an unknown right intent is refused, an unknown wrong one is not', () => {
    const state = stateOf(greetings())
    expect(() => correct(state, { query: 'x', wrong: 'greet', right: 'nobody' })).toThrow(
      'there is no intent "nobody"',
    )
    expect(correct(state, { query: 'x', wrong: 'nobody', right: 'greet' })).toHaveLength(1)
  })

  test('right and wrong being the same removes nothing', () => {
    expect(correct(stateOf(greetings()), { query: 'hello', wrong: 'greet', right: 'greet' })).toEqual([])
  })
})
