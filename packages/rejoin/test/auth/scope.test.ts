// What a scope allows.
import { expect, test } from 'vitest'
import fc from 'fast-check'
import { allows, knownScopes, parseScope, scopeOf, scopeText } from '../../src/auth/scope.ts'

test.each([
  ['read', { right: 'read', pattern: '*' }],
  ['write:support-*', { right: 'write', pattern: 'support-*' }],
  ['admin:*', { right: 'admin', pattern: '*' }],
  ['read:a.b_c-1', { right: 'read', pattern: 'a.b_c-1' }],
])('%s is a scope', (text, scope) => {
  expect(parseScope(text)).toEqual(scope)
  expect(scopeOf(scopeText(scopeOf(text)))).toEqual(scope)
})

test.each([
  '',
  'reads',
  'Read',
  'read:',
  'read:A',
  'read:a b',
  'read:a:b',
  ' read',
  'read\n',
  'openid',
  'constructor',
  '__proto__',
  'read:ä',
  `read:${'a'.repeat(129)}`,
])('%j is none', (text) => {
  expect(parseScope(text)).toBeNull()
  expect(knownScopes([text])).toEqual([])
  expect(() => scopeOf(text)).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }))
})

test.each([
  ['*', 'support', true],
  ['support', 'support', true],
  ['support', 'support-a', false],
  ['support', 'a-support', false],
  ['support-*', 'support-', true],
  ['support-*', 'support-a', true],
  ['support-*', 'support', false],
  ['*-eu', 'support-eu', true],
  ['*-eu', 'support-eu-1', false],
  ['a*b*c', 'abc', true],
  ['a*b*c', 'a1b2c', true],
  ['a*b*c', 'acb', false],
  ['a*a', 'a', false],
  ['a*a', 'aa', true],
  ['**', 'x', true],
  // Nothing but the star stands for anything.
  ['a.c', 'abc', false],
])('%s and %s: %s', (pattern, namespace, expected) => {
  expect(allows([{ right: 'read', pattern }], 'read', namespace)).toBe(expected)
})

test('a pattern takes what the regular expression of the same meaning takes', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 8 })
  const name = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 })
  fc.assert(
    fc.property(letters, name, (pattern, namespace) => {
      const parts = pattern.split('*').map((part) => part.replaceAll('.', '\\.'))
      const expected = new RegExp(`^${parts.join('.*')}$`).test(namespace)
      expect(allows([{ right: 'read', pattern }], 'read', namespace)).toBe(expected)
    }),
    { numRuns: 2_000 },
  )
})

test('admin holds write, write holds read, and nothing the other way round', () => {
  const table = (['read', 'write', 'admin'] as const).map((right) =>
    (['read', 'write', 'admin'] as const).map((wanted) => allows([{ right, pattern: 'a' }], wanted, 'a')),
  )
  expect(table).toEqual([
    [true, false, false],
    [true, true, false],
    [true, true, true],
  ])
  expect(allows([], 'read', 'a')).toBe(false)
})
