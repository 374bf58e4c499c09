// What an old app sees of a document that a newer version writes to: what it was written for, and nothing else.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineDomain, Id, map, records, singleton } from '@rejoin/core'
import { Device, EvolvingWorld } from './world.ts'

const domainOf = <C extends readonly [string, ...string[]]>(version: number, colors: C) =>
  defineDomain({
    name: 'lists',
    version,
    tables: {
      lists: records({
        title: z.string(),
        color: z.enum(colors),
        ...(version > 1 ? { note: z.string() } : {}),
      }),
      sizes: map({
        key: Id,
        value: version > 1 ? z.union([z.number(), z.string()]) : z.number(),
        merge: 'max',
      }),
      settings: singleton({ theme: z.enum(colors) }),
      ...(version > 1 ? { extras: map({ key: Id, value: z.string() }) } : {}),
    },
    ops: (op) => ({
      Put: op(z.object({ id: Id, fields: z.record(z.string(), z.unknown()) }), (t, o) =>
        t.lists.add(o.id, o.fields as never),
      ),
      Sized: op(z.object({ id: Id, size: z.unknown() }), (t, o) => t.sizes.set(o.id, o.size as never)),
      Themed: op(z.object({ theme: z.string() }), (t, o) => t.settings.set({ theme: o.theme as never })),
      Extra: op(z.object({ id: Id }), (t, o) => {
        // Only version 2 has the table.
        const extras = (t as { extras?: { set(key: string, value: string): void } }).extras
        extras?.set(o.id, 'more')
      }),
    }),
  })
const first = domainOf(1, ['red', 'blue'])
const second = domainOf(2, ['red', 'blue', 'green'])

test('[12] [18] values, fields and tables that an old app does not know are in no reads, conflicts or events', async () => {
  const world = new EvolvingWorld(second)
  const [phone, tablet] = [await Device.open(world, first), await Device.open(world, second)]
  phone.apply(
    { type: 'Put', id: 'a', fields: { title: 'a', color: 'red' } },
    { type: 'Put', id: 'b', fields: { title: 'b', color: 'red' } },
    { type: 'Sized', id: 'a', size: 1 },
    { type: 'Sized', id: 'b', size: 1 },
    { type: 'Themed', theme: 'red' },
  )
  await phone.sync()
  await tablet.sync()
  const heard: string[] = []
  phone.replica.subscribe((changes) => {
    for (const { table, key, field, before, after } of changes)
      heard.push(JSON.stringify([table, key, field, before ?? null, after ?? null]))
  })
  // Written concurrently: the old app's own color of b stands beside the new one.
  phone.apply({ type: 'Put', id: 'b', fields: { color: 'blue' } })
  heard.length = 0
  tablet.apply(
    { type: 'Put', id: 'a', fields: { color: 'green', note: 'new', title: 'A' } },
    { type: 'Put', id: 'b', fields: { color: 'green' } },
    { type: 'Sized', id: 'a', size: 'large' },
    { type: 'Themed', theme: 'green' },
    { type: 'Extra', id: 'x' },
  )
  await tablet.sync()
  expect(await phone.sync()).toBe('DOMAIN_TOO_NEW')
  expect(phone.rows('lists')).toEqual({ a: { title: 'A' }, b: { title: 'b', color: 'blue' } })
  expect(phone.rows('sizes')).toEqual({ b: 1 })
  expect((phone.replica.tables as { settings: { get(): unknown } }).settings.get()).toEqual({})
  expect(phone.replica.conflicts()).toEqual([])
  expect(phone.replica.status.conflicts).toBe(0)
  expect(heard.sort()).toEqual([
    '["lists","a","color","red",null]',
    '["lists","a","title","a","A"]',
    '["settings",null,"theme","red",null]',
    '["sizes","a",null,1,null]',
  ])
  heard.length = 0
  tablet.apply({ type: 'Put', id: 'a', fields: { color: 'blue' } })
  await tablet.sync()
  await phone.sync()
  expect(heard).toEqual(['["lists","a","color",null,"blue"]'])
  expect([...phone.replica.registers.tableNames()].sort()).toEqual(['extras', 'lists', 'settings', 'sizes'])

  await phone.update(second)
  expect(await phone.sync()).toBeNull()
  await tablet.sync()
  expect(phone.rows('lists')).toMatchObject({ a: { title: 'A', color: 'blue', note: 'new' } })
  expect(phone.rows('extras')).toEqual({ x: 'more' })
  expect(phone.replica.conflicts()).toMatchObject([
    { kind: 'concurrent', table: 'lists', key: ['b'], field: 'color' },
  ])
  expect(phone.replica.conflicts()).toEqual(tablet.replica.conflicts())
  expect(phone.digest).toBe(tablet.digest)
})
