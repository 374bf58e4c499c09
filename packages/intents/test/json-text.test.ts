import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InputError } from '../src/index.ts'
import { parseJson } from '../src/json-text.ts'

function refusalOf(text: string): InputError {
  try {
    parseJson(text, 'a.json')
  } catch (error) {
    if (error instanceof InputError) return error
    throw error
  }
  throw new Error('it was not refused')
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

describe('text that is no JSON', () => {
  test.each([
    ['{"a": 1,}', 'line 1, column 9', 'expected a name in double quotes'],
    ['{"a" 1}', 'line 1, column 6', 'expected ":"'],
    ['{\n  "a": 1\n  "b": 2\n}', 'line 3, column 3', 'expected "," or "}"'],
    ['[1 2]', 'line 1, column 4', 'expected "," or "]"'],
    ['["a\nb"]', 'line 1, column 4', 'a string does not end here, or holds a character that must be escaped'],
    ['["\\x"]', 'line 1, column 3', 'a string does not end here, or holds a character that must be escaped'],
    ['[01]', 'line 1, column 3', 'expected "," or "]"'],
    ['{"a": tru}', 'line 1, column 7', 'expected a value'],
    ['[1] x', 'line 1, column 5', 'expected the end of the file'],
    ['', 'line 1, column 1', 'expected a value, found the end of the file'],
    ['{"a": [1, 2', 'line 1, column 12', 'expected "," or "]", found the end of the file'],
    ['["😀", }', 'line 1, column 7', 'expected a value'],
    ['\r\n\r\n{,}', 'line 3, column 2', 'expected a name in double quotes'],
  ])('%j stops at %s', (text, place, reason) => {
    expect(refusalOf(text)).toMatchObject({ code: 'INPUT_INVALID', file: 'a.json', place, reason })
  })

  test('the message says file, place and reason', () => {
    expect(refusalOf('[').message).toBe(
      'a.json: line 1, column 2: expected a value, found the end of the file',
    )
  })

  test('text that was cut off is at fault where it ends, or where its last token began', () => {
    // A cut inside a number or at the very end leaves JSON.
    const cutShort = fc
      .tuple(fc.json(), fc.nat())
      .map(([json, at]) => json.slice(0, at % json.length))
      .filter((cut) => !isJson(cut))
    fc.assert(
      fc.property(cutShort, (cut) => {
        const column = Number(/column (\d+)$/.exec(refusalOf(cut).place)?.[1])
        const from = Array.from(cut.slice(0, cut.search(/[-+.\\\w]*$/))).length
        expect(column).toBeGreaterThan(from)
        expect(column).toBeLessThanOrEqual(Array.from(cut).length + 1)
      }),
    )
  })

  test('very deep nesting is a fault like any other', () => {
    expect(refusalOf('['.repeat(100_000)).reason).toBe('nested too deeply')
  })
})

describe('JSON that cannot be stored', () => {
  test.each([
    ['{"a": {"__proto__": 1}}', 'a', 'has a field named __proto__'],
    ['{"a": ["x", "\\ud800"]}', 'a[1]', 'holds half a surrogate pair'],
    ['{"a": {"\\udfff": 1}}', 'a', 'has a field name with half a surrogate pair'],
    ['{"a b": [1e999]}', '["a b"][0]', 'the number is too large'],
    [`${'['.repeat(40)}${']'.repeat(40)}`, '[0]'.repeat(33), 'nested deeper than 32 levels'],
  ])('%s', (text, place, reason) => {
    expect(refusalOf(text)).toMatchObject({ place, reason })
  })

  test('a name such as constructor is a name', () => {
    expect(parseJson('{"constructor": 1, "toString": 2}', 'a.json')).toEqual({ constructor: 1, toString: 2 })
  })

  test('a byte order mark at the start is skipped', () => {
    expect(parseJson('\uFEFF[1]', 'a.json')).toEqual([1])
  })
})
