/** What the pages and the replicas in Node write: notes, each under an id of its own. */
import { z } from 'zod'
import { defineDomain, Id, records } from 'rejoin'

export const notes = defineDomain({
  name: 'notes',
  version: 1,
  tables: { notes: records({ text: z.string() }) },
  ops: (op) => ({
    NoteWritten: op(z.object({ id: Id, text: z.string() }), (t, o) => t.notes.add(o.id, { text: o.text })),
  }),
})

export type Notes = typeof notes

export const noteWritten = (id: string, text = id) => ({ type: 'NoteWritten', id, text }) as const
