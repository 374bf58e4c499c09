import { z } from 'zod'
import { defineDomain, map } from 'rejoin'
import { checkConvergence, fc } from 'rejoin/testing'

const counters = defineDomain({
  name: 'counters',
  version: 1,
  tables: { counters: map({ key: z.string(), value: z.number(), merge: 'max' }) },
  ops: (op) => ({
    Counted: op(z.object({ id: z.string(), to: z.number() }), (t, o) => t.counters.set(o.id, o.to)),
  }),
})

const Counted = fc.record({ id: fc.constantFrom('a', 'b'), to: fc.nat({ max: 3 }) })
await checkConvergence(counters, { Counted }, { runs: 50, log: console.log })
