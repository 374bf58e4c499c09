import { describe, expect, test } from 'vitest'
import { rankIntents, scoreIntents, TermIndex, type RankingOptions } from '../src/index.ts'

function indexOfPhrases(phrases: Record<string, readonly string[]>): TermIndex {
  const index = new TermIndex()
  for (const [intent, list] of Object.entries(phrases)) {
    index.addIntent(intent)
    for (const phrase of list) index.addPhrase(intent, phrase)
  }
  return index
}

const small = { greet: ['hello', 'hi'], farewell: ['goodbye', 'bye'] }

function ids(query: string, index: TermIndex, options?: RankingOptions): readonly string[] {
  return rankIntents(query, index, options).intents.map(({ id }) => id)
}

describe('worked values', () => {
  test('"hello" scores 0.4 × ln 2', () => {
    expect(scoreIntents('hello', indexOfPhrases(small))).toEqual([
      { id: 'greet', score: expect.closeTo(0.27726, 5) as number },
    ])
  })

  test('"howdy partner" scores for two words and their pair', () => {
    const index = indexOfPhrases({ ...small, greet: [...small.greet, 'howdy partner'] })
    expect(scoreIntents('howdy partner', index)[0]?.score).toBeCloseTo(0.83178, 5)
  })

  test('with one intent every score is 0', () => {
    expect(scoreIntents('hello', indexOfPhrases({ greet: ['hello'] }))).toEqual([])
  })
})

describe('negation', () => {
  const index = indexOfPhrases({ cancel: ['cancel order'], track: ['track order'], refund: ['refund money'] })

  test('a negated term counts against its intent', () => {
    const plain = scoreIntents('cancel order', index).find(({ id }) => id === 'cancel')?.score ?? 0
    expect(plain).toBeGreaterThan(0)
    expect(scoreIntents("don't cancel order", index)).toEqual([])
  })

  test('what comes after the negation counts for its intent', () => {
    expect(ids("don't cancel, but track", index)).toEqual(['track'])
  })

  test('Chinese negations are read as spaces', () => {
    const chinese = indexOfPhrases({ cancel: ['取消订单'], track: ['查询'] })
    expect(ids('不取消订单', chinese)).toEqual(['cancel'])
  })

  test('a negated training term cannot be matched', () => {
    const trained = indexOfPhrases({ keep: ["don't cancel"], track: ['track'] })
    expect(trained.weight('keep', 'not_cancel')).toBeGreaterThan(0)
    expect(scoreIntents('cancel', trained)).toEqual([])
  })
})

describe('voting gate', () => {
  const index = indexOfPhrases({ pay: ['pay bill now'], play: ['play song'] })
  const scoreOf = (query: string, minVotingTokens?: number): number =>
    scoreIntents(query, index, { minVotingTokens })[0]?.score ?? 0

  test.each([
    // "pay" is one term; "pay bill" three; "pay bill now" five.
    ['pay', 2, 0.4],
    ['pay', 3, 0.4],
    ['pay bill', 3, 1],
    ['pay bill', 5, 0.7],
    ['pay bill now', 5, 1],
  ])('"%s" with %i voices needed counts %d of its score', (query, min, share) => {
    expect(scoreOf(query, min)).toBeCloseTo(share * scoreOf(query), 12)
  })

  test('up to 1 there is no gate', () => {
    expect(scoreOf('pay', 1)).toBe(scoreOf('pay'))
    expect(scoreOf('pay', 0)).toBe(scoreOf('pay'))
  })

  test('a negated term has no voice', () => {
    index.setWeight('pay', 'later', 0.1)
    expect(scoreOf('pay. never later', 2)).toBeCloseTo(0.4 * scoreOf('pay. never later'), 12)
    index.setWeight('pay', 'later', undefined)
  })

  test('terms that contribute next to nothing have no voice', () => {
    index.setWeight('pay', 'faintly', 0.01)
    expect(scoreOf('faintly', 1)).toBeGreaterThan(0)
    expect(scoreOf('faintly', 2)).toBe(0)
    index.setWeight('pay', 'faintly', undefined)
  })
})

describe('several intents in one query', () => {
  const index = indexOfPhrases({
    refund: ['refund money', 'money back'],
    cancel: ['cancel order', 'stop order'],
    track: ['track parcel', 'where is parcel'],
    greet: ['hello', 'hi'],
    hours: ['opening hours', 'open today'],
  })

  test('both are found, the better score first', () => {
    const { intents } = rankIntents('cancel or stop order and refund money', index)
    expect(intents.map(({ id }) => id)).toEqual(['cancel', 'refund'])
    expect(intents[0]?.score).toBeGreaterThan(intents[1]?.score ?? 0)
  })

  test('no more than three rounds', () => {
    // One intent a round: each next one scores lower, yet above 0.55 of the first.
    const rounds = new TermIndex()
    for (const [i, word] of ['one', 'two', 'three', 'four', 'five'].entries()) {
      rounds.addIntent(word)
      rounds.setWeight(word, word, 1 - i * 0.105)
    }
    expect(ids('one two three four five', rounds)).toEqual(['one', 'two', 'three'])
  })

  test('intents within 0.9 of the best of a round are confirmed with it', () => {
    // All hang on one word, which the first confirmed intent explains: there is no second round for the others.
    const close = new TermIndex()
    for (const [intent, weight] of [
      ['one', 1],
      ['two', 0.91],
      ['three', 0.89],
    ] as const) {
      close.setWeight(intent, 'card', weight)
    }
    for (const other of ['x', 'y', 'z']) close.addIntent(other)
    expect(ids('card', close)).toEqual(['one', 'two'])
  })

  test('an intent keeps the score with which it was confirmed', () => {
    const both = new TermIndex()
    both.setWeight('first', 'card', 0.2)
    both.setWeight('first', 'pay', 0.9)
    both.setWeight('second', 'pay', 0.95)
    for (const other of ['w', 'x', 'y', 'z']) both.addIntent(other)
    const { intents } = rankIntents('card. pay', both)
    expect(intents.map(({ id }) => id)).toEqual(['first', 'second'])
    expect(intents[0]?.score).toBeCloseTo(0.2 * Math.log(6) + 0.9 * Math.log(3), 12)
  })

  test('a later round that falls below 0.55 of the first is left out', () => {
    const faint = new TermIndex()
    for (const [word, weight] of [
      ['one', 1],
      ['two', 0.54],
      ['three', 0],
      ['four', 0],
    ] as const)
      faint.setWeight(word, word, weight)
    expect(ids('one two', faint)).toEqual(['one'])
    faint.setWeight('two', 'two', 0.56)
    expect(ids('one two', faint)).toEqual(['one', 'two'])
  })

  test('terms of a confirmed intent do not speak for others in later rounds', () => {
    const shared = new TermIndex()
    // "card" speaks most for lost; without it pay has only its own faint word.
    shared.setWeight('lost', 'card', 1)
    shared.setWeight('pay', 'card', 0.5)
    shared.setWeight('pay', 'pay', 0.2)
    for (const other of ['x', 'y', 'z']) shared.addIntent(other)
    expect(ids('card pay', shared)).toEqual(['lost'])
  })
})

describe('thresholds', () => {
  const index = indexOfPhrases(small)
  // 0.27726, see above
  const query = 'hello'

  test('the request overrides the namespace, which overrides 0.3', () => {
    const bandOf = (options: RankingOptions): string | undefined =>
      rankIntents(query, index, options).intents[0]?.band
    expect(bandOf({})).toBe('Medium')
    expect(bandOf({ defaults: { threshold: 0.2 } })).toBe('High')
    expect(bandOf({ threshold: 0.3, defaults: { threshold: 0.2 } })).toBe('Medium')
    expect(bandOf({ defaults: { threshold: undefined } })).toBe('Medium')
  })

  test('0 is a threshold, and a negative one is 0', () => {
    expect(rankIntents(query, index, { threshold: 0, defaults: { threshold: 5 } }).disposition).toBe(
      'Confident',
    )
    expect(rankIntents(query, index, { threshold: -1 })).toEqual(rankIntents(query, index, { threshold: 0 }))
  })

  test('the cut is a fifth of the threshold', () => {
    expect(ids(query, index, { threshold: 1.38 })).toEqual(['greet'])
    expect(ids(query, index, { threshold: 1.39 })).toEqual([])
  })

  test('the cut is 0.05 at least', () => {
    const faint = indexOfPhrases(small)
    faint.setWeight('greet', 'yo', 0.07)
    expect(ids('yo', faint, { threshold: 0 })).toEqual([])
    faint.setWeight('greet', 'yo', 0.08)
    expect(ids('yo', faint, { threshold: 0 })).toEqual(['greet'])
  })

  test('the namespace decides on the voting gate where the request does not', () => {
    const gated = rankIntents(query, index, { defaults: { minVotingTokens: 2 } }).intents[0]?.score
    expect(gated).toBeCloseTo(0.4 * 0.27726, 5)
    expect(
      rankIntents(query, index, { minVotingTokens: 1, defaults: { minVotingTokens: 2 } }).intents[0]?.score,
    ).toBeCloseTo(0.27726, 5)
  })
})

describe('results', () => {
  test('nothing found is no match', () => {
    expect(rankIntents('unheard of', indexOfPhrases(small))).toEqual({ intents: [], disposition: 'NoMatch' })
    expect(rankIntents('', new TermIndex())).toEqual({ intents: [], disposition: 'NoMatch' })
  })

  test('confidence is the share of the best score', () => {
    const index = new TermIndex()
    for (const [word, weight] of [
      ['one', 1],
      ['two', 0.75],
      ['three', 0],
    ] as const)
      index.setWeight(word, word, weight)
    const { intents, disposition } = rankIntents('one two', index)
    expect(intents.map(({ confidence }) => confidence)).toEqual([1, expect.closeTo(0.75, 12)])
    expect(disposition).toBe('Confident')
  })

  test('matches below the threshold are of low confidence', () => {
    expect(rankIntents('hello', indexOfPhrases(small)).disposition).toBe('LowConfidence')
  })

  test('ties are broken by intent id', () => {
    const tied = { zeta: ['same words'], alpha: ['same words'], mid: ['same words'], other: ['else'] }
    expect(ids('same words', indexOfPhrases(tied))).toEqual(['alpha', 'mid', 'zeta'])
  })

  test('sums that differ by rounding alone are a tie', () => {
    // 0.1 + 0.2 + 0.3 and 0.3 + 0.2 + 0.1 differ in their last digit.
    const index = new TermIndex()
    for (const [i, weight] of [0.1, 0.2, 0.3].entries()) index.setWeight('second', `up${i}`, weight)
    for (const [i, weight] of [0.3, 0.2, 0.1].entries()) index.setWeight('first', `down${i}`, weight)
    index.addIntent('third')
    expect(scoreIntents('up0 up1 up2 down0 down1 down2', index).map(({ id }) => id)).toEqual([
      'first',
      'second',
    ])
  })

  test('the same words in another order score alike to the last digit', () => {
    const index = new TermIndex()
    const words = ['a1', 'b1', 'c1']
    // Added from either end these give sums that differ.
    for (const [i, weight] of [0.1, 0.2, 0.3].entries()) index.setWeight('one', words[i] ?? '', weight)
    for (const other of ['x', 'y', 'z']) index.addIntent(other)
    expect(scoreIntents(words.toReversed().join('. '), index)).toEqual(scoreIntents(words.join('. '), index))
  })
})
