/** What waits shares one synced batch; what fails is told apart; nothing of the database's own errors gets out. */
import { describe, expect, test } from 'vitest'
import { openHubStore, openReplicaStore } from '../src/index.ts'
import { aroundBatches, TestDatabase } from './databases.ts'

const bytes = (...values: number[]) => new Uint8Array(values)

describe('group commit', () => {
  test('[St1] 64 appends of 64 namespaces at once take at most 3 batches, all of them synced', async () => {
    const held = new TestDatabase()
    const store = await openHubStore(held.database, { incarnation: 'x' })
    held.batches = 0
    const results = await Promise.all(
      Array.from({ length: 64 }, (_, i) => store.append(`room-${i}`, 0, bytes(i))),
    )
    expect(results.every(({ kind }) => kind === 'appended')).toBe(true)
    expect(held.batches).toBeLessThanOrEqual(3)
    expect(held.synced.every(Boolean)).toBe(true)
  })

  test('[St1] appends that arrive during a write share the next one', async () => {
    const held = new TestDatabase()
    const store = await openHubStore(held.database, { incarnation: 'x' })
    held.batches = 0
    const later: Promise<unknown>[] = []
    aroundBatches(held.database, async (write) => {
      if (later.length === 0) for (let i = 0; i < 20; i++) later.push(store.append(`late-${i}`, 0, bytes(i)))
      await write()
    })
    await store.append('early', 0, bytes(1))
    await Promise.all(later)
    expect(held.batches).toBe(2)
  })

  test('[St1] nobody is answered before the batch is written', async () => {
    const held = new TestDatabase()
    const store = await openHubStore(held.database, { incarnation: 'x' })
    const order: string[] = []
    aroundBatches(held.database, async (write) => {
      await write()
      order.push('written')
    })
    const appending = store.append('support', 0, bytes(1)).then(() => order.push('answered'))
    const refused = store.append('support', 7, bytes(1)).then(() => order.push('answered'))
    await Promise.all([appending, refused])
    expect(order).toEqual(['written', 'answered', 'answered'])
  })

  test('[St8] when a batch fails everyone in it is told, and the store goes on from what is there', async () => {
    for (const written of [true, false]) {
      const held = new TestDatabase()
      const store = await openHubStore(held.database, { incarnation: 'x' })
      await store.append('known', 0, bytes(1))
      const appendAll = () => [store.append('known', 1, bytes(2)), store.append('new', 0, bytes(3))]
      held.failNextBatch(new Error('IO error: input/output error'), written)
      for (const outcome of await Promise.allSettled(appendAll())) {
        expect(outcome).toMatchObject({
          status: 'rejected',
          reason: { code: 'STORE_UNAVAILABLE', retryable: true },
        })
      }
      const again = await Promise.all(appendAll())
      expect(again.map(({ kind }) => kind)).toEqual(written ? ['moved', 'moved'] : ['appended', 'appended'])
      await store.append('later', 0, bytes(4))
      await store.close()
      const reopened = await openHubStore(held.database, { incarnation: 'x' })
      expect(await reopened.heads(['known', 'new'])).toEqual(
        new Map([
          ['known', { floor: 0, head: 2 }],
          ['new', { floor: 0, head: 1 }],
        ]),
      )
    }
  })

  test('[St10] closing writes and answers what was asked for before', async () => {
    const held = new TestDatabase()
    const store = await openHubStore(held.database, { incarnation: 'x' })
    const appends = Array.from({ length: 10 }, (_, i) => store.append(`room-${i}`, 0, bytes(i)))
    await store.close()
    expect((await Promise.all(appends)).every(({ kind }) => kind === 'appended')).toBe(true)
  })

  test('a replica writes one synced batch for all steps of a call', async () => {
    const held = new TestDatabase()
    const store = await openReplicaStore(held.database, 'support')
    const identity = { replica: 'replica-of-22-letters_', clientId: 7, domain: 'todo', domainVersion: 1 }
    const cursor = { epoch: 5, seq: 3, tag: '00000000000000aa' }
    await store.record([
      { kind: 'create', identity },
      { kind: 'snapshot', snapshot: bytes(1), cursor, hlc: null },
      { kind: 'remote', updates: [bytes(2), bytes(3)], settled: [], cursor, hlc: null },
    ])
    expect(held.batches).toBe(1)
    expect(held.synced).toEqual([true])
    await store.record([])
    await store.load()
    expect(held.batches).toBe(1)
  })
})

describe('errors of the database', () => {
  test.each([
    ['STORE_FULL', new Error('IO error: /data/000005.log: No space left on device')],
    [
      'STORE_FULL',
      Object.assign(new Error('failed'), { cause: new Error('ENOSPC: no space left on device, write') }),
    ],
    ['STORE_FULL', Object.assign(new Error('The quota has been exceeded.'), { name: 'QuotaExceededError' })],
    ['STORE_CORRUPT', Object.assign(new Error('Corruption: bad block'), { code: 'LEVEL_CORRUPTION' })],
    ['STORE_LOCKED', Object.assign(new Error('lock'), { code: 'LEVEL_LOCKED' })],
    ['STORE_CLOSED', Object.assign(new Error('not open'), { code: 'LEVEL_DATABASE_NOT_OPEN' })],
    ['STORE_UNAVAILABLE', Object.assign(new Error('IO error'), { code: 'LEVEL_IO_ERROR' })],
    ['STORE_UNAVAILABLE', 'not even an error'],
  ])('come out as %s: %s', async (code, thrown) => {
    const held = new TestDatabase()
    const store = await openHubStore(held.database, { incarnation: 'x' })
    // A database may throw anything.
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors
    aroundBatches(held.database, () => Promise.reject(thrown))
    await expect(store.append('support', 0, bytes(1))).rejects.toMatchObject({ name: 'SyncError', code })
  })

  test('a store is open once on a database, and a namespace once', async () => {
    const held = new TestDatabase()
    const hub = await openHubStore(held.database, { incarnation: 'x' })
    const replica = await openReplicaStore(held.database, 'support')
    await expect(openHubStore(held.database, { incarnation: 'y' })).rejects.toMatchObject({
      code: 'STORE_LOCKED',
    })
    await expect(openReplicaStore(held.database, 'support')).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    await openReplicaStore(held.database, 'sales')
    await replica.close()
    await openReplicaStore(held.database, 'support')
    await hub.close()
    expect((await openHubStore(held.database, { incarnation: 'y' })).incarnation).toBe('x')
  })
})
