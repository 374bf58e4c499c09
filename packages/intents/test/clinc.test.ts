import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { InputError, parseClinc, sentenceCommits } from '../src/index.ts'
import { MemoryDocument, sharedData } from './support.ts'

function refusalOf(json: unknown): InputError {
  try {
    parseClinc(typeof json === 'string' ? json : JSON.stringify(json), 'data.json')
  } catch (error) {
    if (error instanceof InputError) return error
    throw error
  }
  throw new Error('it was not refused')
}

describe('the data set', () => {
  test('has 23,699 sentences in 151 classes, oos among them', async (context) => {
    const sentences = parseClinc(await readFile(sharedData(context, 'clinc150/data_full.json'), 'utf8'))
    expect(sentences.size).toBe(151)
    expect([...sentences.values()].reduce((sum, list) => sum + list.length, 0)).toBe(23_699)
    expect(sentences.get('oos')).toHaveLength(1_200)
    expect([...sentences.keys()][0]).toBe('oos')
  })

  test('becomes a few commits that a document takes', async (context) => {
    const sentences = parseClinc(await readFile(sharedData(context, 'clinc150/data_full.json'), 'utf8'))
    const commits = sentenceCommits(sentences)
    expect(commits).toHaveLength(5)
    const document = new MemoryDocument()
    for (const commit of commits) document.apply(...commit)
    expect(document.tables.intents.size).toBe(151)
    expect(document.tables.phrases.size).toBe(23_699)
    expect(document.tables.weights.size).toBe(0)
  })
})

describe('reading', () => {
  test('intents and sentences come in order of appearance, equal ones of an intent once', () => {
    const json = {
      train: [
        ['b', 'two'],
        ['a', 'one'],
        ['b', 'two'],
      ],
      test: [
        ['c', 'two'],
        ['b', 'one'],
      ],
    }
    expect([...parseClinc(JSON.stringify(json))]).toEqual([
      ['two', ['b', 'c']],
      ['one', ['a', 'b']],
    ])
  })

  test('names of built-in properties are ordinary intents', () => {
    expect([...parseClinc('{"train": [["x", "__proto__"], ["y", "constructor"]]}').keys()]).toEqual([
      '__proto__',
      'constructor',
    ])
  })
})

describe('malformed input is refused whole, with the JSON path', () => {
  const good = Array.from({ length: 17 }, (_, i) => [`sentence ${i}`, 'fine'])

  test.each([
    [{ train: [...good, ['x', 7]] }, 'train[17][1]', 'expected string'],
    [{ train: [...good, [null, 'a']] }, 'train[17][0]', 'expected string'],
    [{ train: [...good, ['x']] }, 'train[17]', 'to have >=2 items'],
    [{ train: [...good, ['x', 'a', 'b']] }, 'train[17]', 'to have <=2 items'],
    [{ train: [...good, 'x'] }, 'train[17]', 'expected tuple'],
    [{ train: good, val: {} }, 'val', 'expected array'],
    [{ train: [[' ', 'a']] }, 'train[0][0]', 'blank'],
    [{ train: [['x', '']] }, 'train[0][1]', 'empty'],
    [{ train: [['x', 'i'.repeat(201)]] }, 'train[0][1]', 'longer than 200 characters'],
    [{ train: [['x'.repeat(1_000), 'i'.repeat(100)]] }, 'train[0]', 'together larger than 1024 bytes'],
    [[['x', 'a']], '', 'expected record'],
    [{}, '', 'holds no sentences'],
    [{ train: [] }, '', 'holds no sentences'],
    ['{"train": [["x", "\\ud800"]]}', 'train[0][1]', 'half a surrogate pair'],
    ['{"__proto__": []}', '', 'named __proto__'],
    ['{"train": [["x" "a"]]}', 'line 1, column 17', 'expected "," or "]"'],
  ])('case %# is refused', (json, place, reason) => {
    const refusal = refusalOf(json)
    expect(refusal.place).toBe(place)
    expect(refusal.reason).toContain(reason)
  })

  test('the message says it in one line', () => {
    expect(refusalOf({ train: [...good, ['x', 7]] }).message).toBe(
      'data.json: train[17][1]: expected string, received number',
    )
  })
})
