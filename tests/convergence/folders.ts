/** A domain with tables two deep, `under` each other, and a merge function of its own, as a newcomer may write one. */
import fc from 'fast-check'
import { z } from 'zod'
import { defineDomain, Id, map, records } from '@rejoin/core'

type Merge = (values: readonly string[][]) => string[]

const inOrder: Merge = (values) => [...new Set(values.flat())].sort()

/** @param merge what becomes of labels that are set side by side. */
export function folders(merge: Merge = inOrder) {
  return defineDomain({
    name: 'folders',
    version: 1,
    tables: {
      folders: records({ title: z.string(), color: z.string() }),
      notes: records({ text: z.string() }, { key: z.tuple([Id, Id]), under: 'folders' }),
      labels: map({ key: z.tuple([Id, Id, Id]), value: z.array(z.string()), under: 'notes', merge }),
    },
    ops: (op) => ({
      FolderAdded: op(z.object({ id: Id, title: z.string() }), (t, o) =>
        t.folders.add(o.id, { title: o.title }),
      ),
      FolderPainted: op(z.object({ id: Id, color: z.string() }), (t, o) =>
        t.folders.set(o.id, { color: o.color }),
      ),
      FolderRemoved: op(z.object({ id: Id }), (t, o) => t.folders.remove(o.id)),
      NoteWritten: op(z.object({ folder: Id, id: Id, text: z.string() }), (t, o) =>
        t.notes.add([o.folder, o.id], { text: o.text }),
      ),
      NoteRemoved: op(z.object({ folder: Id, id: Id }), (t, o) => t.notes.remove([o.folder, o.id])),
      Labelled: op(z.object({ folder: Id, note: Id, kind: Id, labels: z.array(z.string()) }), (t, o) =>
        t.labels.set([o.folder, o.note, o.kind], o.labels),
      ),
    }),
  })
}

const id = fc.constantFrom('a', 'b', 'c')
const text = fc.constantFrom('one', 'two', 'three')

export const foldersOps = {
  FolderAdded: fc.record({ id, title: text }),
  FolderPainted: fc.record({ id, color: text }),
  FolderRemoved: fc.record({ id }),
  NoteWritten: fc.record({ folder: id, id, text }),
  NoteRemoved: fc.record({ folder: id, id }),
  Labelled: fc.record({ folder: id, note: id, kind: id, labels: fc.array(text, { maxLength: 2 }) }),
}
