// A live replica whose sign-in ends: what was acknowledged stays, nothing more is taken or given, and with a fresh token it
// goes on by itself; with none it stops and says so.
import { expect, test } from 'vitest'
import { intents, SyncError, tokenOf, type Authenticate, type Principal, type ReplicaStatus } from 'rejoin'
import { until } from '../support/until.ts'
import { idsIn, withWorld, write, type IntentsReplica } from './world.ts'

const noTime = { expiresAt: null, revoked: new AbortController().signal }

function principal(id: string, given: Partial<Principal> = {}): Principal {
  const always = () => true
  return { id, name: id, ...noTime, canRead: always, canWrite: always, canAdmin: () => false, ...given }
}

function statesOf(replica: IntentsReplica): ReplicaStatus['state'][] {
  const states = [replica.status.state]
  replica.onStatus(() => states.push(replica.status.state))
  return states
}

test('[5] it ends amid commits under way: none is taken after, a fresh token brings the rest, each once', async () => {
  // Each sign-in ends with the fifth commit that it brings, while more are under way.
  let [signIns, taken, after] = [0, 0, 0]
  const authenticate: Authenticate<Principal> = ({ headers }) => {
    if (tokenOf(headers) !== `token-${signIns}`) return null
    signIns++
    const end = new AbortController()
    let count = 0
    const canWrite = (): boolean => {
      if (end.signal.aborted) after++
      taken++
      if (++count === 5) end.abort(new SyncError('SIGN_IN_EXPIRED', 'the token has expired'))
      return true
    }
    return principal('writer', { revoked: end.signal, canWrite })
  }
  await withWorld(
    async ({ client: open }) => {
      const replica = await (await open(() => `token-${signIns}`)).open(intents, 'support')
      const ids = Array.from({ length: 60 }, (_, i) => `intent-${i}`).toSorted()
      await Promise.all(ids.map((id) => write(replica, id).acked))
      expect(replica.status).toMatchObject({ pending: 0, rejected: 0 })
      expect(after).toBe(0)
      expect(signIns).toBeGreaterThan(5)
      expect(taken).toBeGreaterThanOrEqual(ids.length)
      const other = await (await open(() => `token-${signIns}`)).open(intents, 'support', { live: false })
      const { pulled } = await other.syncOnce()
      expect([pulled, idsIn(other)]).toEqual([ids.length, ids])
    },
    { authenticate },
  )
})

test('a revoked key ends the live session within seconds; what was acknowledged stays, what comes later is kept here', async () => {
  await withWorld(
    async ({ hubFolder, keys, client: open, rejoin }) => {
      const reader = await (await open(keys.get('reader'))).open(intents, 'support')
      const writer = await (await open(keys.get('writer'))).open(intents, 'support')
      await write(writer, 'before').acked
      await until('the reader has it', () => idsIn(reader).length === 1)
      for (const name of ['reader', 'writer'])
        await rejoin('keys', 'revoke', '--data', hubFolder, '--name', name)
      await until(
        'both are told',
        () => [reader, writer].every(({ status }) => status.state === 'refused'),
        5_000,
      )
      for (const { status } of [reader, writer])
        expect(status.lastError).toMatchObject({ code: 'UNAUTHENTICATED' })
      const late = write(writer, 'after')
      await late.saved
      expect(writer.status).toMatchObject({ state: 'refused', pending: 1 })
      const operator = await (await open(keys.get('operator'))).open(intents, 'support', { live: false })
      await operator.syncOnce()
      write(operator, 'secret')
      await operator.syncOnce()
      expect(idsIn(operator)).toEqual(['before', 'secret'])
      expect(idsIn(reader)).toEqual(['before'])
    },
    { scopes: { reader: 'read', writer: 'write' } },
  )
})

test('whoever is not let in stops and says why; told to, it tries once more', async () => {
  let asked = 0
  let good = false
  await withWorld(
    async ({ client: open }) => {
      const replica = await (await open('any')).open(intents, 'support')
      const states = statesOf(replica)
      await until('it was refused', () => replica.status.state === 'refused')
      expect(replica.status.lastError).toMatchObject({ code: 'UNAUTHENTICATED' })
      expect([asked, states.filter((state) => state === 'refused').length]).toEqual([1, 1])
      good = true
      replica.connect()
      await write(replica, 'a').acked
    },
    {
      authenticate: () => {
        asked++
        return good ? principal('ada') : null
      },
    },
  )
})

test('a hub that cannot find out who is asking is asked again', async () => {
  let asked = 0
  await withWorld(
    async ({ client: open }) => {
      const replica = await (await open('any')).open(intents, 'support')
      await write(replica, 'a').acked
      expect(asked).toBeGreaterThan(2)
    },
    {
      authenticate: () => {
        if (++asked <= 2) throw new SyncError('SIGN_IN_UNAVAILABLE', 'the directory is away')
        return principal('ada')
      },
    },
  )
})

test('[4] commits above the rate stay in the outbox, come when they may, and each once', async () => {
  await withWorld(
    async ({ keys, client: open }) => {
      const replica = await (await open(keys.get('operator'))).open(intents, 'support')
      const ids = Array.from({ length: 40 }, (_, i) => `intent-${i}`).toSorted()
      await Promise.all(ids.map((id) => write(replica, id).acked))
      expect(replica.rejected).toEqual([])
      const other = await (await open(keys.get('reader'))).open(intents, 'support', { live: false })
      await other.syncOnce()
      expect(idsIn(other)).toEqual(ids)
    },
    { scopes: { reader: 'read' }, peerLimits: { commits: { perSecond: 50, burst: 5 } } },
  )
})
