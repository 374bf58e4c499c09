// What a writer sets follows from its payload alone; a replica says so before a hub has to.
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  checkWriters,
  defineDomain,
  formatHlc,
  map,
  planWrites,
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
