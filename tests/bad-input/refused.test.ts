// What is wrong is refused with a code and a path, and leaves no trace: not in the document, not one byte of it, not in
// outbox, counter or clock, not in the store, and nobody hears of it.
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { records, singleton } from '@rejoin/core'
import { commits, envelopes, half, keys, schemas, throws, values, wholes } from './cases.ts'
import { shared } from './odd-values.ts'
import { refusalsOf, refusedWith, untouchedBy } from './refusing.ts'
import { refusalOf, smuggled } from './world.ts'

describe('an op that is', () => {
  test.each(envelopes)('%s is refused', async (_, op, code, path) => {
    expect(await refusalsOf(op)).toEqual(refusedWith(code, path))
  })
})

describe('what the schemas forbid', () => {
  test.each(schemas)('%s is refused', async (_, op, code, path) => {
    expect(await refusalsOf(op)).toEqual(refusedWith(code, path))
  })
})

describe('a key', () => {
  test.each(keys)('%s is refused', async (_, op, code, path) => {
    expect(await refusalsOf(op)).toEqual(refusedWith(code, path))
  })

  test.each([
    ['half a surrogate pair', half],
    ['a number', 5],
    ['nothing', undefined],
    ['no parts', []],
  ])('of %s that a writer sets by itself is refused', async (_, wrong) => {
    smuggled.key = wrong
    smuggled.value = 1
    expect(await refusalsOf({ type: 'Smuggled' })).toEqual(refusedWith('KEY_INVALID', 'ops[0]'))
  })
})

describe('as a whole', () => {
  test.each(wholes)('%s is refused', async (_, op, code, path) => {
    expect(await refusalsOf(op)).toEqual(refusedWith(code, path))
  })
})

describe('a writer that throws', () => {
  test.each(throws)('%s is refused', async (_, op, code, path) => {
    expect(await refusalsOf(op)).toEqual(refusedWith(code, path))
  })
})

describe('a value', () => {
  test.each(values)(
    'that is %s is refused where the schema lets anything through',
    async (_, value, below) => {
      const refusals = await refusalsOf({ type: 'AnySet', key: 'k', value })
      expect(refusals).toEqual(refusedWith('VALUE_INVALID', `ops[0].value${below}`))
    },
  )

  test.each(values)('that is %s is refused by a schema of JSON', async (_, value) => {
    for (const { code, path } of await refusalsOf({ type: 'JsonSet', key: 'k', value })) {
      expect(['OP_INVALID', 'VALUE_INVALID']).toContain(code)
      expect(path).toMatch(/^ops\[/)
    }
  })

  test.each([
    ...values,
    ['undefined', undefined, ''] as const,
    ['small in memory and beyond all bounds when written out', shared(31), ''] as const,
  ])('that is %s is refused where a writer sets it by itself', async (_, value) => {
    smuggled.key = 'k'
    smuggled.value = value
    expect(await refusalsOf({ type: 'Smuggled' })).toEqual(refusedWith('VALUE_INVALID', 'ops[0]'))
  })
})

test.each(['__proto__', 'a\u0000b', half])(
  'a table with the field %j is refused when it is declared',
  (name) => {
    const fields = { title: z.string(), [name]: z.string() }
    for (const declare of [() => records(fields), () => singleton(fields)]) {
      expect(refusalOf(declare)).toEqual({ code: 'DOMAIN_INVALID', path: null })
    }
  },
)

describe('a commit', () => {
  test.each(commits)('%s is refused', async (_, ops, code, path) => {
    expect(await untouchedBy(ops)).toEqual({ code, path })
  })
})
