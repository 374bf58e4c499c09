import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  authorOf,
  canonicalOps,
  checkEntriesFollowFromOps,
  defineDomain,
  formatHlc,
  HlcClock,
  Id,
  listConflicts,
  map,
  noRegisters,
  parseHlc,
  planWrites,
  readTables,
  records,
  singleton,
  type OpOf,
  type Register,
  type Registers,
  type Value,
} from '@rejoin/core'

export const todo = defineDomain({
  name: 'todo',
  version: 1,
  tables: {
    lists: records({ title: z.string().max(200), color: z.enum(['red', 'blue']).optional() }),
    items: map({
      key: z.tuple([Id, Id]),
      value: z.object({ text: z.string(), done: z.boolean() }),
      under: 'lists',
    }),
    settings: singleton({ owner: z.string() }),
  },
  ops: (op) => ({
    ListAdded: op(z.object({ id: Id, title: z.string() }), (t, o) => t.lists.add(o.id, { title: o.title })),
    ItemDone: op(z.object({ list: Id, item: Id, text: z.string() }), (t, o) =>
      t.items.set([o.list, o.item], { text: o.text, done: true }),
    ),
    ListRemoved: op(z.object({ id: Id }), (t, o) => t.lists.remove(o.id)),
  }),
})
type TodoOp = OpOf<typeof todo>

const replica = 'AAAAAAAAAAAAAAAAAAAAAA'
const hlc = new HlcClock(replica, null).tick(1_700_000_000_000)

describe('a declared domain', () => {
  test('plans one write a register, coalesced over the ops of a commit', () => {
    const ops: TodoOp[] = [
      { type: 'ListAdded', id: 'a', title: 'first' },
      { type: 'ListAdded', id: 'a', title: 'second' },
      { type: 'ItemDone', list: 'a', item: 'x', text: 'milk' },
    ]
    expect(planWrites(todo, ops, noRegisters, hlc, 'required')).toEqual([
      { kind: 'set', table: 'lists', key: ['a'], value: true },
      { kind: 'set', table: 'lists', key: ['a', 'title'], value: 'second' },
      { kind: 'set', table: 'items', key: ['a', 'x'], value: { done: true, text: 'milk' } },
    ])
  })

  test('writes nothing for a row that is added and removed in one commit', () => {
    const ops: TodoOp[] = [
      { type: 'ListAdded', id: 'a', title: 'first' },
      { type: 'ItemDone', list: 'a', item: 'x', text: 'milk' },
      { type: 'ListRemoved', id: 'a' },
    ]
    expect(planWrites(todo, ops, noRegisters, hlc, 'required')).toEqual([])
  })

  test('refuses a row whose parent is not there, and keeps it as an orphan in a recommit', () => {
    const ops: TodoOp[] = [{ type: 'ItemDone', list: 'a', item: 'x', text: 'milk' }]
    expect(() => planWrites(todo, ops, noRegisters, hlc, 'required')).toThrow(/row of lists/)
    expect(planWrites(todo, ops, noRegisters, hlc, 'optional')).toHaveLength(1)
  })

  test('refuses a wrong payload with its path', () => {
    expect(() => canonicalOps(todo, [{ type: 'ListAdded', id: 'a', title: 3 }])).toThrow(/ops\[0\]\.title/)
    expect(() => canonicalOps(todo, [{ type: 'Nope' }])).toThrow(/no op "Nope"/)
  })

  test('[11] refuses entries that no op explains', () => {
    const ops: TodoOp[] = [{ type: 'ListAdded', id: 'a', title: 'first' }]
    const entry = { table: 'lists', key: ['a', 'title'], value: 'other', hlc }
    expect(() => checkEntriesFollowFromOps(todo, ops, [entry], hlc)).toThrow(/no op of the commit sets/)
    checkEntriesFollowFromOps(todo, ops, [{ ...entry, value: 'first' }], hlc)
  })
})

describe('reading rows', () => {
  const at = (table: string, key: readonly string[], value: Value): Register => [{ table, key, value, hlc }]
  const orphaned: Registers = {
    ...noRegisters,
    read: (table, key) =>
      table === 'items' && key.join() === 'gone,x' ? at('items', ['gone', 'x'], item) : [],
    scan: (table) => (table === 'items' ? [at('items', ['gone', 'x'], item)] : []),
    tableNames: () => ['items'],
  }
  const item = { done: true, text: 'milk' }

  test('[1] hides a row whose parent is gone from every way of reading, and lists it as an orphan', () => {
    const { items } = readTables(todo, orphaned)
    expect(items.get(['gone', 'x'])).toBeUndefined()
    expect(items.has(['gone', 'x'])).toBe(false)
    expect([...items.entries()]).toEqual([])
    expect([...items.entries(['gone'])]).toEqual([])
    expect(items.size).toBe(0)
    expect(listConflicts(todo, orphaned)).toMatchObject([
      { kind: 'orphan', key: ['gone', 'x'], parent: { table: 'lists', key: ['gone'] } },
    ])
  })
})

describe('size', () => {
  const counting: Registers = {
    ...noRegisters,
    scan: () => {
      throw new Error('the table was walked')
    },
    count: (table, parts) => (table === 'lists' && parts === 1 ? 7 : 0),
  }

  test('of a table without a parent is known without a walk', () => {
    expect(readTables(todo, counting).lists.size).toBe(7)
    expect(() => readTables(todo, counting).items.size).toThrow('walked')
  })

  test('is walked where nobody counts', () => {
    expect(readTables(todo, { ...noRegisters, count: () => undefined }).lists.size).toBe(0)
  })
})

describe('HLC stamps', () => {
  test('order as strings by time, counter and author', () => {
    const clock = new HlcClock(replica, null)
    const stamps = [clock.tick(5), clock.tick(5), clock.tick(4), clock.tick(2 ** 41)]
    expect([...stamps].sort()).toEqual(stamps)
    expect(parseHlc(stamps[3] ?? '')).toEqual({ ms: 2 ** 41, counter: 0, author: authorOf(replica) })
    expect(formatHlc(parseHlc(stamps[1] ?? ''))).toBe(stamps[1])
  })

  test('go on above the last one when the counter is used up', () => {
    const clock = new HlcClock(replica, null)
    let last = clock.tick(5)
    for (let i = 0; i < 5_000; i++) {
      const next = clock.tick(5)
      expect(next > last).toBe(true)
      last = next
    }
  })
})

test('HLC stamps rise to the last millisecond that they can hold', () => {
  const clock = new HlcClock(replica, null)
  const stamps = [
    clock.tick(2 ** 42 - 2),
    clock.tick(2 ** 42 + 5),
    clock.tick(2 ** 42 + 9),
    clock.tick(2 ** 43),
  ]
  expect([...new Set(stamps)].sort()).toEqual(stamps)
})

test('what a writer gives in place of fields is refused with what to give', () => {
  const fields = (given: unknown): (() => void) => {
    const domain = defineDomain({
      name: 'beds',
      version: 1,
      tables: { beds: records({ name: z.string() }), garden: singleton({ owner: z.string() }) },
      ops: (op) => ({
        BedNamed: op(z.object({ id: Id }), (t, o) => t.beds.set(o.id, given as object)),
        Owned: op(z.object({}), (t) => t.garden.set(given as object)),
      }),
    })
    const ops = { beds: { type: 'BedNamed', id: 'north' }, garden: { type: 'Owned' } } as const
    return () => {
      for (const op of [ops.beds, ops.garden]) planWrites(domain, [op], noRegisters, hlc, 'required')
    }
  }
  expect(fields('name')).toThrow('`set` and `add` of table beds take an object of fields')
  expect(fields('name')).toThrow('got "name"')
  expect(fields(null)).toThrow('got null')
  expect(fields(['name'])).toThrow('got an array')
  expect(fields(7)).toThrow('got a number')
  expect(fields({})).not.toThrow()
})
