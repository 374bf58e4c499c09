/** One domain with a table of every kind, told to the engine and to the model. */
import fc from 'fast-check'
import { z } from 'zod'
import { defineDomain, Id, map, records, type OpOf } from '@rejoin/core'
import { at, set, type Effect, type Json } from './effects.ts'
import type { Told } from './world.ts'

/** Order does not matter to it, and it is none of the built-in ones: the product of the different values, below 97. */
function product(values: readonly number[]): number {
  return [...new Set(values)].reduce((result, value) => (result * value) % 97, 1)
}

const Tags = z.array(z.string())

export const house = defineDomain({
  name: 'house',
  version: 1,
  tables: {
    notes: map({ key: Id, value: z.string() }),
    highest: map({ key: Id, value: z.number(), merge: 'max' }),
    lowest: map({ key: Id, value: z.number(), merge: 'min' }),
    tags: map({ key: Id, value: Tags, merge: 'union' }),
    products: map({ key: Id, value: z.number(), merge: product }),
    people: records({ name: z.string(), city: z.string(), score: z.number() }, { merge: { score: 'max' } }),
    houses: records({ name: z.string() }),
    rooms: records({ color: z.string() }, { key: z.tuple([Id, Id]), under: 'houses' }),
    lamps: map({ key: z.tuple([Id, Id, Id]), value: z.string(), under: 'rooms' }),
    /** As many parts as its parent's key. */
    owners: records({ name: z.string() }, { under: 'houses' }),
    /** A parent that holds a value. */
    boxes: map({ key: Id, value: z.string() }),
    things: map({ key: z.tuple([Id, Id]), value: z.string(), under: 'boxes' }),
  },
  ops: (op) => ({
    NoteSet: op(z.object({ id: Id, text: z.string() }), (t, o) => t.notes.set(o.id, o.text)),
    NoteRemoved: op(z.object({ id: Id }), (t, o) => t.notes.remove(o.id)),
    Raised: op(z.object({ id: Id, value: z.number() }), (t, o) => t.highest.set(o.id, o.value)),
    Lowered: op(z.object({ id: Id, value: z.number() }), (t, o) => t.lowest.set(o.id, o.value)),
    Tagged: op(z.object({ id: Id, tags: Tags }), (t, o) => t.tags.set(o.id, o.tags)),
    Multiplied: op(z.object({ id: Id, value: z.number() }), (t, o) => t.products.set(o.id, o.value)),
    PersonAdded: op(z.object({ id: Id }), (t, o) => t.people.add(o.id)),
    PersonNamed: op(z.object({ id: Id, name: z.string() }), (t, o) => t.people.set(o.id, { name: o.name })),
    PersonMoved: op(z.object({ id: Id, city: z.string() }), (t, o) => t.people.set(o.id, { city: o.city })),
    PersonScored: op(z.object({ id: Id, score: z.number() }), (t, o) =>
      t.people.set(o.id, { score: o.score }),
    ),
    PersonRemoved: op(z.object({ id: Id }), (t, o) => t.people.remove(o.id)),
    HouseBuilt: op(z.object({ house: Id }), (t, o) => t.houses.add(o.house)),
    HouseNamed: op(z.object({ house: Id, name: z.string() }), (t, o) =>
      t.houses.set(o.house, { name: o.name }),
    ),
    HouseRemoved: op(z.object({ house: Id }), (t, o) => t.houses.remove(o.house)),
    RoomBuilt: op(z.object({ house: Id, room: Id }), (t, o) => t.rooms.add([o.house, o.room])),
    RoomPainted: op(z.object({ house: Id, room: Id, color: z.string() }), (t, o) =>
      t.rooms.set([o.house, o.room], { color: o.color }),
    ),
    RoomRemoved: op(z.object({ house: Id, room: Id }), (t, o) => t.rooms.remove([o.house, o.room])),
    LampSet: op(z.object({ house: Id, room: Id, lamp: Id, kind: z.string() }), (t, o) =>
      t.lamps.set([o.house, o.room, o.lamp], o.kind),
    ),
    LampRemoved: op(z.object({ house: Id, room: Id, lamp: Id }), (t, o) =>
      t.lamps.remove([o.house, o.room, o.lamp]),
    ),
    OwnerAdded: op(z.object({ house: Id, name: z.string() }), (t, o) =>
      t.owners.add(o.house, { name: o.name }),
    ),
    BoxSet: op(z.object({ box: Id, label: z.string() }), (t, o) => t.boxes.set(o.box, o.label)),
    BoxRemoved: op(z.object({ box: Id }), (t, o) => t.boxes.remove(o.box)),
    ThingSet: op(z.object({ box: Id, thing: Id, kind: z.string() }), (t, o) =>
      t.things.set([o.box, o.thing], o.kind),
    ),
  }),
})
/** Without the built-in ops: the model is told of those by the tests. */
export type HouseOp = Exclude<OpOf<typeof house>, { type: 'Resolved' | 'Restored' }>
type HouseOpType = HouseOp['type']

export const toldHouse: Told<HouseOp> = {
  domain: house,
  shapes: {
    notes: { keyLength: 1 },
    highest: { keyLength: 1, merge: { '': (values) => Math.max(...numbers(values)) } },
    lowest: { keyLength: 1, merge: { '': (values) => Math.min(...numbers(values)) } },
    tags: { keyLength: 1, merge: { '': (values) => [...new Set(values.flat() as string[])].sort() } },
    products: { keyLength: 1, merge: { '': (values) => product(numbers(values)) } },
    people: {
      keyLength: 1,
      fields: ['name', 'city', 'score'],
      merge: { score: (values) => Math.max(...numbers(values)) },
    },
    houses: { keyLength: 1, fields: ['name'] },
    rooms: { keyLength: 2, fields: ['color'], under: 'houses' },
    lamps: { keyLength: 3, under: 'rooms' },
    owners: { keyLength: 1, fields: ['name'], under: 'houses' },
    boxes: { keyLength: 1 },
    things: { keyLength: 2, under: 'boxes' },
  },
  effects: effectsOf,
}

function effectsOf(op: HouseOp): readonly Effect[] {
  switch (op.type) {
    case 'NoteSet':
      return [set(at('notes', [op.id]), op.text)]
    case 'NoteRemoved':
      return [{ kind: 'removeRow', table: 'notes', row: [op.id] }]
    case 'Raised':
      return [set(at('highest', [op.id]), op.value)]
    case 'Lowered':
      return [set(at('lowest', [op.id]), op.value)]
    case 'Tagged':
      return [set(at('tags', [op.id]), op.tags)]
    case 'Multiplied':
      return [set(at('products', [op.id]), op.value)]
    case 'PersonAdded':
      return [set(at('people', [op.id]), true)]
    case 'PersonNamed':
      return [set(at('people', [op.id], 'name'), op.name)]
    case 'PersonMoved':
      return [set(at('people', [op.id], 'city'), op.city)]
    case 'PersonScored':
      return [set(at('people', [op.id], 'score'), op.score)]
    case 'PersonRemoved':
      return [{ kind: 'removeRow', table: 'people', row: [op.id] }]
    case 'HouseBuilt':
      return [set(at('houses', [op.house]), true)]
    case 'HouseNamed':
      return [set(at('houses', [op.house], 'name'), op.name)]
    case 'HouseRemoved':
      return [{ kind: 'removeRow', table: 'houses', row: [op.house] }]
    case 'RoomBuilt':
      return [set(at('rooms', [op.house, op.room]), true)]
    case 'RoomPainted':
      return [set(at('rooms', [op.house, op.room], 'color'), op.color)]
    case 'RoomRemoved':
      return [{ kind: 'removeRow', table: 'rooms', row: [op.house, op.room] }]
    case 'LampSet':
      return [set(at('lamps', [op.house, op.room, op.lamp]), op.kind)]
    case 'LampRemoved':
      return [{ kind: 'removeRow', table: 'lamps', row: [op.house, op.room, op.lamp] }]
    case 'OwnerAdded':
      return [set(at('owners', [op.house]), true), set(at('owners', [op.house], 'name'), op.name)]
    case 'BoxSet':
      return [set(at('boxes', [op.box]), op.label)]
    case 'BoxRemoved':
      return [{ kind: 'removeRow', table: 'boxes', row: [op.box] }]
    case 'ThingSet':
      return [set(at('things', [op.box, op.thing]), op.kind)]
  }
}

function numbers(values: readonly Json[]): readonly number[] {
  return values.map(Number)
}

const id = fc.constantFrom('a', 'b')
const text = fc.constantFrom('x', 'y', 'z')
const number = fc.constantFrom(2, 3, 5, 7, -4, 0.5)

const arbitraries: {
  readonly [Type in HouseOpType]: fc.Arbitrary<Omit<Extract<HouseOp, { type: Type }>, 'type'>>
} = {
  NoteSet: fc.record({ id, text }),
  NoteRemoved: fc.record({ id }),
  Raised: fc.record({ id, value: number }),
  Lowered: fc.record({ id, value: number }),
  Tagged: fc.record({ id, tags: fc.uniqueArray(text, { maxLength: 2 }) }),
  Multiplied: fc.record({ id, value: number }),
  PersonAdded: fc.record({ id }),
  PersonNamed: fc.record({ id, name: text }),
  PersonMoved: fc.record({ id, city: text }),
  PersonScored: fc.record({ id, score: number }),
  PersonRemoved: fc.record({ id }),
  HouseBuilt: fc.record({ house: id }),
  HouseNamed: fc.record({ house: id, name: text }),
  HouseRemoved: fc.record({ house: id }),
  RoomBuilt: fc.record({ house: id, room: id }),
  RoomPainted: fc.record({ house: id, room: id, color: text }),
  RoomRemoved: fc.record({ house: id, room: id }),
  LampSet: fc.record({ house: id, room: id, lamp: id, kind: text }),
  LampRemoved: fc.record({ house: id, room: id, lamp: id }),
  OwnerAdded: fc.record({ house: id, name: text }),
  BoxSet: fc.record({ box: id, label: text }),
  BoxRemoved: fc.record({ box: id }),
  ThingSet: fc.record({ box: id, thing: id, kind: text }),
}

/** Any op of these types. */
export function opsOf(...types: readonly HouseOpType[]): fc.Arbitrary<HouseOp> {
  return fc.oneof(
    // Type and payload are of one entry of `arbitraries`.
    ...types.map((type) => arbitraries[type].map((payload) => ({ type, ...payload }) as HouseOp)),
  )
}
