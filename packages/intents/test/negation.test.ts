import { describe, expect, test } from 'vitest'
import { negatedWords } from '../src/negation.ts'

/** The negated words of a sentence. */
function negated(sentence: string): string[] {
  const words = sentence.split(' ')
  const marks = negatedWords(words)
  return words.filter((_, i) => marks[i] === true)
}

describe('what negates', () => {
  test.each([
    ['do not cancel order', ['cancel', 'order']],
    ['i never received card', ['received', 'card']],
    ['track order without cancelling', ['cancelling']],
    ['everything except refunds', ['refunds']],
  ])('%s', (sentence, expected) => {
    expect(negated(sentence)).toEqual(expected)
  })

  test.each(['can not log in', 'order is not here', 'it will not work', 'not cancel', 'does not work'])(
    '"%s" tells of a state',
    (sentence) => {
      expect(negated(sentence)).toEqual([])
    },
  )
})

describe('how far it reaches', () => {
  test.each(['and', 'but', 'or', 'then'])('%s ends it', (word) => {
    expect(negated(`do not cancel ${word} refund order`)).toEqual(['cancel'])
  })

  test('a second negator starts it anew', () => {
    expect(negated('do not cancel but never refund')).toEqual(['cancel', 'refund'])
  })

  test.each([
    'no problem',
    'no worries',
    'no wonder',
    'no way',
    'not sure',
    'not bad',
    'not only',
    'not just',
    'can not wait',
    'can not believe',
  ])('"%s" switches it off for the sentence', (phrase) => {
    expect(negated(`${phrase} do not cancel`)).toEqual([])
    expect(negated(`do not cancel ${phrase}`)).toEqual([])
  })

  test('words that only contain a pseudo-negation do not', () => {
    expect(negated('casino wayne do not cancel')).toEqual(['cancel'])
  })
})
