import { describe, expect, test } from 'vitest'
import { baseOf, isNegated, queryTerms, terms } from '../src/terms.ts'

describe('step 6: terms', () => {
  test('words and pairs of neighbours, pairs after words', () => {
    expect(terms('howdy partner')).toEqual(['howdy', 'partner', 'howdy partner'])
  })

  test('stop words are left out, and pairs reach over them', () => {
    expect(terms('charge my card')).toEqual(['charge', 'card', 'charge card'])
  })

  test('the universal stop words give no terms', () => {
    const stopWords =
      'a an the is are was were be been being in on at to of for with from by and or but ' +
      'i me my we our you your it its he she they them this that'
    expect(terms(stopWords)).toEqual([])
  })

  test('each term comes once, in the order of the text', () => {
    expect(terms('card lost card lost')).toEqual(['card', 'lost', 'card lost', 'lost card'])
  })

  test('pairs do not reach over the end of a sentence', () => {
    expect(terms('cancel order. refund money')).not.toContain('order refund')
  })

  test('pieces of unsegmented runs make no pairs', () => {
    expect(terms('取消 order 订单')).toEqual(['取消', 'order', '订单'])
  })

  test('empty text has no terms', () => {
    expect(terms('')).toEqual([])
    expect(terms(' ?! ')).toEqual([])
  })
})

describe('step 5 in terms', () => {
  test('negated words and pairs of them carry not_', () => {
    expect(terms("don't cancel my order")).toEqual([
      'do',
      'not',
      'not_cancel',
      'not_order',
      'do not',
      'not not_cancel',
      'not_cancel not_order',
    ])
  })

  test('a negation ends with its sentence', () => {
    expect(terms("I don't trust this. Just cancel it")).toContain('cancel')
  })

  test('a text cannot spell the prefix itself', () => {
    expect(terms('not_cancel').filter(isNegated)).toEqual([])
  })

  test('the base of a negated term is the term without its prefix', () => {
    expect(baseOf('not_cancel')).toBe('cancel')
    expect(baseOf('cancel')).toBe('cancel')
  })
})

describe('queries', () => {
  test.each(['不', '没', '别', '未'])('%s is blanked and noticed', (negation) => {
    expect(queryTerms(`${negation}取消`)).toEqual({ terms: ['取消'], negated: true })
  })

  test('an English negation is noticed', () => {
    expect(queryTerms("don't cancel").negated).toBe(true)
    expect(queryTerms('cancel').negated).toBe(false)
  })
})
