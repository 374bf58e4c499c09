// Who may do what where: roles, operations and namespaces, by WebSocket and by HTTP, against a real hub.
import { expect, test } from 'vitest'
import { intents, SyncError, type Client } from 'rejoin'
import { idsIn, withWorld, write, type IntentsReplica } from './world.ts'

/** What a role comes to in a namespace: what reading and what writing end with. */
type Outcome = 'done' | 'FORBIDDEN' | 'UNAUTHENTICATED' | 'SIGN_IN_EXPIRED'

interface Role {
  /** What it shows, given its key; its key where left out. */
  readonly token?: (key: string) => string | undefined
  /** Of its key. */
  readonly scope?: string
  /** By namespace: reading, writing. */
  readonly may: Readonly<Record<string, readonly [Outcome, Outcome]>>
}

const everywhere = (read: Outcome, wrote: Outcome): Role['may'] => ({
  'support-1': [read, wrote],
  sales: [read, wrote],
  'not-there': [read, wrote],
})
const supportAlone = (read: Outcome, wrote: Outcome): Role['may'] => ({
  ...everywhere('FORBIDDEN', 'FORBIDDEN'),
  'support-1': [read, wrote],
})
const unknown = everywhere('UNAUTHENTICATED', 'UNAUTHENTICATED')

const zeros = '0'.repeat(64)
const roles: Readonly<Record<string, Role>> = {
  nobody: { token: () => undefined, may: unknown },
  'a stranger': { token: () => `rj_who_${zeros}`, may: unknown },
  'the name of another with a guess': { token: () => `rj_operator_${zeros}`, may: unknown },
  'a key cut short': { token: (key) => key.slice(0, -1), may: unknown },
  'a token where keys are asked for': { token: () => 'eyJhbGciOiJub25lIn0.e30.', may: unknown },
  'a reader of everything': { scope: 'read', may: everywhere('done', 'FORBIDDEN') },
  'a reader of support': { scope: 'read:support-*', may: supportAlone('done', 'FORBIDDEN') },
  'a writer of support': { scope: 'write:support-*', may: supportAlone('done', 'done') },
  'a reader of everything who writes support': {
    scope: 'read,write:support-*',
    may: { ...everywhere('done', 'FORBIDDEN'), 'support-1': ['done', 'done'] },
  },
  'a writer of everything': { scope: 'write', may: everywhere('done', 'done') },
  'an operator': { scope: 'admin', may: everywhere('done', 'done') },
}

const existing = ['support-1', 'sales']

for (const transport of ['HTTP', 'WebSocket'] as const) {
  test.each(Object.entries(roles))(
    `by ${transport}: %s`,
    async (_, { token = (key) => key, scope = 'admin', may }) => {
      await withWorld(
        async ({ keys, client: open }) => {
          const operator = await open(keys.get('operator'))
          const authors = new Map<string, IntentsReplica>()
          for (const namespace of existing) {
            const replica = await operator.open(intents, namespace, { live: false })
            write(replica, 'first')
            await replica.syncOnce(operator.dialOnce ?? undefined)
            authors.set(namespace, replica)
          }
          const client = await open(token(keys.get('role') ?? ''))
          const outcomes: Record<string, readonly [Outcome, Outcome]> = {}
          for (const namespace of Object.keys(may)) {
            const replica = await client.open(intents, namespace, { live: false })
            const read = await exchange(transport, client, replica)
            expect(idsIn(replica)).toEqual(read === 'done' && existing.includes(namespace) ? ['first'] : [])
            write(replica, 'second')
            const wrote = await exchange(transport, client, replica)
            const rejected = replica.rejected.map(({ code }) => code)
            outcomes[namespace] = [read, rejected.includes('FORBIDDEN') ? 'FORBIDDEN' : wrote]
            // Nothing that was not allowed is anywhere.
            const author = authors.get(namespace)
            if (author === undefined) continue
            await author.syncOnce(operator.dialOnce ?? undefined)
            expect(idsIn(author)).toEqual(may[namespace]?.[1] === 'done' ? ['first', 'second'] : ['first'])
          }
          expect(outcomes).toEqual(may)
        },
        { scopes: { role: scope } },
      )
    },
  )
}

async function exchange(
  transport: 'HTTP' | 'WebSocket',
  client: Client,
  replica: IntentsReplica,
): Promise<Outcome> {
  try {
    await replica.syncOnce(transport === 'HTTP' ? (client.dialOnce ?? undefined) : undefined)
    return 'done'
  } catch (error) {
    if (!(error instanceof SyncError)) throw error
    return error.code as Outcome
  }
}
