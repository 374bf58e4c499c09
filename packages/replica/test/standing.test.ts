// Which of our commits still stands at the hub, when the newest was taken out of the outbox: what is pushed next names it.
import { SyncError } from '@rejoin/core'
import type { Replica } from '@rejoin/replica'
import { MapReplicaStore } from '@rejoin/testkit'
import { describe, expect, test } from 'vitest'
import { HubbedWorld } from './hubbed.ts'
import { asOneShot, listAdded, type Todo } from './support.ts'

function codeOf(error: unknown): string {
  return error instanceof SyncError ? error.code : String(error)
}

/** One exchange by a replica of its own, as the command does it. */
async function syncByItself(
  world: HubbedWorld,
  store: MapReplicaStore,
  work: (replica: Replica<Todo>) => Promise<unknown> | void,
): Promise<MapReplicaStore> {
  const replica = await world.open(store)
  await work(replica)
  await replica.flush()
  await world.finish(replica.syncOnce(async (signal) => asOneShot(await world.dial(signal))))
  expect(replica.status.pending).toBe(0)
  await replica.close()
  return store.crash()
}

describe('[4] [10] over one-shot channels, each in a process of its own, the outbox drains', () => {
  test('after the newest commit was withdrawn', async () => {
    const world = new HubbedWorld(1)
    let store = await syncByItself(world, new MapReplicaStore(), (replica) => {
      replica.apply(listAdded('a'))
    })
    const replica = await world.open(store)
    replica.apply(listAdded('b'))
    await replica.withdraw(2)
    await replica.close()
    store = store.crash()
    for (const id of ['c', 'd']) {
      store = await syncByItself(world, store, (each) => {
        each.apply(listAdded(id))
      })
    }
    expect((await world.log()).map(({ id }) => id.counter)).toEqual([1, 3, 4])
  })

  test('in a folder whose outbox names a commit that the hub does not have', async () => {
    const world = new HubbedWorld(1)
    let store = await syncByItself(world, new MapReplicaStore(), (replica) => {
      replica.apply(listAdded('a'))
    })
    // As a release that did not know better has left it.
    const stored = await store.load()
    const replica = await world.open(store)
    replica.apply(listAdded('b'))
    await replica.close()
    const saved = await store.load()
    store = store.crash()
    const clientId = stored?.identity.clientId ?? 0
    const wrong = (saved?.outbox ?? []).map((commit) => ({ ...commit, prev: 7 }))
    await store.record([{ kind: 'recommit', clientId, outbox: wrong, rejected: [] }])
    store = await syncByItself(world, store, () => {})
    await syncByItself(world, store, (each) => {
      each.apply(listAdded('c'))
    })
    expect((await world.log()).map(({ id }) => id.counter)).toEqual([1, 2, 3])
  })
})

test.each(['snapshot', 'rebuild'])(
  '[3] [4] a twin is still told after the commit under the hub’s mark was withdrawn here: %s',
  async (path) => {
    const world = new HubbedWorld(1)
    const store = new MapReplicaStore()
    const original = await world.open(store)
    const twin = await world.open(store.copy())
    twin.apply(listAdded('y1'))
    twin.apply(listAdded('y2'))
    await world.sync(twin)
    const acked = original.apply(listAdded('x1')).acked.then(
      () => 'acked',
      () => 'not acked',
    )
    original.apply(listAdded('x2')).acked.catch(() => {})
    expect(await world.finish(original.syncOnce()).catch(codeOf)).toBe('REPLICA_TAKEN')
    await original.withdraw(2)
    if (path === 'rebuild') await world.rebuild()
    else await world.checkpoint()
    expect(await world.finish(original.syncOnce()).catch(codeOf)).toBe('REPLICA_TAKEN')
    expect(original.status.pending).toBe(1)
    const disk = store.crash()
    const again = await world.open(disk)
    expect(await world.finish(again.syncOnce()).catch(codeOf)).toBe('REPLICA_TAKEN')
    expect(again.tables.lists.has('x1')).toBe(true)
    await original.close().catch(() => {})
    expect(await acked).toBe('not acked')
  },
)
