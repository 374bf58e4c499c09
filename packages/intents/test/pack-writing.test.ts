import { describe, expect, test } from 'vitest'
import { readPack, writePack, type Pack } from '../src/index.ts'
import { filesIn, intentText, packFiles } from './support.ts'

describe('writing', () => {
  const pack = (...ids: string[]): Pack => ({
    namespace: { name: 'shop' },
    intents: new Map(ids.sort().map((id) => [id, { phrases: { en: ['x'] } }])),
  })

  test('an id that is a safe file name names its file, and a domain its folder', async () => {
    const written = new Map<string, string>()
    await writePack(pack('greet', 'billing:refund', 'v1.2_b-c'), filesIn(written))
    expect([...written.keys()].sort()).toEqual([
      '_ns.json',
      'billing/refund.json',
      'greet.json',
      'v1.2_b-c.json',
    ])
  })

  test.each([
    '../../etc/passwd',
    '..',
    '/absolute',
    'a/b',
    'a\\b',
    '_ns',
    '_hidden',
    '.hidden',
    'con',
    'NUL.txt',
    'trailing.',
    'ends in json.json ',
    'größe',
    '取消订单',
    'a:b:c',
    ':',
    '..:..',
    '__proto__',
    'x'.repeat(200),
    'line\nbreak',
  ])('intent %j gets a file inside the folder and comes back', async (id) => {
    const written = new Map<string, string>()
    await writePack(pack(id, 'other'), filesIn(written))
    for (const path of written.keys()) {
      expect(path).toMatch(/^(?:[A-Za-z0-9][\w.-]*\/)?_?[A-Za-z0-9][\w.-]*\.json$/)
      expect(path).not.toMatch(/(?:^|\/)(?:con|nul|prn|aux)\./i)
    }
    expect([...(await readPack(filesIn(written))).intents.keys()]).toEqual([id, 'other'].sort())
  })

  test('ids that differ by case alone get files that do not', async () => {
    const ids = ['Greet', 'greet', 'GREET', 'Shop:a', 'shop:b', 'intent-greet', 'ä', 'ö']
    const written = new Map<string, string>()
    await writePack(pack(...ids), filesIn(written))
    const folded = [...written.keys()].map((path) => path.toLowerCase())
    expect(new Set(folded).size).toBe(ids.length + 1)
    const folders = [...written.keys()].filter((path) => path.includes('/')).map((path) => path.split('/')[0])
    expect(new Set(folders).size).toBe(1)
    expect([...(await readPack(filesIn(written))).intents.keys()]).toEqual(ids.sort())
  })

  test('_ns.json comes last, so that half a pack is none', async () => {
    const written = new Map<string, string>()
    await writePack(pack('a', 'b'), filesIn(written))
    expect([...written.keys()].at(-1)).toBe('_ns.json')
  })

  test('a folder with files of another pack is refused before anything is written', async () => {
    const before = packFiles({ 'stale.json': intentText, 'README.md': '#' })
    const texts = new Map(before)
    await expect(writePack(pack('a'), filesIn(texts))).rejects.toMatchObject({ code: 'FOLDER_FOREIGN' })
    expect(texts).toEqual(before)
  })

  test('the same pack may be written over itself', async () => {
    const texts = packFiles({ 'a.json': intentText, 'README.md': '#' })
    await writePack(pack('a'), filesIn(texts))
    expect([...texts.keys()].sort()).toEqual(['README.md', '_ns.json', 'a.json'])
  })

  test('a field named _id does not become the id of another intent', async () => {
    const written = new Map<string, string>()
    const intents = new Map([['a', { phrases: {}, _id: 'b' }]])
    await writePack({ namespace: {}, intents }, filesIn(written))
    expect([...(await readPack(filesIn(written))).intents.keys()]).toEqual(['a'])
  })
})
