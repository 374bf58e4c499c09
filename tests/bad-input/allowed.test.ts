// What looks dangerous and is allowed works: it is written, reaches another replica through the hub, and reads back the same
// in every way of reading. Whatever stands exactly at a limit is inside it.
import { describe, expect, test } from 'vitest'
import { limits } from '@rejoin/core'
import { openPair, smuggled, type Anything } from './world.ts'

const names = [
  '__proto__',
  'constructor',
  'prototype',
  'hasOwnProperty',
  'toString',
  'valueOf',
  'then',
  'length',
]

describe('names that plain objects have already', () => {
  test.each(names)('[12] %s is an ordinary key', async (name) => {
    const { writer, reader, meet, close } = await openPair()
    const heard: unknown[] = []
    reader.subscribe((changes) => heard.push(...changes.map(({ key, after }) => [key, after])))
    writer.apply({ type: 'JsonSet', key: name, value: 1 })
    await meet()
    for (const { tables, registers } of [writer, reader]) {
      expect(tables.values.get(name)).toBe(1)
      expect(tables.values.has(name)).toBe(true)
      expect([...tables.values.entries()]).toEqual([[name, 1]])
      expect(tables.values.size).toBe(1)
      expect(registers.read('values', [name])).toMatchObject([{ key: [name], value: 1 }])
    }
    expect(heard).toEqual([[name, 1]])
    // In a conflict, chosen and removed.
    writer.apply({ type: 'JsonSet', key: name, value: 2 })
    reader.apply({ type: 'JsonSet', key: name, value: 3 })
    await meet()
    const [conflict] = reader.conflicts()
    expect(conflict).toMatchObject({ kind: 'concurrent', table: 'values', key: [name] })
    if (conflict !== undefined) reader.resolve(conflict, { kind: 'choose', value: 2 })
    await meet()
    expect(writer.tables.values.get(name)).toBe(2)
    writer.apply({ type: 'ValueRemoved', key: name })
    await meet()
    expect(reader.tables.values.has(name)).toBe(false)
    expect(reader.tables.values.get(name)).toBeUndefined()
    await close()
  })

  test.each(names)('[12] %s is an ordinary id, also as a parent, and part of a tuple', async (name) => {
    const { writer, reader, meet, close } = await openPair()
    writer.apply([
      { type: 'RowAdded', id: name, title: 'a title' },
      { type: 'ChildSet', id: name, key: name, value: name },
      { type: 'PairSet', key: [name, 'en'] },
    ])
    await meet()
    for (const { tables } of [writer, reader]) {
      expect(tables.rows.get(name)).toEqual({ title: 'a title' })
      expect(tables.children.get([name, name])).toBe(name)
      expect([...tables.children.entries([name])]).toEqual([[[name, name], name]])
      expect([...tables.pairs.entries([name])]).toEqual([[[name, 'en'], 1]])
    }
    // Removed here, a child added there: an orphan, restored.
    writer.apply({ type: 'RowRemoved', id: name })
    reader.apply({ type: 'ChildSet', id: name, key: 'late', value: 1 })
    await meet()
    const [orphan] = writer.conflicts()
    expect(orphan).toMatchObject({ kind: 'orphan', parent: { table: 'rows', key: [name] } })
    if (orphan !== undefined) writer.resolve(orphan, { kind: 'restore' })
    await meet()
    expect(reader.tables.children.get([name, 'late'])).toBe(1)
    await close()
  })

  test('[12] what is not there is not there, whatever its name', async () => {
    const { writer, close } = await openPair()
    for (const name of names) {
      expect(writer.tables.values.get(name)).toBeUndefined()
      expect(writer.tables.values.has(name)).toBe(false)
      expect(writer.tables.rows.get(name)).toBeUndefined()
      expect([...writer.tables.children.entries([name])]).toEqual([])
    }
    await close()
  })

  test('[12] such names are fields of records where a table declares them', async () => {
    const fields = { constructor: 1, hasOwnProperty: 'x', prototype: null, toString: [true] }
    const { writer, reader, meet, close } = await openPair()
    writer.apply({ type: 'RowAdded', id: 'row', ...fields })
    await meet()
    for (const { tables } of [writer, reader]) {
      expect(tables.rows.get('row')).toEqual(fields)
      expect(Object.keys(tables.rows.get('row') ?? {}).sort()).toEqual(Object.keys(fields).sort())
    }
    await close()
  })

  test('[12] such names are fields of values, and of payloads beyond their schema; nothing is polluted', async () => {
    const value = {
      constructor: { prototype: { polluted: true } },
      prototype: 1,
      hasOwnProperty: 2,
      toString: 3,
    }
    const op = { type: 'JsonSet' as const, key: 'k', value, constructor: 1, hasOwnProperty: 2 }
    const { writer, reader, meet, close } = await openPair()
    writer.apply(op)
    await meet()
    for (const { tables } of [writer, reader]) expect(tables.values.get('k')).toEqual(value)
    expect({}).not.toHaveProperty('polluted')
    expect(writer.apply(op).kind).toBe('unchanged')
    await close()
  })
})

describe('at a limit, and odd but JSON', () => {
  const cases: readonly (readonly [string, unknown])[] = [
    ['a text of exactly the size of a value', 'x'.repeat(limits.valueBytesMax - 2)],
    ['a text of exactly that size in UTF-8', `${'é'.repeat((limits.valueBytesMax - 2) / 2)}`],
    [
      'an array of exactly that size',
      Array.from({ length: limits.valueBytesMax / 2 - 2 }, () => 1).concat(10),
    ],
    ['exactly as many levels as a payload may have', nested(limits.valueDepthMax - 1)],
    ['null', null],
    ['false', false],
    ['the empty text', ''],
    ['an empty array', []],
    ['an empty object', {}],
    ['a text with U+0000', 'a\u0000b'],
    ['a text of whole surrogate pairs', '😀👩‍👩‍👧'],
    ['a text of noncharacters', '\uFFFF\uFFFE'],
    ['the smallest number', Number.MIN_VALUE],
    ['the largest number', Number.MAX_VALUE],
    ['a number beyond the whole ones', 2 ** 53 + 2],
    ['a whole number of 32 bits', -(2 ** 31)],
    ['a fraction', 0.1],
    ['the empty field name', { '': 1 }],
    ['field names that are numbers', { 10: 'ten', 9: 'nine', '01': 'no index', [-1]: 'minus' }],
    ['an object without a prototype', Object.assign(Object.create(null) as object, { a: 1 })],
  ]

  for (const [name, value] of cases) {
    test(`[2] ${name} is written, replicates and reads back`, async () => {
      const { writer, reader, meet, close } = await openPair()
      const op = { type: 'JsonSet', key: 'k', value } as never
      expect(writer.apply(op).kind).toBe('commit')
      await meet()
      expect(writer.rejected).toEqual([])
      expect(writer.status.pending).toBe(0)
      expect(reader.tables.values.get('k')).toEqual(value)
      expect(Buffer.compare(reader.encode(), writer.encode())).toBe(0)
      for (const replica of [writer, reader]) expect(replica.apply(op).kind).toBe('unchanged')
      await close()
    })
  }

  test.each<readonly [string, string]>([
    ['exactly as long as a key may be', 'x'.repeat(limits.keyBytesMax)],
    ['exactly so long in UTF-8', 'é'.repeat(limits.keyBytesMax / 2)],
    ['empty', ''],
    ['a line break', '\n'],
    ['with U+0001, which names are told apart by', 'a\u0001b'],
    ['of whole surrogate pairs', '😀'],
    ['long dead', '\u202Egnol'],
  ])('[2] a key that is %s is written, replicates, reads back and is removed', async (_, key) => {
    const { writer, reader, meet, close } = await openPair()
    writer.apply([
      { type: 'JsonSet', key, value: 1 },
      { type: 'JsonSet', key: `${key.slice(0, 10)}!`, value: 2 },
    ])
    await meet()
    expect(writer.rejected).toEqual([])
    expect(reader.tables.values.get(key)).toBe(1)
    expect(new Map(reader.tables.values.entries())).toEqual(
      new Map([
        [key, 1],
        [`${key.slice(0, 10)}!`, 2],
      ]),
    )
    reader.apply({ type: 'ValueRemoved', key })
    await meet()
    expect(writer.tables.values.has(key)).toBe(false)
    expect(writer.tables.values.size).toBe(1)
    await close()
  })

  test('[2] exactly as many levels as a value may have, set by a writer, replicate and read back', async () => {
    const { writer, reader, meet, close } = await openPair()
    smuggled.key = 'k'
    smuggled.value = nested(limits.valueDepthMax)
    writer.apply({ type: 'Smuggled' })
    await meet()
    expect(writer.rejected).toEqual([])
    expect(reader.tables.values.get('k')).toEqual(smuggled.value)
    await close()
  })

  test('[2] -0 is 0: in value, payload and bytes', async () => {
    const { writer, reader, meet, close } = await openPair()
    writer.apply({ type: 'LowerSet', key: 'zero', value: -0 })
    writer.apply({ type: 'JsonSet', key: 'zeros', value: [-0, { a: -0 }] })
    await meet()
    for (const replica of [writer, reader]) {
      expect(Object.is(replica.tables.lower.get('zero'), 0)).toBe(true)
      expect(replica.tables.values.get('zeros')).toEqual([0, { a: 0 }])
      expect(replica.apply({ type: 'LowerSet', key: 'zero', value: 0 }).kind).toBe('unchanged')
      expect(replica.apply({ type: 'LowerSet', key: 'zero', value: -0 }).kind).toBe('unchanged')
    }
    await close()
  })

  test('[2] fields that are undefined are left out, as JSON does, and the order of fields is no difference', async () => {
    const { writer, reader, meet, close } = await openPair()
    const one = { type: 'JsonSet', key: 'k', value: { b: 1, a: { d: 2, c: 3 } }, more: undefined }
    writer.apply(one as never)
    await meet()
    expect(reader.tables.values.get('k')).toEqual({ a: { c: 3, d: 2 }, b: 1 })
    expect(reader.outbox).toEqual([])
    const other = { value: { a: { c: 3, d: 2 }, b: 1 }, key: 'k', type: 'JsonSet' } as const
    for (const replica of [writer, reader]) expect(replica.apply(other).kind).toBe('unchanged')
    await close()
  })

  test('a commit of exactly as many ops as there may be', async () => {
    const { writer, reader, meet, close } = await openPair()
    const ops = Array.from({ length: limits.commitOpsMax }, (_, i) => ({
      type: 'JsonSet' as const,
      key: `k${i}`,
      value: i,
    }))
    expect(writer.apply(ops).kind).toBe('commit')
    await meet()
    expect(writer.rejected).toEqual([])
    expect(reader.tables.values.size).toBe(limits.commitOpsMax)
    await close()
  })
})

test('[12] an object that changes while it is read is written as it was read once', async () => {
  const { writer, reader, meet, close } = await openPair()
  let reads = 0
  const shifting = {
    type: 'ColorSet',
    key: 'red',
    get value() {
      return ++reads % 2 === 1 ? 'ok' : 'too long for its table'
    },
  }
  // Refused or written, but never what the schema forbids.
  const outcome = written(writer, shifting)
  await meet()
  for (const { tables } of [writer, reader]) expect([undefined, 'ok']).toContain(tables.colors.get('red'))
  expect(writer.rejected).toEqual([])
  expect(outcome).toBe(writer.tables.colors.has('red'))
  await close()
})

test('[12] what was applied is copied, and what is read cannot be changed under the document', async () => {
  const { writer, reader, meet, close } = await openPair()
  const value = { list: [1] }
  const op = { type: 'JsonSet' as const, key: 'k', value }
  writer.apply(op)
  value.list.push(2)
  op.key = 'other'
  await meet()
  for (const replica of [writer, reader]) {
    expect([...replica.tables.values.entries()]).toEqual([['k', { list: [1] }]])
  }
  const bytes = writer.encode()
  // The document holds the very value that was read.
  expect(() => (writer.tables.values.get('k') as typeof value).list.push(3)).toThrow(TypeError)
  expect(() => Object.assign(writer.tables.values.get('k') as object, { more: 1 })).toThrow(TypeError)
  expect(writer.encode()).toEqual(bytes)
  await close()
})

function written(replica: Anything, op: unknown): boolean {
  try {
    return replica.apply(op as never).kind === 'commit'
  } catch {
    return false
  }
}

/** Levels of arrays around a value. */
function nested(levels: number): unknown {
  let value: unknown = 1
  for (let i = 0; i < levels; i++) value = [value]
  return value
}
