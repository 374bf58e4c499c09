import { yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, openHub } from '@rejoin/hub'
import { MapHubStore, MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { memoryDial } from '@rejoin/transport'
import { expect, test } from 'vitest'
import { finished, itemSet, listAdded, openTodo, todo } from './support.ts'

test('[25] [26] a hub that was healed by the original goes on with a copy that holds the same commit', async () => {
  const clock = new VirtualClock(3)
  const hubOf = (store: MapHubStore) => openHub({ store, updates: yjsCrdt.updates, domains: [todo], clock })
  const store = new MapHubStore()
  let hub = hubOf(store)
  const dial = (signal: AbortSignal) =>
    memoryDial({ clock, accept: (channel) => void hub.accept(channel, anyone) }).dial(signal)
  const disk = new MapReplicaStore()
  const original = await openTodo({ clock, store: disk, dial, live: false })
  original.apply(listAdded('a'))
  await finished(clock, original.syncOnce())
  const backup = store.copy()
  clock.advance(10)
  await original.apply(itemSet('a', 'shared')).saved
  const copy = await openTodo({ clock, store: disk.noticedCopy(), dial, live: false })
  await finished(clock, original.syncOnce())
  const other = await openTodo({ clock, store: new MapReplicaStore(), dial, live: false })
  await finished(clock, other.syncOnce())
  clock.advance(10)
  other.apply(itemSet('a', 'other'))
  await finished(clock, other.syncOnce())
  await finished(clock, original.syncOnce())
  hub = hubOf(backup)
  expect((await finished(clock, original.syncOnce())).path).toBe('heal')
  await finished(clock, copy.syncOnce())
  expect(copy.status).toMatchObject({ pending: 0, lastError: null })
})
