import { defineDomain, Id, map, records } from 'rejoin'
import { z } from 'zod'

const title = z.string().max(200)
const tasks = records({ title })
const labels = map({ key: z.tuple([Id, Id]), value: z.enum(['red', 'blue']), under: 'tasks' })

export const before = defineDomain({
  name: 'tasks',
  version: 1,
  tables: { tasks, labels },
  ops: (op) => ({
    TaskAdded: op(z.object({ id: Id, title }), (t, o) => t.tasks.add(o.id, { title: o.title })),
    TaskRemoved: op(z.object({ id: Id }), (t, o) => t.tasks.remove(o.id)),
    Labelled: op(z.object({ id: Id, label: Id, color: z.enum(['red', 'blue']) }), (t, o) =>
      t.labels.set([o.id, o.label], o.color),
    ),
  }),
})

export const after = defineDomain({
  name: 'tasks',
  version: 2,
  tables: { tasks },
  ops: (op) => ({
    TaskAdded: op(z.object({ id: Id, title }), (t, o) => t.tasks.add(o.id, { title: o.title })),
    TaskRemoved: op(z.object({ id: Id }), (t, o) => t.tasks.remove(o.id)),
  }),
  retired: { labels },
  upcast: {
    Labelled: { 1: () => null },
  },
})
