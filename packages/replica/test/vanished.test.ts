// Stores that vanish: under a running replica, or before it is opened.
import { SyncError, type ReplicaStore } from '@rejoin/core'
import { MapReplicaStore } from '@rejoin/testkit'
import { describe, expect, test } from 'vitest'
import type { ReplicaStatus } from '../src/index.ts'
import { listAdded, openTodo, ShakyStore, turn } from './support.ts'

const gone = new SyncError('STORE_CLOSED', 'the database was deleted')

/** One that says by itself when it is lost. */
class TellingStore extends ShakyStore implements ReplicaStore {
  tell: (error: SyncError) => void = () => {}
  readonly lost = new Promise<SyncError>((resolve) => (this.tell = resolve))
}

describe('a store that says that it is lost', () => {
  test('[4] is told at once, also where nothing waits, and is not asked again', async () => {
    const store = new TellingStore()
    const replica = await openTodo({ store })
    await replica.apply(listAdded('a')).saved
    const told: ReplicaStatus['persistence'][] = []
    replica.onStatus(({ persistence }) => told.push(persistence))
    store.tell(gone)
    await turn()
    const cause = { code: 'STORE_CLOSED', message: gone.message }
    expect(told).toEqual([{ state: 'lost', cause, count: 0 }])
    const { batches } = store
    await expect(replica.apply(listAdded('b')).saved).rejects.toBe(gone)
    expect(replica.tables.lists.size).toBe(2)
    expect(store.batches).toBe(batches)
    expect(replica.status.persistence).toEqual({ state: 'lost', cause, count: 1 })
  })

  test('[4] stays lost where it still takes what was under way', async () => {
    const store = new TellingStore()
    const replica = await openTodo({ store })
    store.slow = true
    const first = replica.apply(listAdded('a'))
    await turn()
    store.tell(gone)
    await turn()
    store.letRecord()
    await turn()
    expect(replica.outbox.map(({ stage }) => stage)).toEqual(['saved'])
    await expect(first.saved).resolves.toBe('durable')
    expect(replica.status.persistence).toMatchObject({ state: 'lost', count: 0 })
  })
})

describe('what was noted of a replica apart from its store', () => {
  const witness = { replica: 'replica-of-22-letters_', pending: 2 }

  test('tells a store that vanished from one that never was, and how many commits went with it', async () => {
    const lines: string[] = []
    const replica = await openTodo({ witness, log: (line) => lines.push(line) })
    expect(replica.status.localStateLost).toEqual(witness)
    expect(lines).toEqual([expect.stringContaining('2 commits that no hub had acknowledged went with it')])
    expect((await openTodo({})).status.localStateLost).toBe(null)
    expect((await openTodo({ witness: null })).status.localStateLost).toBe(null)
  })

  test('says nothing of a store that holds that very replica', async () => {
    const store = new MapReplicaStore()
    const { id } = await openTodo({ store })
    const again = await openTodo({ store: store.crash(), witness: { replica: id, pending: 5 } })
    expect(again.status.localStateLost).toBe(null)
  })
})
