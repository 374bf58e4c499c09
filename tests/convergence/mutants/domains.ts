/** Bugs of domains, as their authors may plant them. */
import fc from 'fast-check'
import { z } from 'zod'
import { defineDomain, map } from '@rejoin/core'
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

let ticks = 0
const text = fc.constantFrom('one', 'two')

export const domainMutants: readonly Mutant[] = [
  {
    name: 'a writer reads the time',
    foundBy: [2],
    domain: { domain: notes(() => ++ticks), ops: { Noted: fc.record({ id, text }) } },
  },
  {
    name: 'a writer counts on from what is there',
    foundBy: [2],
    domain: { domain: counters, ops: { Counted: fc.record({ id }) } },
  },
  {
    name: 'a merge function depends on the order of its values',
    foundBy: [1],
    domain: { domain: votes, ops: { Voted: fc.record({ id, for: text }) } },
  },
]
