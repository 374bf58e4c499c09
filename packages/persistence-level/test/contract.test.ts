/** The contract suites, over a database in memory and over LevelDB on disk. */
import {
  hubStoreSuite,
  replicaStoreSuite,
  type OpenedHubStore,
  type OpenedReplicaStore,
} from '@rejoin/testkit'
import { describe, test } from 'vitest'
import { openHubStore, openReplicaStore } from '../src/index.ts'
import { DiskDatabase, TestDatabase } from './databases.ts'

const noFailures = {
  '[St8] an append whose outcome is unknown may be repeated and happens at most once':
    'a real disk does not fail on demand; the database in memory covers it',
}
const noReplicaFailures = {
  '[6] after a failed write the batch is there whole or not at all, and may be recorded again':
    'a real disk does not fail on demand; the database in memory covers it',
}

describe('hub store in memory', () => {
  hubStoreSuite({ test, open: () => openHubInMemory(true) })
})

describe('hub store in memory, where a write that failed was not written', () => {
  hubStoreSuite({ test, open: () => openHubInMemory(false) })
})

describe('hub store on disk', () => {
  hubStoreSuite({ test, open: openHubOnDisk, cannot: noFailures })
})

describe('replica store in memory', () => {
  replicaStoreSuite({ test, open: () => openReplicaInMemory(true) })
})

describe('replica store in memory, where a write that failed was not written', () => {
  replicaStoreSuite({ test, open: () => openReplicaInMemory(false) })
})

describe('replica store on disk', () => {
  replicaStoreSuite({ test, open: openReplicaOnDisk, cannot: noReplicaFailures })
})

async function openHubInMemory(written: boolean): Promise<OpenedHubStore> {
  const held = new TestDatabase()
  let store = await openHubStore(held.database, { incarnation: 'first' })
  return {
    store,
    reopen: async () => {
      await store.close()
      return (store = await openHubStore(held.database, { incarnation: 'second' }))
    },
    failNextWrite: () => held.failNextBatch(new Error('IO error: input/output error'), written),
    cleanup: () => store.close(),
  }
}

async function openHubOnDisk(): Promise<OpenedHubStore> {
  const disk = await DiskDatabase.make()
  let store = await openHubStore(disk.database, { incarnation: 'first' })
  return {
    store,
    reopen: async () => {
      await store.close()
      return (store = await openHubStore(await disk.reopen(), { incarnation: 'second' }))
    },
    cleanup: () => disk.remove(),
  }
}

async function openReplicaInMemory(written: boolean): Promise<OpenedReplicaStore> {
  const held = new TestDatabase()
  let store = await openReplicaStore(held.database, 'support')
  return {
    store,
    reopen: async () => {
      await store.close()
      return (store = await openReplicaStore(held.database, 'support'))
    },
    failNextWrite: () => held.failNextBatch(new Error('IO error: input/output error'), written),
    cleanup: () => store.close(),
  }
}

async function openReplicaOnDisk(): Promise<OpenedReplicaStore> {
  const disk = await DiskDatabase.make()
  let store = await openReplicaStore(disk.database, 'support')
  return {
    store,
    reopen: async () => {
      await store.close()
      return (store = await openReplicaStore(await disk.reopen(), 'support'))
    },
    cleanup: () => disk.remove(),
  }
}
