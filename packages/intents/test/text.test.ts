import { describe, expect, test } from 'vitest'
import { isCjk, normalise, sentences, words } from '../src/text.ts'

const wordsOf = (sentence: string): string[] => words(normalise(sentence)).map(({ text }) => text)

describe('step 1: one spelling', () => {
  test('letters become lower case', () => {
    expect(normalise('Ändere MEIN Konto')).toBe('ändere mein konto')
  })

  test.each([
    ["won't", 'will not'],
    ["can't", 'can not'],
    ["shan't", 'shall not'],
    ["don't", 'do not'],
    ["isn't", 'is not'],
    ['don’t', 'do not'],
    ["DON'T", 'do not'],
  ])('%s is written out', (contraction, expansion) => {
    expect(normalise(contraction)).toBe(expansion)
  })

  test.each(["we're", "we've", "we'll", "we'd", "we'm", "we's"])(
    'the ending of %s becomes a space',
    (word) => {
      expect(normalise(`${word} here`)).toBe('we  here')
    },
  )

  test('a quoted word is no contraction', () => {
    expect(wordsOf("press 'delete' or 'send'")).toEqual(['press', 'delete', 'or', 'send'])
  })

  test('an accent as a letter and as a mark are the same', () => {
    expect(wordsOf('cafe\u0301')).toEqual(wordsOf('caf\u00e9'))
  })
})

describe('step 2: sentences and words', () => {
  test('sentences end at . ! ?', () => {
    expect(sentences('a. b! c? d, e; f').map((s) => s.trim())).toEqual(['a', 'b', 'c', 'd, e; f'])
  })

  test('words are split at anything but letters, digits and hyphens', () => {
    expect(wordsOf('re-send my_order #42, (please)/now')).toEqual([
      're-send',
      'my',
      'order',
      '42',
      'please',
      'now',
    ])
  })

  test('a lone hyphen or sign is no word', () => {
    expect(wordsOf('cancel - order \u2764\ufe0f')).toEqual(['cancel', 'order'])
  })

  test('letters of any alphabet are letters', () => {
    expect(wordsOf('größe Привет नमस्ते γειά')).toEqual(['größe', 'привет', 'नमस्ते', 'γειά'])
  })
})

describe('step 3: scripts without spaces', () => {
  test('a run gives itself and its character bigrams, without stop characters', () => {
    // 的 is a stop character.
    expect(wordsOf('取消我的订单')).toEqual(['取消我订单', '取消', '消我', '我订', '订单'])
  })

  test('a run of one character stands alone, one of stop characters alone gives nothing', () => {
    expect(wordsOf('猫 的')).toEqual(['猫'])
  })

  test.each([
    ['Japanese', '注文をキャンセル', ['注文キャンセル', '注文', '文キ', 'キャ', 'ャン', 'ンセ', 'セル']],
    ['Korean', '주문을 취소', ['주문', '주문', '취소', '취소']],
    ['Thai', 'ไม่', ['ไม่', 'ไม', 'ม่']],
    ['Lao', 'ດີ', ['ດີ', 'ດີ']],
    ['Myanmar', 'မေး', ['မေး', 'မေ', 'ေး']],
    ['Khmer', 'លុប', ['លុប', 'លុ', 'ុប']],
  ])('%s is cut into bigrams', (_, text, expected) => {
    expect(wordsOf(text)).toEqual(expected)
  })

  test('a Chinese character outside of the basic plane is one character', () => {
    expect(wordsOf('𠮷野家')).toEqual(['𠮷野家', '𠮷野', '野家'])
  })

  test('letters inside a run stay a whole word', () => {
    expect(words('sql查询table')).toEqual([
      { text: 'sql', segmented: true },
      { text: '查询', segmented: false },
      { text: '查询', segmented: false },
      { text: 'table', segmented: true },
    ])
  })

  test('Chinese characters, kana and Hangul are CJK; Thai and Latin are not', () => {
    expect(['取消', 'はい', 'カタ', '네'].map(isCjk)).toEqual([true, true, true, true])
    expect(['ไม่', 'cancel', ''].map(isCjk)).toEqual([false, false, false])
  })
})
