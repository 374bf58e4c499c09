// What a writer sets follows from its payload alone; a replica says so before a hub has to.
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  checkCommitEntries,
  checkEntries,
  checkEntriesFollowFromOps,
  checkOps,
  checkWriters,
  defineDomain,
  formatHlc,
  map,
  planWrites,
  records,
  singleton,
  SyncError,
  type AnyOp,
  type Entry,
  type Register,
  type Registers,
} from '@rejoin/core'

const hlc = formatHlc({ ms: 5, counter: 0, author: 'abcde' })
const domain = defineDomain({
  name: 'tags',
  version: 1,
  tables: { tags: map({ key: z.string(), value: z.array(z.string()) }) },
  ops: (op) => ({
    Tagged: op(z.object({ id: z.string(), tag: z.string() }), (t, o) =>
      t.tags.set(o.id, [...(t.tags.get(o.id) ?? []), o.tag]),
    ),
    Set: op(z.object({ id: z.string(), tags: z.array(z.string()) }), (t, o) => t.tags.set(o.id, o.tags)),
    SetOnce: op(z.object({ id: z.string(), tags: z.array(z.string()) }), (t, o) => {
      if (!t.tags.has(o.id)) t.tags.set(o.id, o.tags)
    }),
    Emptied: op(z.object({}), (t) => {
      for (const [id, tags] of t.tags.entries()) if (tags.length === 0) t.tags.remove(id)
    }),
    Strict: op(z.object({ id: z.string() }), (t, o) => {
      if (!t.tags.has(o.id)) throw new Error('there is no such row')
      t.tags.remove(o.id)
    }),
  }),
})

const register: Register = [{ table: 'tags', key: ['a'], value: ['x'], hlc }]
const registers: Registers = {
  read: (table, key) => (table === 'tags' && key[0] === 'a' ? register : []),
  scan: () => [register],
  contested: () => [],
  tableNames: () => ['tags'],
}

function check(op: { type: string }): void {
  checkWriters(domain, [op], planWrites(domain, [op], registers, hlc, 'required'), hlc)
}

describe('a writer is refused', () => {
  test('that sets what it read, with what it sets', () => {
    const op = { type: 'Tagged', id: 'a', tag: 'y' }
    expect(() => check(op)).toThrow(
      expect.objectContaining({
        code: 'OP_FAILED',
        message: expect.stringContaining('tags ["a"] = ["x","y"], which does not follow'),
      }),
    )
  })

  test('that refuses by what it reads, since a hub has nothing to read', () => {
    const op = { type: 'Strict', id: 'a' }
    expect(() => check(op)).toThrow(expect.objectContaining({ code: 'OP_FAILED', path: 'ops[0]' }))
  })
})

test.each([
  { type: 'Set', id: 'a', tags: ['z'] },
  { type: 'SetOnce', id: 'b', tags: ['z'] },
  { type: 'Emptied' },
  { type: 'Restored', entries: [{ table: 'tags', key: ['a'], value: ['z'] }] },
])('a writer may read to decide what to remove or to leave out: $type', (op) => {
  expect(() => check(op)).not.toThrow()
})

describe('[12] what a hub checks of a commit’s entries is what the two checks say apart', () => {
  const first = defineDomain({
    name: 'notes',
    version: 2,
    tables: {
      notes: records({ title: z.string().max(3), tags: z.array(z.string()).optional() }),
      settings: singleton({ color: z.enum(['red', 'blue']) }),
    },
    retired: { old: map({ key: z.string(), value: z.string() }) },
    ops: (op) => ({
      Noted: op(z.object({ id: z.string(), title: z.string() }), (t, o) => {
        t.notes.add(o.id, { title: o.title })
      }),
      Colored: op(z.object({ color: z.enum(['red', 'blue']) }), (t, o) => t.settings.set({ color: o.color })),
    }),
  })
  const noted: AnyOp = { type: 'Noted', id: 'a', title: 'abc' }
  const colored: AnyOp = { type: 'Colored', color: 'red' }
  const entry = (table: string, key: readonly string[], value: Entry['value'], stamp = hlc): Entry => {
    return { table, key, value, hlc: stamp }
  }
  const row = entry('notes', ['a'], true)
  const title = entry('notes', ['a', 'title'], 'abc')
  const later = formatHlc({ ms: 6, counter: 0, author: 'abcde' })

  test.each<[string, readonly AnyOp[], readonly Entry[], string | null]>([
    ['nothing', [noted], [], null],
    ['all that an op sets', [noted], [row, title], null],
    ['what two ops set', [noted, colored], [title, entry('settings', ['color'], 'red'), row], null],
    ['what a retired table held', [noted], [row, entry('old', ['x'], 'y'), title], null],
    ['what no op sets', [noted], [row, entry('notes', ['a', 'title'], 'abd')], 'ENTRY_UNEXPLAINED'],
    ['another key', [noted], [entry('notes', ['b'], true)], 'ENTRY_UNEXPLAINED'],
    ['another table', [colored], [row], 'ENTRY_UNEXPLAINED'],
    ['another stamp', [noted], [row, { ...title, hlc: later }], 'HLC_MISMATCH'],
    ['what the schema forbids', [noted], [row, entry('notes', ['a', 'title'], 'abcd')], 'ENTRY_INVALID'],
    [
      'the same, and unexplained before',
      [noted],
      [entry('notes', ['b'], true), entry('notes', ['a', 'x'], 1)],
      'ENTRY_INVALID',
    ],
    [
      'the same under another stamp',
      [noted],
      [{ ...entry('notes', ['a', 'title'], 7), hlc: later }],
      'ENTRY_INVALID',
    ],
    ['a forbidden value of a retired table', [noted], [entry('old', ['x'], 1)], 'ENTRY_INVALID'],
    ['a table that is none', [noted], [row, entry('none', ['x'], 1)], 'ENTRY_INVALID'],
  ])('%s', (_, ops, entries, code) => {
    const together = codeOf(() => checkCommitEntries(checkOps(first, ops, 1), entries, hlc))
    const apart = codeOf(() => {
      checkEntries(first, entries, 1)
      checkEntriesFollowFromOps(first, ops, entries, hlc, 1)
    })
    expect(together).toBe(code)
    expect(apart).toBe(code)
  })
})

function codeOf(check: () => void): string | null {
  try {
    check()
    return null
  } catch (error) {
    return error instanceof SyncError ? error.code : 'no code'
  }
}
