// A refused commit that its author gave up is not proof of anything: the replica goes on after it.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineDomain, map } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, openHub, readLog } from '@rejoin/hub'
import { openReplica } from '@rejoin/replica'
import { MapHubStore, MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { memoryDial } from '@rejoin/transport'

function notes(charsMax: number) {
  return defineDomain({
    name: 'notes',
    version: 1,
    tables: { notes: map({ key: z.string(), value: z.string().max(charsMax) }) },
    ops: (op) => ({
      Noted: op(z.object({ id: z.string(), text: z.string() }), (t, o) => t.notes.set(o.id, o.text)),
    }),
  })
}

test('[6] [11] a replica whose last commit was refused and discarded goes on after it was reopened', async () => {
  const clock = new VirtualClock(1)
  const hubStore = new MapHubStore()
  const hub = openHub({ store: hubStore, updates: yjsCrdt.updates, domains: [notes(10)], clock })
  const { dial } = memoryDial({ clock, accept: (channel) => void hub.accept(channel, anyone) })
  const open = (store: MapReplicaStore) =>
    openReplica({ domain: notes(100), namespace: 'n', store, crdt: yjsCrdt, clock, dial, live: false })
  const store = new MapReplicaStore()

  const replica = await open(store)
  replica.apply({ type: 'Noted', id: 'a', text: 'short' })
  await replica.syncOnce()
  replica.apply({ type: 'Noted', id: 'b', text: 'longer than the hub lets through' })
  await replica.syncOnce()
  expect(replica.rejected.map(({ code }) => code)).toEqual(['ENTRY_INVALID'])
  expect(replica.tables.notes.has('b')).toBe(false)
  await replica.discard(2)
  await replica.close()

  const again = await open(store.crash())
  again.apply({ type: 'Noted', id: 'c', text: 'fine' })
  expect(await again.syncOnce()).toMatchObject({ pushed: 1 })
  expect(again.status).toMatchObject({ pending: 0, lastError: null, ackedCounter: 3 })
  const logged = []
  for await (const { id } of readLog(hubStore, 'n')) logged.push(id.counter)
  expect(logged).toEqual([1, 3])
  await again.close()
  await hub.close()
})
