// The samples of docs/evolving-your-domain.md are the files that recipes.test.ts runs, letter for letter.
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'

const root = path.resolve(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(path.join(root, file), 'utf8')

test('every sample of docs/evolving-your-domain.md is a file under examples/evolution, and every file is one', () => {
  const page = read('docs/evolving-your-domain.md')
  const samples = [...page.matchAll(/```ts(?: file=(\S+))?\n([\s\S]*?)```/g)]
  for (const [, file, text] of samples) {
    expect(file, `a sample without a file:\n${text}`).toBeDefined()
    expect(read(file ?? '')).toBe(text)
  }
  const files = readdirSync(path.join(root, 'examples/evolution')).map((file) => `examples/evolution/${file}`)
  expect(new Set(samples.map(([, file]) => file))).toEqual(new Set(files))
})
