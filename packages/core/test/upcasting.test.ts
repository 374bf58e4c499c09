import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  canonicalOps,
  checkEntries,
  checkEntriesFollowFromOps,
  defineDomain,
  HlcClock,
  Id,
  map,
  records,
  SyncError,
  upcastOps,
  type AnyOp,
  type Upcasters,
} from '@rejoin/core'

const title = z.string()
const due = z.string().nullable()
const tasks = records({ title, due })
const labels = map({ key: z.tuple([Id, Id]), value: z.enum(['red', 'blue']), under: 'tasks' })

/** Version 2 added `due`, version 3 has another name for the op and no labels. */
const third = defineDomain({
  name: 'tasks',
  version: 3,
  tables: { tasks },
  retired: { labels },
  ops: (op) => ({
    TaskPut: op(z.object({ id: Id, title, due }), (t, o) =>
      t.tasks.add(o.id, { title: o.title, due: o.due }),
    ),
  }),
  upcast: {
    TaskAdded: { 1: (o) => ({ ...o, due: null }), 2: (o) => ({ ...o, type: 'TaskPut' }) },
    Renamed: { 1: ({ id, to }) => ({ type: 'TaskAdded', id, title: to, due: null }) },
    Labelled: { 2: () => null },
    Kept: { 1: ({ id }) => ({ id }) },
    Broken: { 2: () => 'an op' as never },
    Many: { 2: () => [] as never },
    Later: { 2: () => undefined as never },
  },
})
const hlc = new HlcClock('A'.repeat(22), null).tick(1_700_000_000_000)
const errorOf = (work: () => unknown): SyncError => {
  try {
    work()
  } catch (error) {
    if (error instanceof SyncError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('[17] ops of an older version', () => {
  test('are brought up to date one version at a time, under their new names', () => {
    const ops: AnyOp[] = [
      { type: 'TaskAdded', id: 'a', title: 'one' },
      { type: 'Labelled', id: 'a', label: 'x', color: 'red' },
      { type: 'Renamed', id: 'b', to: 'two' },
      { type: 'Kept', id: 'c', more: 1 },
    ]
    expect(upcastOps(third, ops, 1)).toEqual([
      { type: 'TaskPut', id: 'a', title: 'one', due: null },
      { type: 'TaskPut', id: 'b', title: 'two', due: null },
      { type: 'Kept', id: 'c' },
    ])
    expect(upcastOps(third, [{ type: 'TaskAdded', id: 'a', title: 'one', due: 'x' }], 2)).toEqual([
      { type: 'TaskPut', id: 'a', title: 'one', due: 'x' },
    ])
  })

  test('of this version stay as they are', () => {
    const ops = [{ type: 'TaskAdded', id: 'a' }]
    expect(upcastOps(third, ops, 3)).toEqual(ops)
  })

  test('of a later version are DOMAIN_TOO_NEW', () => {
    expect(errorOf(() => upcastOps(third, [], 4))).toMatchObject({ code: 'DOMAIN_TOO_NEW' })
  })

  test.each(['Broken', 'Many', 'Later'])('%s: what is no op is OP_INVALID, with its place', (type) => {
    const ops = [{ type: 'TaskAdded', id: 'a', title: 'a', due: null }, { type }]
    expect(errorOf(() => upcastOps(third, ops, 2))).toMatchObject({ code: 'OP_INVALID', path: 'ops[1]' })
  })

  test('choices lose what is of retired tables, and come to nothing where that is all', () => {
    const label = { table: 'labels', key: ['a', 'x'], value: 'red' }
    const task = { table: 'tasks', key: ['a', 'title'], value: 'one' }
    const chosen = (...entries: object[]): AnyOp => ({ type: 'Resolved', entries })
    expect(upcastOps(third, [chosen(label, task), chosen(label), chosen(task)], 1)).toEqual([
      chosen(task),
      chosen(task),
    ])
    const odd = { type: 'Restored', entries: [null, 3, 'x'] }
    expect(upcastOps(third, [odd], 1)).toEqual([odd])
  })

  test('are canonical as they were written, once they are right as they are now', () => {
    const ops = [
      { title: 'one', type: 'TaskAdded', id: 'a' },
      { type: 'Labelled', label: 'x', id: 'a' },
    ]
    expect(JSON.stringify(canonicalOps(third, ops, 1))).toBe(
      '[{"type":"TaskAdded","id":"a","title":"one"},{"type":"Labelled","id":"a","label":"x"}]',
    )
    const wrong = [{ type: 'Labelled' }, { type: 'TaskAdded', id: 'a', title: 1 }]
    expect(errorOf(() => canonicalOps(third, wrong, 1))).toMatchObject({
      code: 'OP_INVALID',
      path: 'ops[1].title',
    })
    expect(errorOf(() => canonicalOps(third, [{ type: 'Nope' }], 1))).toMatchObject({ code: 'OP_UNKNOWN' })
  })
})

describe('[12] entries of a retired table', () => {
  const entry = (value: string) => ({ table: 'labels', key: ['a', 'x'], value, hlc })
  const ops = [{ type: 'Labelled', id: 'a', label: 'x', color: 'red' }]

  test('need no explanation in a commit of an older version, but its stamp and what their schema allows', () => {
    checkEntriesFollowFromOps(third, ops, [entry('red')], hlc, 2)
    checkEntries(third, [entry('red')], 2)
    expect(errorOf(() => checkEntries(third, [entry('green')], 2))).toMatchObject({ code: 'ENTRY_INVALID' })
    const other = new HlcClock('B'.repeat(22), null).tick(5)
    const unstamped = { ...entry('red'), hlc: other }
    expect(errorOf(() => checkEntriesFollowFromOps(third, ops, [unstamped], hlc, 2))).toMatchObject({
      code: 'HLC_MISMATCH',
    })
  })

  test('are refused in a commit of this version', () => {
    expect(errorOf(() => checkEntries(third, [entry('red')]))).toMatchObject({ code: 'ENTRY_INVALID' })
    const put = [{ type: 'TaskPut', id: 'a', title: 'a', due: null }]
    expect(errorOf(() => checkEntriesFollowFromOps(third, put, [entry('red')], hlc))).toMatchObject({
      code: 'ENTRY_UNEXPLAINED',
    })
  })
})

describe('a domain is DOMAIN_INVALID', () => {
  const define = (version: number, upcast: Upcasters, retired = {}) =>
    errorOf(() =>
      defineDomain({ name: 'tasks', version, tables: { tasks }, ops: () => ({}), upcast, retired }),
    )
  const same = (o: AnyOp) => o

  test.each<[string, number, Upcasters, RegExp]>([
    ['upcasts from its own version', 2, { A: { 2: same } }, /older versions are 1 to 1/],
    ['upcasts from a later version', 2, { A: { 7: same } }, /from version 7/],
    ['upcasts from version 0', 2, { A: { 0: same } }, /from version 0/],
    ['upcasts from half a version', 3, { A: { 1.5: same } }, /from version 1.5/],
    ['upcasts in its first version', 1, { A: { 1: same } }, /version 1 has none before it/],
    ['upcasts an op that cannot be', 2, { 'a b': { 1: same } }, /no name of an op/],
    ['upcasts a built-in op', 2, { Resolved: { 1: same } }, /built into every domain/],
    ['upcasts with something else', 2, { A: { 1: 'x' as never } }, /is no function/],
  ])('that %s', (_, version, upcast, message) => {
    const error = define(version, upcast)
    expect(error.code).toBe('DOMAIN_INVALID')
    expect(error.message).toMatch(message)
  })

  test('that retires a table in use, or in its first version, or one that is none', () => {
    expect(define(2, {}, { tasks })).toMatchObject({ code: 'DOMAIN_INVALID' })
    expect(define(1, {}, { labels }).message).toContain('version 1 has none before it')
    expect(define(2, {}, { 'a b': labels })).toMatchObject({ code: 'DOMAIN_INVALID' })
  })
})
