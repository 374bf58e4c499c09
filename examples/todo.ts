import { z } from 'zod'
import { defineDomain, Id, map, records } from 'rejoin'

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
  },
  ops: (op) => ({
    ListAdded: op(z.object({ id: Id, title: z.string() }), (t, o) => t.lists.add(o.id, { title: o.title })),
    ItemDone: op(z.object({ list: Id, item: Id, text: z.string() }), (t, o) =>
      t.items.set([o.list, o.item], { text: o.text, done: true }),
    ),
    ListRemoved: op(z.object({ id: Id }), (t, o) => t.lists.remove(o.id)),
  }),
})
