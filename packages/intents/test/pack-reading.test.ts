import { describe, expect, test } from 'vitest'
import { InputError, readPack } from '../src/index.ts'
import { filesIn, intentText, packFiles } from './support.ts'

async function refusalOf(texts: Record<string, string>): Promise<InputError> {
  const error: unknown = await readPack(filesIn(packFiles(texts))).catch((thrown: unknown) => thrown)
  if (error instanceof InputError) return error
  throw new Error('it was not refused', { cause: error })
}

describe('reading', () => {
  test('phrases that come twice in a language count once, at the first place', async () => {
    const pack = await readPack(
      filesIn(packFiles({ 'a.json': '{"phrases": {"en": ["x", "y", "x"], "de": ["x"]}}' })),
    )
    expect(pack.intents.get('a')?.phrases).toEqual({ en: ['x', 'y'], de: ['x'] })
  })

  test('a folder is a domain, its intents carry its name, and _domain.json describes it', async () => {
    const pack = await readPack(
      filesIn(
        packFiles({ 'billing/refund.json': intentText, 'billing/_domain.json': '{"description": "Money."}' }),
      ),
    )
    expect([...pack.intents.keys()]).toEqual(['billing:refund'])
    expect(pack.namespace.domain_descriptions).toEqual({ billing: 'Money.' })
  })

  test('bookkeeping, hidden files and files of other kinds are no intents', async () => {
    const pack = await readPack(
      filesIn(
        packFiles({
          'a.json': intentText,
          '_oplog.json': '[',
          '._a.json': '[',
          'README.md': '#',
          '.git/x.json': '[',
        }),
      ),
    )
    expect([...pack.intents.keys()]).toEqual(['a'])
  })

  test('a folder without _ns.json is no pack', async () => {
    await expect(readPack(filesIn(new Map([['package.json', '{}']])))).rejects.toThrow('_ns.json: missing')
  })
})

describe('a malformed file refuses the pack, with file, place and reason', () => {
  const long = 'x'.repeat(10_001)

  test.each([
    ['no JSON', 'a.json', '{"phrases": {"en": ["x",]}}', 'line 1, column 25', 'expected a value'],
    ['no object', 'a.json', '[]', '', 'expected object'],
    ['no phrases', 'a.json', '{}', 'phrases', 'expected record'],
    ['phrases as a list', 'a.json', '{"phrases": ["x"]}', 'phrases', 'expected record'],
    [
      'a phrase that is no string',
      'a.json',
      '{"phrases": {"en": ["x", 7]}}',
      'phrases.en[1]',
      'expected string',
    ],
    ['a phrase that is null', 'a.json', '{"phrases": {"en": [null]}}', 'phrases.en[0]', 'expected string'],
    ['a blank phrase', 'a.json', '{"phrases": {"en": [" "]}}', 'phrases.en[0]', 'blank'],
    ['a phrase with U+0000', 'a.json', '{"phrases": {"en": ["\\u0000"]}}', 'phrases.en[0]', 'U+0000'],
    ['a phrase over 10 kB', 'a.json', `{"phrases": {"en": ["${long}"]}}`, 'phrases.en[0]', 'larger than'],
    [
      'half a surrogate pair',
      'a.json',
      '{"phrases": {"en": ["\\ud83d"]}}',
      'phrases.en[0]',
      'half a surrogate pair',
    ],
    ['__proto__ as a language', 'a.json', '{"phrases": {"__proto__": ["x"]}}', 'phrases', 'named __proto__'],
    [
      '__proto__ in a schema',
      'a.json',
      '{"phrases": {}, "schema": {"__proto__": {}}}',
      'schema',
      'named __proto__',
    ],
    [
      'a language that is no code',
      'a.json',
      '{"phrases": {"e n": ["x"]}}',
      'phrases["e n"]',
      'a language is a code',
    ],
    ['a number too large', 'a.json', '{"phrases": {}, "schema": 1e999}', 'schema', 'too large'],
    [
      'a guardrail that is no string',
      'a.json',
      '{"phrases": {}, "guardrails": [1]}',
      'guardrails[0]',
      'expected string',
    ],
    [
      'a description too large to store',
      'a.json',
      `{"phrases": {}, "description": "${'x'.repeat(140_000)}"}`,
      'description',
      'larger than',
    ],
    [
      'too much beside what is known',
      'a.json',
      `{"phrases": {}, "a": "${'x'.repeat(70_000)}", "b": "${'y'.repeat(70_000)}"}`,
      '',
      'larger than',
    ],
    [
      'a weight above 1',
      'a.json',
      '{"phrases": {}, "learned_weights": [["x", 2]]}',
      'learned_weights[0][1]',
      '<=1',
    ],
    ['an id that is no string', 'a.json', '{"phrases": {}, "_id": 7}', '', 'expected string'],
    [
      'a threshold that is no number',
      '_ns.json',
      '{"default_threshold": "high"}',
      'default_threshold',
      'expected number',
    ],
    [
      'a voting gate of half a token',
      '_ns.json',
      '{"default_min_voting_tokens": 0.5}',
      'default_min_voting_tokens',
      'expected int',
    ],
    ['a namespace that is no object', '_ns.json', '"shop"', '', 'expected object'],
    ['a domain that is no object', 'b/_domain.json', '[]', '', 'expected object'],
  ])('%s', async (_, file, text, place, reason) => {
    const refusal = await refusalOf({ 'fine.json': intentText, [file]: text })
    expect(refusal).toMatchObject({ code: 'INPUT_INVALID', file, place })
    expect(refusal.reason).toContain(reason)
  })

  test('an intent id over 200 characters', async () => {
    const refusal = await refusalOf({ [`${'i'.repeat(201)}.json`]: intentText })
    expect(refusal.reason).toBe('the intent id is longer than 200 characters')
  })

  test('a phrase that is too long only together with its intent', async () => {
    const refusal = await refusalOf({
      [`${'i'.repeat(100)}.json`]: `{"phrases": {"en": ["${'x'.repeat(1_000)}"]}}`,
    })
    expect(refusal).toMatchObject({ place: 'phrases.en' })
    expect(refusal.reason).toContain('together larger than 1024 bytes')
  })

  test('two files for one intent', async () => {
    const refusal = await refusalOf({ 'a.json': intentText, 'b.json': '{"_id": "a", "phrases": {}}' })
    expect(refusal.message).toBe('b.json: another file holds intent "a" already')
  })
})
