// Holds docs/SPEC.md and the tests together: a rule nobody tests, or a test of a rule that is not there, is a fault.
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'

const root = path.resolve(import.meta.dirname, '../..')

test('every rule of docs/SPEC.md is cited by a test, and every citation names a rule', () => {
  const spec = readFileSync(path.join(root, 'docs/SPEC.md'), 'utf8')
  const rules = [
    ...[...spec.matchAll(/^(\d+)\. /gm)].map(([, number]) => number),
    ...[...spec.matchAll(/^- \*\*(St\d+)\*\*/gm)].map(([, name]) => name),
  ]
  expect(rules.length).toBeGreaterThan(20)
  const cited = new Set(testSources().flatMap(citations))
  expect([...cited].filter((rule) => !rules.includes(rule))).toEqual([])
  expect(rules.filter((rule) => rule !== undefined && !cited.has(rule))).toEqual([])
})

/** Test files, and the suites that testkit exports for the tests of adapters. */
function testSources(): string[] {
  const folders = [path.join(root, 'packages'), path.join(root, 'tests')]
  return folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => !file.includes('node_modules') && !file.includes('dist'))
      .filter((file) => file.endsWith('.test.ts') || /testkit\/src\/.*\.ts$/.test(file))
      .map((file) => readFileSync(path.join(folder, file), 'utf8')),
  )
}

function citations(source: string): string[] {
  return [...source.matchAll(/['"`]((?:\[(?:\d+|St\d+)\] )+)/g)].flatMap(([, tags]) =>
    [...(tags ?? '').matchAll(/\[(\d+|St\d+)\]/g)].map(([, rule]) => rule ?? ''),
  )
}
