/** A domain with every kind of table, and ops and values for it drawn from a seed: what honest replicas write. */
import { z } from 'zod'
import {
  canonicalValue,
  defineDomain,
  Id,
  map,
  records,
  singleton,
  type OpOf,
  type Value,
} from '@rejoin/core'
import type { Seeded } from '../support/seeded.ts'

const Text = z.string().max(2_000)

export const shapes = defineDomain({
  name: 'shapes',
  version: 1,
  tables: {
    rows: records({ title: Text, color: Text }),
    items: map({
      key: z.tuple([Id, Id]),
      value: z.object({ text: Text, done: z.boolean() }),
      under: 'rows',
    }),
    weights: map({ key: z.tuple([Id, Id]), value: z.number(), merge: 'max' }),
    tags: map({ key: Id, value: z.array(Text), merge: 'union' }),
    values: map({ key: Id, value: z.json() }),
    settings: singleton({ owner: Text }),
  },
  ops: (op) => ({
    RowAdded: op(z.object({ id: Id, title: Text }), (t, o) => t.rows.add(o.id, { title: o.title })),
    RowColored: op(z.object({ id: Id, color: Text }), (t, o) => t.rows.set(o.id, { color: o.color })),
    RowRemoved: op(z.object({ id: Id }), (t, o) => t.rows.remove(o.id)),
    ItemSet: op(z.object({ row: Id, item: Id, text: Text }), (t, o) =>
      t.items.set([o.row, o.item], { text: o.text, done: false }),
    ),
    ItemRemoved: op(z.object({ row: Id, item: Id }), (t, o) => t.items.remove([o.row, o.item])),
    Weighed: op(z.object({ token: Id, row: Id, weight: z.number() }), (t, o) =>
      t.weights.set([o.token, o.row], o.weight),
    ),
    Tagged: op(z.object({ id: Id, tags: z.array(Text) }), (t, o) => t.tags.set(o.id, o.tags)),
    ValueSet: op(z.object({ id: Id, value: z.json() }), (t, o) => t.values.set(o.id, o.value)),
    ValueRemoved: op(z.object({ id: Id }), (t, o) => t.values.remove(o.id)),
    OwnerSet: op(z.object({ owner: Text }), (t, o) => t.settings.set({ owner: o.owner })),
  }),
})
export type ShapesOp = OpOf<typeof shapes>

const ids = ['a', 'b', 'c', 'd', 'e', '__proto__', 'constructor', 'é', '😀'] as const
const texts = ['milk', '', 'über', '😀', '\uFEFFmark', 'a "quoted"\nline', 'x'.repeat(300)] as const
const numbers = [
  0,
  1,
  -1,
  63,
  64,
  -64,
  8_191,
  8_192,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  0.5,
  0.1,
  1e300,
  5e-324,
] as const

export function someOp(random: Seeded): ShapesOp {
  const id = random.pick(ids)
  switch (random.whole(0, 9)) {
    case 0:
    case 1:
      return { type: 'RowAdded', id, title: random.pick(texts) }
    case 2:
      return { type: 'RowColored', id, color: random.pick(texts) }
    case 3:
      return { type: 'RowRemoved', id }
    case 4:
      return { type: 'ItemSet', row: id, item: random.pick(ids), text: random.pick(texts) }
    case 5:
      return { type: 'ItemRemoved', row: id, item: random.pick(ids) }
    case 6:
      return { type: 'Weighed', token: random.pick(ids), row: id, weight: random.pick(numbers) }
    case 7:
      return {
        type: 'Tagged',
        id,
        tags: Array.from({ length: random.whole(0, 3) }, () => random.pick(texts)),
      }
    case 8:
      // Any JSON value is a value of that table.
      return { type: 'ValueSet', id, value: someValue(random, 4) as string }
    default:
      return random.chance(0.5)
        ? { type: 'ValueRemoved', id }
        : { type: 'OwnerSet', owner: random.pick(texts) }
  }
}

/** Nested up to so many levels, in canonical form. */
export function someValue(random: Seeded, levels: number): Value {
  const kind = random.whole(0, levels > 0 ? 7 : 4)
  if (kind === 0) return random.pick(numbers)
  if (kind === 1) return random.whole(-100_000, 100_000) / random.pick([1, 1, 3, 8])
  if (kind === 2) return random.pick(texts)
  if (kind === 3) return random.pick([true, false, null])
  if (kind === 4)
    return String.fromCodePoint(random.pick([0x41, 0xe9, 0x4e2d, 0x1f600])).repeat(random.whole(1, 40))
  const length = random.whole(0, 4)
  if (kind < 6) return Array.from({ length }, () => someValue(random, levels - 1))
  const names = ['a', 'b', '10', '9', '01', 'é', 'constructor'].slice(0, length)
  return canonicalValue(Object.fromEntries(names.map((name) => [name, someValue(random, levels - 1)])))
}
