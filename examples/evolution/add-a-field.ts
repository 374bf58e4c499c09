import { defineDomain, Id, records } from 'rejoin'
import { z } from 'zod'

const title = z.string().max(200)
const due = z.iso.date().nullable()

export const before = defineDomain({
  name: 'tasks',
  version: 1,
  tables: { tasks: records({ title }) },
  ops: (op) => ({
    TaskAdded: op(z.object({ id: Id, title }), (t, o) => t.tasks.add(o.id, { title: o.title })),
  }),
})

export const after = defineDomain({
  name: 'tasks',
  version: 2,
  tables: { tasks: records({ title, due }) },
  ops: (op) => ({
    TaskAdded: op(z.object({ id: Id, title, due }), (t, o) =>
      t.tasks.add(o.id, { title: o.title, due: o.due }),
    ),
    TaskDue: op(z.object({ id: Id, due }), (t, o) => t.tasks.set(o.id, { due: o.due })),
  }),
  upcast: {
    TaskAdded: { 1: (o) => ({ ...o, due: null }) },
  },
})
