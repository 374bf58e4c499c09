/** Bugs of domains, as their authors may plant them. */
import fc from 'fast-check'
import { z } from 'zod'
import { defineDomain, map } from '@rejoin/core'
import { folders, foldersOps } from '../folders.ts'
import type { Mutant } from './mutant.ts'

const id = fc.constantFrom('a', 'b')

function notes(now: () => number) {
  return defineDomain({
    name: 'notes',
    version: 1,
    tables: { notes: map({ key: z.string(), value: z.object({ text: z.string(), at: z.number() }) }) },
    ops: (op) => ({
      Noted: op(z.object({ id: z.string(), text: z.string() }), (t, o) =>
        t.notes.set(o.id, { text: o.text, at: now() }),
      ),
    }),
  })
}

const counters = defineDomain({
  name: 'counters',
  version: 1,
  tables: { counters: map({ key: z.string(), value: z.number() }) },
  ops: (op) => ({
    Counted: op(z.object({ id: z.string() }), (t, o) =>
      t.counters.set(o.id, (t.counters.get(o.id) ?? 0) + 1),
    ),
  }),
})

const votes = defineDomain({
  name: 'votes',
  version: 1,
  tables: { votes: map({ key: z.string(), value: z.string(), merge: (values) => values.join() }) },
  ops: (op) => ({
    Voted: op(z.object({ id: z.string(), for: z.string() }), (t, o) => t.votes.set(o.id, o.for)),
  }),
})

/** Idempotent, and refused by a hub: the text is nowhere in the op. */
const copies = defineDomain({
  name: 'copies',
  version: 1,
  tables: { texts: map({ key: z.string(), value: z.string() }) },
  ops: (op) => ({
    Written: op(z.object({ id: z.string(), text: z.string() }), (t, o) => t.texts.set(o.id, o.text)),
    Copied: op(z.object({ from: z.string(), to: z.string() }), (t, o) => {
      const read = t.texts.get(o.from)
      if (read !== undefined) t.texts.set(o.to, read)
    }),
  }),
})

/** A nested domain whose merge function does what none may. */
function unruly(name: string, merge: Parameters<typeof folders>[0]): Mutant {
  return { name, foundBy: [1], runsMax: 100, domain: { domain: folders(merge), ops: foldersOps } }
}

let ticks = 0
const text = fc.constantFrom('one', 'two')

export const domainMutants: readonly Mutant[] = [
  {
    name: 'a writer reads the time',
    foundBy: [2, 24],
    domain: { domain: notes(() => ++ticks), ops: { Noted: fc.record({ id, text }) } },
  },
  {
    name: 'a writer counts on from what is there',
    foundBy: [24],
    domain: { domain: counters, ops: { Counted: fc.record({ id }) } },
  },
  {
    name: 'a merge function depends on the order of its values',
    foundBy: [1],
    domain: { domain: votes, ops: { Voted: fc.record({ id, for: text }) } },
  },
  {
    name: 'a writer copies what it reads',
    foundBy: [24],
    domain: {
      domain: copies,
      ops: { Written: fc.record({ id, text }), Copied: fc.record({ from: id, to: id }) },
    },
  },
  unruly('a merge function puts its values one behind the other', (values) => values.flat()),
  unruly('a merge function takes the first value', ([first]) => first ?? []),
  unruly('a merge function minds the order of three', (values) =>
    values.reduce((a, b) => [[...a, ...b].sort().join()]),
  ),
  unruly('a merge function rolls dice', (values) => values[Math.floor(Math.random() * values.length)] ?? []),
  unruly('a merge function changes the values it is given', (values) =>
    values
      .map((each) => each.sort())
      .flat()
      .sort(),
  ),
]
