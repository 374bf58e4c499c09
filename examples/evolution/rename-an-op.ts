import { defineDomain, Id, records } from 'rejoin'
import { z } from 'zod'

const title = z.string().max(200)
const done = z.boolean()
const tables = { tasks: records({ title, done }) }

export const before = defineDomain({
  name: 'tasks',
  version: 1,
  tables,
  ops: (op) => ({
    TaskAdded: op(z.object({ id: Id, title }), (t, o) => t.tasks.add(o.id, { title: o.title })),
    TaskDone: op(z.object({ id: Id }), (t, o) => t.tasks.set(o.id, { done: true })),
  }),
})

export const after = defineDomain({
  name: 'tasks',
  version: 2,
  tables,
  ops: (op) => ({
    TaskAdded: op(z.object({ id: Id, title }), (t, o) => t.tasks.add(o.id, { title: o.title })),
    TaskClosed: op(z.object({ id: Id, done }), (t, o) => t.tasks.set(o.id, { done: o.done })),
  }),
  upcast: {
    TaskDone: { 1: ({ id }) => ({ type: 'TaskClosed', id, done: true }) },
  },
})
