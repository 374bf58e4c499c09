// The same through `rejoin apply`, where ops are text: what JSON can say and no op may hold is refused line by line, with code
// and path, and leaves neither a commit nor a byte; what only looks dangerous is applied.
import path from 'node:path'
import { expect, test } from 'vitest'
import { limits } from '@rejoin/core'
import { rejoin, rejoinJson, withFolder } from '../support/command.ts'

interface Outcome {
  readonly line: number
  readonly outcome: string
  readonly code?: string
  readonly path?: string | null
}

const added = (id: string): string => `{"type":"PhraseAdded","intentId":"${id}","phrase":"hi","lang":"en"}`
const described = (text: string): string =>
  `{"type":"DomainDescription","domain":"d","description":"${text}"}`
/** What follows the opening and the closing quote. */
const tooLong = 'x'.repeat(limits.valueBytesMax - 1)

const refused: readonly (readonly [line: string, codes: readonly string[], path: string | null])[] = [
  ['null', ['OP_INVALID'], 'ops[0].type'],
  ['5', ['OP_INVALID'], 'ops[0].type'],
  ['"PhraseAdded"', ['OP_INVALID'], 'ops[0].type'],
  ['{}', ['OP_INVALID'], 'ops[0].type'],
  ['[]', ['OP_INVALID'], 'ops'],
  ['[null]', ['OP_INVALID'], 'ops[0].type'],
  [`[[${added('greet')}]]`, ['OP_INVALID'], 'ops[0].type'],
  [`[${added('greet')}, 7]`, ['OP_INVALID'], 'ops[1].type'],
  ['{"type":"__proto__"}', ['OP_UNKNOWN'], 'ops[0]'],
  ['{"type":"constructor"}', ['OP_UNKNOWN'], 'ops[0]'],
  ['{"type":"PhraseAdded","type":"hasOwnProperty"}', ['OP_UNKNOWN'], 'ops[0]'],
  [`${added('greet').slice(0, -1)},"__proto__":{"admin":true}}`, ['VALUE_INVALID'], 'ops[0]'],
  [
    '{"type":"NamespaceMetadataUpdated","edit":{"extra":{"a":{"__proto__":1}}}}',
    ['VALUE_INVALID'],
    'ops[0].edit.extra.a',
  ],
  [added('greet').replace('"hi"', '"\\ud83d"'), ['OP_INVALID', 'VALUE_INVALID'], 'ops[0].phrase'],
  [added('greet').replace('"hi"', '"a\\u0000b"'), ['OP_INVALID'], 'ops[0].phrase'],
  [
    added('greet').replace('"hi"', `"${'x'.repeat(limits.keyBytesMax + 1)}"`),
    ['OP_INVALID'],
    'ops[0].phrase',
  ],
  [
    '{"type":"WeightUpdates","changes":[["t","greet",1e999]]}',
    ['OP_INVALID', 'VALUE_INVALID'],
    'ops[0].changes[0][2]',
  ],
  ['{"type":"WeightUpdates","changes":[["t","greet"]]}', ['OP_INVALID'], 'ops[0].changes[0]'],
  [described(tooLong), ['VALUE_INVALID'], 'ops[0]'],
  [described('\\udc00'), ['VALUE_INVALID'], 'ops[0].description'],
  [added('nowhere'), ['PARENT_MISSING'], 'ops[0]'],
  [`[${added('greet')},${added('nowhere')}]`, ['PARENT_MISSING'], 'ops[1]'],
  [
    '{"type":"Resolved","entries":[{"table":"__proto__","key":["a"],"value":1}]}',
    ['TABLE_UNKNOWN'],
    'ops[0]',
  ],
  [
    `{"type":"NamespaceMetadataUpdated","edit":{"extra":{"a":${'['.repeat(200)}${']'.repeat(200)}}}}`,
    ['VALUE_INVALID'],
    `ops[0].edit.extra.a${'[0]'.repeat(limits.valueDepthMax - 2)}`,
  ],
  ['{"type":"PhraseAdded",', ['INPUT_INVALID'], null],
  ["{'type': 'PhraseAdded'}", ['INPUT_INVALID'], null],
  ['{"type":"WeightUpdates","changes":[["t","greet",NaN]]}', ['INPUT_INVALID'], null],
]

test('[12] lines that no op may be are refused each with code and path, and leave no trace', async () => {
  await withFolder(async (folder) => {
    const laptop = ['--data', path.join(folder, 'laptop'), '--namespace', 'support']
    await rejoinJson(
      ['apply', ...laptop],
      '{"type":"IntentAdded","id":"greet","phrasesByLang":{"en":["hello"]}}',
    )
    const before = [await rejoinJson(['digest', ...laptop]), await rejoinJson(['status', ...laptop])]
    const { code, stdout } = await rejoin(
      ['apply', ...laptop, '--json'],
      refused.map(([line]) => line).join('\n'),
    )
    expect(code).toBe(1)
    const outcomes = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Outcome)
    const expected = refused.map(([, codes, where], i) => ({
      line: i + 1,
      outcome: 'refused',
      code: expect.stringMatching(new RegExp(`^(${codes.join('|')})$`)) as string,
      path: where,
    }))
    expect(outcomes).toMatchObject(expected)
    expect([await rejoinJson(['digest', ...laptop]), await rejoinJson(['status', ...laptop])]).toEqual(before)
  })
})

test('[12] names that plain objects have already, and what stands at a limit, are applied', async () => {
  await withFolder(async (folder) => {
    const laptop = ['--data', path.join(folder, 'laptop'), '--namespace', 'support']
    const lines = [
      '{"type":"IntentAdded","id":"__proto__","phrasesByLang":{"en":["where is my constructor","hasOwnProperty"]}}',
      '{"type":"IntentAdded","id":"other","phrasesByLang":{"en":["cancel my order"]}}',
      '{"type":"PhraseAdded","intentId":"__proto__","phrase":"__proto__","lang":"en"}',
      '{"type":"DomainDescription","domain":"prototype","description":"\\ud83d\\ude00"}',
      '{"type":"WeightUpdates","changes":[["__proto__","__proto__",-0]]}',
      '{"type":"NamespaceMetadataUpdated","edit":{"extra":{"constructor":{"prototype":{"polluted":1}}}}}',
      described(tooLong.slice(1)),
    ]
    const { code, stdout } = await rejoin(['apply', ...laptop, '--json'], [...lines, ...lines].join('\n'))
    const outcomes = stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as Outcome).outcome)
    expect(outcomes).toEqual([...lines.map(() => 'applied'), ...lines.map(() => 'unchanged')])
    expect(code).toBe(0)
    const resolved: unknown = await rejoinJson(['resolve', ...laptop, 'where is my constructor'])
    expect(JSON.stringify(resolved)).toContain('__proto__')
  })
})
