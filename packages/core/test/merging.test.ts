// What a merge function may and may not do to what is read.
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  defineDomain,
  formatHlc,
  isConflict,
  layoutOf,
  map,
  readRegister,
  records,
  type Merge,
  type Register,
  type Value,
} from '@rejoin/core'

function tableWith(value: z.ZodType, merge: Merge) {
  const tables = { notes: map({ key: z.string(), value, merge }) }
  return layoutOf(defineDomain({ name: 'merging', version: 1, tables, ops: () => ({}) }), 'notes')
}

/** Newest first. */
function written(...values: Value[]): Register {
  return values.map((value, i) => ({
    table: 'notes',
    key: ['a'],
    value,
    hlc: formatHlc({ ms: 1_000 - i, counter: 0, author: 'abcde' }),
  }))
}

describe('[12] what a merge function makes is read only where the schema allows it', () => {
  const tags = z.array(z.string()).max(2)

  test('a union that fits is read, and there is no conflict', () => {
    const layout = tableWith(tags, 'union')
    const register = written(['b'], ['a'])
    expect(readRegister(layout, null, register)).toEqual(['a', 'b'])
    expect(isConflict(layout, null, register)).toBe(false)
  })

  test.each<[string, z.ZodType, Merge, Value[]]>([
    ['a union that is too long', tags, 'union', [['a', 'b'], ['c']]],
    ['a union of values that are no lists', z.union([z.string(), z.number()]), 'union', ['a', 'b']],
    ['what the schema forbids', z.number().max(5), (values) => values.length * 10, [1, 2]],
    ['what the schema would change', z.string().trim(), () => ' a ', ['x', 'y']],
    ['no JSON', z.number(), () => Number.NaN, [1, 2]],
    ['nothing, but throws', z.number(), () => raise(), [1, 2]],
  ])('where it makes %s, the latest is read and the others are a conflict', (_, schema, merge, values) => {
    const layout = tableWith(schema, merge)
    const register = written(...values)
    expect(readRegister(layout, null, register)).toEqual(values[0])
    expect(isConflict(layout, null, register)).toBe(true)
  })

  test('equal values are no conflict, whatever the merge function makes of them', () => {
    const layout = tableWith(z.number(), () => raise())
    expect(isConflict(layout, null, written(1, 1))).toBe(false)
    expect(readRegister(layout, null, written(1, 1))).toBe(1)
  })
})

describe('a domain is DOMAIN_INVALID', () => {
  test.each<[string, () => unknown]>([
    ['with a union of texts', () => tableWith(z.string(), 'union')],
    ['with a union of objects', () => tableWith(z.object({ a: z.string() }), 'union')],
    ['with a merge that there is not', () => tableWith(z.number(), 'sum' as Merge)],
    ['with a merge of a field that there is not', () => recordsWith({ titel: 'max' })],
    ['with numbers for keys', () => keyedBy(z.number())],
  ])('%s', (_, declare) => {
    expect(declare).toThrow(expect.objectContaining({ code: 'DOMAIN_INVALID' }))
  })

  test('but not where a merge is left undefined', () => {
    expect(recordsWith({ title: undefined }).size).toBe(1)
  })
})

function recordsWith(merge: object) {
  const tables = { notes: records({ title: z.string() }, { merge }) }
  return defineDomain({ name: 'merging', version: 1, tables, ops: () => ({}) }).layouts
}

function keyedBy(key: unknown) {
  const tables = { notes: map({ key: key as z.ZodString, value: z.string() }) }
  return defineDomain({ name: 'merging', version: 1, tables, ops: () => ({}) })
}

function raise(): never {
  throw new Error('it does not merge')
}
