// Input that is wrong is refused whole, with the place and the reason, and changes nothing.
import { existsSync } from 'node:fs'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { samplePack, withFolder } from '../support/command.ts'
import { rejoin, rejoinJson } from '../support/command-here.ts'

const support = (data: string): string[] => ['--data', data, '--namespace', 'support']

test('a pack with one malformed file is refused with file, place and reason, and nothing is imported', async () => {
  await withFolder(async (folder) => {
    const [pack, laptop] = [path.join(folder, 'pack'), path.join(folder, 'laptop')]
    await cp(samplePack, pack, { recursive: true })
    await writeFile(path.join(pack, 'broken.json'), JSON.stringify({ phrases: { en: ['fine', 7] } }))
    const { code, stderr } = await rejoin(['import', ...support(laptop), pack])
    expect(code).toBe(1)
    expect(stderr).toContain('broken.json')
    expect(stderr).toContain('phrases.en[1]')
    expect(existsSync(laptop)).toBe(false)
  })
})

test.each([
  ['is no JSON at all', '{"train": [', /line 1|position|end of JSON/i],
  ['has a sentence that is no string', '{"train": [["hello", "greet"], [7, "greet"]]}', /train\[1\]\[0\]/],
  ['is not splits of sentences', '{"train": 7}', /train/],
])('a CLINC150 file that %s is refused with the place', async (_, text, place) => {
  await withFolder(async (folder) => {
    const file = path.join(folder, 'data.json')
    await writeFile(file, text)
    const { code, stderr } = await rejoin(['import', ...support(path.join(folder, 'laptop')), file])
    expect(code).toBe(1)
    expect(stderr).toMatch(place)
    expect(stderr).toContain('data.json')
  })
})

test('a path that is not there, or a folder that is no pack, is one clear line', async () => {
  await withFolder(async (folder) => {
    await mkdir(path.join(folder, 'empty'))
    for (const source of ['nowhere', 'empty']) {
      const { code, stderr } = await rejoin([
        'import',
        ...support(path.join(folder, 'laptop')),
        path.join(folder, source),
      ])
      expect(code).toBe(1)
      expect(stderr.trim().split('\n')).toHaveLength(1)
      expect(stderr).toContain('[INPUT_INVALID]')
    }
  })
})

test('each line of ops has its outcome, and a refused one changes nothing', async () => {
  await withFolder(async (folder) => {
    const laptop = path.join(folder, 'laptop')
    const lines = [
      '{"type":"IntentAdded","id":"greet","phrasesByLang":{"en":["hello"]}}',
      '{"type":"PhraseAdded","intentId":"greet","phrase":7,"lang":"en"}',
      '{"type":"PhraseAdded","intentId":"missing","phrase":"hi","lang":"en"}',
      'not json',
      '{"type":"Nope"}',
      '{"type":"PhraseAdded","intentId":"greet","phrase":"hello","lang":"en"}',
      '[{"type":"PhraseAdded","intentId":"greet","phrase":"hi","lang":"en"},{"type":"IntentAdded","id":"bye","phrasesByLang":{}}]',
    ]
    const { code, stdout } = await rejoin(['apply', ...support(laptop), '--json'], lines.join('\n'))
    expect(code).toBe(1)
    const outcomes = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { line: number; outcome: string; code?: string; path?: string })
    expect(outcomes.map(({ outcome, code: refused }) => refused ?? outcome)).toEqual([
      'applied',
      'OP_INVALID',
      'PARENT_MISSING',
      'INPUT_INVALID',
      'OP_UNKNOWN',
      'unchanged',
      'applied',
    ])
    expect(outcomes[1]?.path).toBe('ops[0].phrase')
    expect(await rejoinJson(['status', ...support(laptop)])).toMatchObject({ pending: 2 })
  })
})

test('a command that only looks refuses a folder or namespace that is not there, and makes none', async () => {
  await withFolder(async (folder) => {
    const laptop = path.join(folder, 'laptop')
    for (const command of ['status', 'digest', 'verify']) {
      const args = command === 'verify' ? ['--data', laptop] : support(laptop)
      const { code, stderr } = await rejoin([command, ...args])
      expect(code).toBe(1)
      expect(stderr).toContain('[INPUT_INVALID]')
    }
    expect(existsSync(laptop)).toBe(false)
    await rejoinJson(['import', ...support(laptop), samplePack])
    const { stderr } = await rejoin(['status', '--data', laptop, '--namespace', 'suport'])
    expect(stderr).toMatch(/it holds support \[NAMESPACE_UNKNOWN\]/)
  })
})
