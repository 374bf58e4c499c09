import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { errorCodes } from '@rejoin/core'

test('docs/ERRORS.md gives the cure of every code, once, and of no other', () => {
  const page = readFileSync(new URL('../../docs/ERRORS.md', import.meta.url), 'utf8')
  const documented = [...page.matchAll(/^- \*\*([A-Z_]+)\*\*: \S/gm)].map(([, code]) => code)
  expect(documented).toEqual(Object.keys(errorCodes))
})
