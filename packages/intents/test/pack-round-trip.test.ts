import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  indexOf,
  packCommits,
  packOf,
  rankingDefaults,
  rankIntents,
  readPack,
  writePack,
  type Pack,
} from '../src/index.ts'
import { filesIn, filesOnDisk, MemoryDocument, packFiles, samplePackPath, sharedData } from './support.ts'

/** Each file's content as JSON, without the order of fields. */
function contents(texts: ReadonlyMap<string, string>): Record<string, unknown> {
  return Object.fromEntries([...texts].map(([path, text]): [string, unknown] => [path, JSON.parse(text)]))
}

async function contentsOnDisk(folder: string): Promise<Record<string, unknown>> {
  const files = filesOnDisk(folder)
  const texts = new Map<string, string>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name).slice(folder.length + 1)
    texts.set(path, await files.read(path))
  }
  return contents(texts)
}

/** The pack after a journey through a document's tables. */
function throughTables(pack: Pack): Pack {
  const document = new MemoryDocument()
  for (const commit of packCommits(pack)) document.apply(...commit)
  return packOf(document.tables)
}

describe('round trips', () => {
  for (const name of ['dsr-triage', 'language-detect', 'mcp-tools-generic']) {
    test(`${name} is written as it was read`, async (context) => {
      const folder = sharedData(context, `packs/${name}`)
      const pack = await readPack(filesOnDisk(folder))
      const written = new Map<string, string>()
      await writePack(pack, filesIn(written))
      expect(contents(written)).toEqual(await contentsOnDisk(folder))
      expect(await readPack(filesIn(written))).toEqual(pack)
    })

    test(`${name} comes out of a document as it went in`, async (context) => {
      const folder = sharedData(context, `packs/${name}`)
      const written = new Map<string, string>()
      await writePack(throughTables(await readPack(filesOnDisk(folder))), filesIn(written))
      expect(contents(written)).toEqual(await contentsOnDisk(folder))
    })
  }

  test('the sample pack comes out of a document as it went in', async () => {
    const written = new Map<string, string>()
    await writePack(throughTables(await readPack(filesOnDisk(samplePackPath))), filesIn(written))
    expect(contents(written)).toEqual(await contentsOnDisk(samplePackPath))
  })

  test('the sample pack routes what its customers say', async () => {
    const document = new MemoryDocument()
    for (const commit of packCommits(await readPack(filesOnDisk(samplePackPath)))) document.apply(...commit)
    const route = (query: string): string | undefined =>
      rankIntents(query, indexOf(document.tables), { defaults: rankingDefaults(document.tables) }).intents[0]
        ?.id
    expect(route('can you patch my flat tyre today')).toBe('repair:flat_tyre')
    expect(route('Ist mein Fahrrad schon fertig?')).toBe('repair:repair_status')
    expect(route('rent a bike for Saturday')).toBe('rental:rent_bike')
  })

  test('a pack on disk survives', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'rejoin-pack-'))
    try {
      const pack = await readPack(filesOnDisk(samplePackPath))
      await writePack(pack, filesOnDisk(folder))
      expect(await readPack(filesOnDisk(folder))).toEqual(pack)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('phrases keep their order, and one added later comes last', () => {
    const document = new MemoryDocument()
    document.apply({ type: 'IntentAdded', id: 'greet', phrasesByLang: { en: ['yo', 'hello', 'a late one'] } })
    document.apply({ type: 'PhraseAdded', intentId: 'greet', phrase: 'aaa', lang: 'en' })
    expect(packOf(document.tables).intents.get('greet')?.phrases).toEqual({
      en: ['yo', 'hello', 'a late one', 'aaa'],
    })
  })

  test('what is not known of a namespace or an intent is kept', async () => {
    const texts = packFiles({
      '_ns.json':
        '{"name": "shop", "status": "beta", "lexical_groups": [{"kind": "morph"}], "nothing": null}',
      'greet.json':
        '{"phrases": {}, "schema": null, "source": null, "target": null, "owner": {"team": ["a"]}}',
    })
    const written = new Map<string, string>()
    await writePack(throughTables(await readPack(filesIn(texts))), filesIn(written))
    expect(contents(written)).toEqual(contents(texts))
  })

  test('empty texts and lists stay what they are, and null says nothing', () => {
    const document = new MemoryDocument()
    const intent = { phrases: { en: ['hi'] }, description: '', persona: null, guardrails: [], type: 'action' }
    for (const commit of packCommits({ namespace: {}, intents: new Map([['greet', intent]]) }))
      document.apply(...commit)
    expect(document.tables.intents.get('greet')).toEqual({ description: '', guardrails: [], type: 'action' })
  })

  test('learned weights travel with the pack', async () => {
    const document = new MemoryDocument()
    document.apply(
      { type: 'IntentAdded', id: 'greet', phrasesByLang: { en: ['hello'] } },
      {
        type: 'WeightUpdates',
        changes: [
          ['hello', 'greet', 0.7],
          ['__proto__', 'greet', 0.25],
        ],
      },
    )
    const written = new Map<string, string>()
    await writePack(packOf(document.tables), filesIn(written))
    const copy = new MemoryDocument()
    for (const commit of packCommits(await readPack(filesIn(written)))) copy.apply(...commit)
    expect([...copy.tables.weights.entries()]).toEqual([...document.tables.weights.entries()])
    expect(copy.tables.weights.get(['greet', 'hello'])).toBe(Math.fround(0.7))
  })

  test('an import applied again changes nothing', async () => {
    const document = new MemoryDocument()
    const commits = packCommits(await readPack(filesOnDisk(samplePackPath)))
    for (const commit of commits) document.apply(...commit)
    document.writeCount = 0
    for (const commit of commits) document.apply(...commit)
    expect(document.writeCount).toBe(0)
  })
})

describe('commits of an import', () => {
  test('hold 5,000 phrases at most, and lists in parts keep their order', () => {
    const phrases = Array.from({ length: 12_345 }, (_, i) => `phrase ${(i * 7919) % 12_345}`)
    const commits = packCommits({
      namespace: {},
      intents: new Map([['big', { phrases: { en: phrases, de: ['eins'] } }]]),
    })
    const document = new MemoryDocument()
    for (const commit of commits) {
      document.apply(...commit)
      const count = commit.flatMap((op) =>
        op.type === 'IntentAdded' ? Object.values(op.phrasesByLang).flat() : [],
      ).length
      expect(count).toBeLessThanOrEqual(5_000)
    }
    expect(packOf(document.tables).intents.get('big')?.phrases).toEqual({ de: ['eins'], en: phrases })
  })

  test('hold 700 kB at most', () => {
    const phrases = Array.from({ length: 3_000 }, (_, i) => `${i} ${'ö'.repeat(400)}`)
    const commits = packCommits({ namespace: {}, intents: new Map([['big', { phrases: { de: phrases } }]]) })
    expect(commits.length).toBeGreaterThan(3)
    for (const commit of commits) expect(Buffer.byteLength(JSON.stringify(commit))).toBeLessThan(710_000)
  })
})
