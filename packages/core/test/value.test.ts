/** Values in canonical form: one text each, a bound that is exact, and a path to whatever is wrong. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalJson, canonicalValue, SyncError, utf8Length } from '@rejoin/core'

test('[14] a value is refused exactly where its JSON has more bytes than it may', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60, size: 'max' }),
    // What JSON writes longest.
    fc.string({
      unit: fc.constantFrom('\u0000', '\u001f', '"', '\\', '漢', '😀'),
      maxLength: 60,
      size: 'max',
    }),
  )
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: 'small' },
      text,
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom(null, true, false, -2.2250738585072014e-308),
      fc.array(tie('any'), { maxLength: 6 }),
      fc.dictionary(text, tie('any'), { maxKeys: 6 }),
    ),
  })).any
  fc.assert(
    fc.property(value, fc.integer({ min: -4, max: 4 }), fc.nat(4_000), (input, near, far) => {
      fc.pre(!hasProtoField(input))
      const json = canonicalJson(canonicalValue(input))
      const bytes = utf8Length(json)
      for (const bytesMax of [bytes + near, far]) {
        const expected = bytes > bytesMax ? `value is larger than ${bytesMax} bytes` : json
        expect(jsonOrWhy(input, bytesMax)).toBe(expected)
      }
    }),
  )
})

test('equal values have one text, however their fields stand', () => {
  const names = fc.uniqueArray(fc.string({ maxLength: 8 }), { maxLength: 40 })
  fc.assert(
    fc.property(names, fc.integer(), (all, seed) => {
      fc.pre(!all.includes('__proto__'))
      const turned = all
        .slice(Math.abs(seed) % (all.length + 1))
        .concat(all.slice(0, Math.abs(seed) % (all.length + 1)))
      const sorted = Object.fromEntries([...all].sort().map((name) => [name, 1]))
      expect(canonicalJson(canonicalValue(Object.fromEntries(turned.map((name) => [name, 1]))))).toBe(
        JSON.stringify(sorted),
      )
    }),
  )
})

test('what is wrong is told with the way to it', () => {
  const throwing = {
    get b(): never {
      throw new Error('no')
    },
  }
  expect(pathOf([1, { a: [null, Number.NaN] }])).toBe('value[1].a[1]')
  expect(pathOf({ a: [1, 2], b: undefined, c: [{}, { d: 1n }] })).toBe('value.c[1].d')
  expect(pathOf([[1], [2, throwing, 3]])).toBe('value[1][1]')
  expect(pathOf([{ x: new Map() }])).toBe('value[0].x')
})

function jsonOrWhy(value: unknown, bytesMax: number): string {
  try {
    return canonicalJson(canonicalValue(value, 'value', bytesMax))
  } catch (error) {
    return error instanceof SyncError ? error.message : 'something else was thrown'
  }
}

function pathOf(value: unknown): string | null | undefined {
  try {
    canonicalValue(value)
    return undefined
  } catch (error) {
    return error instanceof SyncError ? error.path : undefined
  }
}

function hasProtoField(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return Object.hasOwn(value, '__proto__') || Object.values(value).some(hasProtoField)
}
