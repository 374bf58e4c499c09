import fc from 'fast-check'
import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { derivedWeight, parseClinc, rankIntents, scoreIntents, TermIndex } from '../src/index.ts'
import { sharedData } from './support.ts'

function indexOfPhrases(phrases: Record<string, readonly string[]>): TermIndex {
  const index = new TermIndex()
  for (const [intent, list] of Object.entries(phrases))
    for (const phrase of list) index.addPhrase(intent, phrase)
  return index
}

/** All that an index answers about some terms. */
function answers(index: TermIndex, tokens: readonly string[]): unknown {
  const pairs = index.intentIds().flatMap((id) => tokens.map((token) => [id, token, index.weight(id, token)]))
  return [index.intentIds(), index.termCount, pairs, tokens.map((token) => index.idf(token))]
}

describe('weights', () => {
  test('k phrases give 1 − 0.6^k', () => {
    const expected = [0, 0.4, 0.64, 0.784, 0.8704, 0.92224]
    for (const [k, weight] of expected.entries()) expect(derivedWeight(k)).toBeCloseTo(weight, 12)
    expect(derivedWeight(1_000)).toBe(1)
  })

  test('a phrase counts once for a term, however often it holds it', () => {
    const index = indexOfPhrases({ greet: ['hello hello'] })
    expect(index.weight('greet', 'hello')).toBe(derivedWeight(1))
  })

  test('the same phrase in two languages counts twice', () => {
    const index = new TermIndex()
    index.addPhrase('greet', 'hallo')
    index.addPhrase('greet', 'hallo')
    expect(index.weight('greet', 'hallo')).toBe(derivedWeight(2))
  })

  test('an explicit weight overrides the derived one until it is cleared', () => {
    const index = indexOfPhrases({ greet: ['hello'] })
    index.setWeight('greet', 'hello', 0.9)
    expect(index.weight('greet', 'hello')).toBe(0.9)
    index.addPhrase('greet', 'hello there')
    expect(index.weight('greet', 'hello')).toBe(0.9)
    index.setWeight('greet', 'hello', undefined)
    expect(index.weight('greet', 'hello')).toBe(derivedWeight(2))
  })

  test('an explicit weight of 0 is a weight', () => {
    const index = indexOfPhrases({ greet: ['hello'] })
    index.setWeight('greet', 'hello', 0)
    expect(index.weight('greet', 'hello')).toBe(0)
    expect(index.postings('hello')).toEqual([{ intent: 'greet', weight: 0 }])
  })

  test('a pair that nothing is known of weighs nothing', () => {
    expect(new TermIndex().weight('greet', 'hello')).toBe(0)
  })
})

describe('idf', () => {
  test('counts intents, also those without phrases', () => {
    const index = indexOfPhrases({ greet: ['hello'], farewell: ['bye'] })
    expect(index.idf('hello')).toBeCloseTo(Math.log(2), 12)
    index.addIntent('empty')
    expect(index.idf('hello')).toBeCloseTo(Math.log(3), 12)
    index.removeIntent('farewell')
    expect(index.idf('hello')).toBeCloseTo(Math.log(2), 12)
  })

  test('counts an intent whose phrases hold stop words alone', () => {
    const index = indexOfPhrases({ greet: ['hello'], filler: ['is it the'] })
    expect(index.intentCount).toBe(2)
    expect(index.idf('hello')).toBeCloseTo(Math.log(2), 12)
  })

  test('a term of every intent, and a term of none, tell nothing', () => {
    const index = indexOfPhrases({ greet: ['hello'], farewell: ['hello'] })
    expect(index.idf('hello')).toBe(0)
    expect(index.idf('unheard')).toBe(0)
  })
})

describe('taking back', () => {
  test('removing a phrase undoes adding it', () => {
    const index = indexOfPhrases({ greet: ['hello there'], farewell: ['bye'] })
    const before = answers(index, ['hello', 'there', 'hello there', 'you', 'bye'])
    index.addPhrase('greet', 'hello you there')
    index.removePhrase('greet', 'hello you there')
    expect(answers(index, ['hello', 'there', 'hello there', 'you', 'bye'])).toEqual(before)
  })

  test('removing what is not there changes nothing', () => {
    const index = indexOfPhrases({ greet: ['hello'] })
    index.removePhrase('greet', 'goodbye')
    index.removePhrase('unknown', 'hello')
    index.removeIntent('unknown')
    index.setWeight('unknown', 'hello', undefined)
    expect(answers(index, ['hello', 'goodbye'])).toEqual(
      answers(indexOfPhrases({ greet: ['hello'] }), ['hello', 'goodbye']),
    )
  })

  test('a removed intent leaves no term behind, learned ones included', () => {
    const index = indexOfPhrases({ greet: ['hello there', 'hello'], farewell: ['bye'] })
    index.setWeight('greet', 'yo', 0.3)
    index.removeIntent('greet')
    expect(answers(index, ['hello', 'yo', 'bye'])).toEqual(
      answers(indexOfPhrases({ farewell: ['bye'] }), ['hello', 'yo', 'bye']),
    )
  })

  test('an intent that comes back starts anew', () => {
    const index = indexOfPhrases({ greet: ['hello'], farewell: ['bye'] })
    index.removeIntent('greet')
    index.addPhrase('greet', 'hi')
    index.removeIntent('greet')
    expect(index.termCount).toBe(1)
  })

  test('names of built-in properties are ordinary names', () => {
    const index = indexOfPhrases({
      __proto__: ['hello'],
      constructor: ['constructor'],
      toString: ['valueOf hasOwnProperty'],
    })
    index.addPhrase('__proto__', 'hello')
    expect(index.intentIds()).toEqual(['__proto__', 'constructor', 'toString'])
    expect(rankIntents('hello', index).intents.map(({ id }) => id)).toEqual(['__proto__'])
    expect(rankIntents('valueof', index).intents.map(({ id }) => id)).toEqual(['toString'])
  })
})

describe('order', () => {
  const word = fc.constantFrom('card', 'lost', 'order', 'cancel', 'not', 'do', 'pay', 'my', '订单取消')
  const phrase = fc.array(word, { minLength: 1, maxLength: 5 }).map((words) => words.join(' '))
  const intent = fc.constantFrom('a', 'b', 'c', 'd', 'e')
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('phrase' as const), intent, phrase }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('weight' as const),
        intent,
        token: word,
        weight: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('intent' as const), intent }) },
  )
  type Step = typeof step extends fc.Arbitrary<infer S> ? S : never
  // One weight a pair, as a document has; phrases may come twice, once for each language.
  const steps = fc.uniqueArray(step, {
    maxLength: 40,
    selector: (s) => (s.kind === 'weight' ? `${s.intent} ${s.token}` : s),
  })

  function put(index: TermIndex, s: Step): void {
    if (s.kind === 'phrase') index.addPhrase(s.intent, s.phrase)
    else if (s.kind === 'weight') index.setWeight(s.intent, s.token, s.weight)
    else index.addIntent(s.intent)
  }

  test('equal content ranks alike to the last digit, whatever order it came in', () => {
    const shuffled = steps.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
    )
    // A failure prints the seed that replays it.
    fc.assert(
      fc.property(shuffled, phrase, ([list, other], query) => {
        const one = new TermIndex()
        const two = new TermIndex()
        for (const s of list) put(one, s)
        for (const s of other) put(two, s)
        expect(scoreIntents(query, two)).toEqual(scoreIntents(query, one))
        expect(rankIntents(query, two)).toEqual(rankIntents(query, one))
      }),
      { numRuns: 300 },
    )
  })

  test('an index kept up to date equals one built at the end', () => {
    fc.assert(
      fc.property(steps, steps, phrase, (kept, passing, query) => {
        const upToDate = new TermIndex()
        const fresh = new TermIndex()
        for (const s of kept) {
          upToDate.addIntent(s.intent)
          fresh.addIntent(s.intent)
        }
        const extra = passing.filter((s) => s.kind === 'phrase')
        for (const s of extra) put(upToDate, s)
        for (const s of kept) put(upToDate, s)
        for (const s of extra) if (s.kind === 'phrase') upToDate.removePhrase(s.intent, s.phrase)
        for (const { intent: id } of extra) if (!fresh.hasIntent(id)) upToDate.removeIntent(id)
        for (const s of kept) put(fresh, s)
        expect(upToDate.termCount).toBe(fresh.termCount)
        expect(scoreIntents(query, upToDate)).toEqual(scoreIntents(query, fresh))
      }),
      { numRuns: 300 },
    )
  })
})

describe('size', () => {
  test('CLINC150 is indexed within a second and few megabytes', async (context) => {
    const sentences = parseClinc(await readFile(sharedData(context, 'clinc150/data_full.json'), 'utf8'))
    const startedAt = performance.now()
    const index = new TermIndex()
    for (const [intent, list] of sentences) for (const sentence of list) index.addPhrase(intent, sentence)
    const tookMs = performance.now() - startedAt
    expect(index.intentCount).toBe(151)
    // Usually about 250 ms; the bound leaves room for a busy machine.
    expect(tookMs).toBeLessThan(2_000)
    expect(rankIntents('how do i transfer money between accounts', index).intents[0]?.id).toBe('transfer')
  })
})
