/** The workload as a domain: weights of (token, intent), or of a token alone, written many at a time. */
import { z } from 'zod'
import { defineDomain, Id, map } from '@rejoin/core'

export const weights = defineDomain({
  name: 'weights',
  version: 1,
  tables: {
    weights: map({ key: z.tuple([Id, Id]), value: z.number() }),
    tokens: map({ key: Id, value: z.number() }),
  },
  ops: (op) => ({
    Weighed: op(z.object({ changes: z.array(z.tuple([Id, Id, z.number()])) }), (t, o) => {
      for (const [token, intent, weight] of o.changes) t.weights.set([token, intent], weight)
    }),
    TokensWeighed: op(z.object({ changes: z.array(z.tuple([Id, z.number()])) }), (t, o) => {
      for (const [token, weight] of o.changes) t.tokens.set(token, weight)
    }),
  }),
})
