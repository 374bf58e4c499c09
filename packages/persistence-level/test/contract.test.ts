/** The contract suites, over a database in memory, over LevelDB on disk, and over a folder, which notices that it was copied. */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  hubStoreSuite,
  replicaStoreSuite,
  type OpenedHubStore,
  type OpenedReplicaStore,
} from '@rejoin/testkit'
import { describe, test } from 'vitest'
import { openHubStore, openReplicaStore } from '../src/index.ts'
import { openHubFolder, openReplicaFolder } from '../src/node.ts'
import { DiskDatabase, TestDatabase } from './databases.ts'

const shared = {
  '[St10] closing the store of one hub leaves that of the other':
    'LevelDB lets one in: two hubs of one process share the store',
}
const noFailures = {
  ...shared,
  ...Object.fromEntries(
    [
      '[St8] an append that fails is told with a code, and the log goes on',
      '[St7] [St8] a checkpoint whose outcome is unknown is there whole or not at all, and may be installed again',
      '[St5] [St8] a trim whose outcome is unknown has happened or not, and may be repeated',
      '[St8] [St9] a removal whose outcome is unknown has happened or not, and may be repeated',
      '[St8] of appends of many namespaces with a failed write among them each is there once or not at all',
      '[St4] [St8] reads beside a failed write are answered, each right before it or after it',
    ].map((name) => [name, 'a real disk does not fail on demand; the database in memory covers it']),
  ),
  '[St8] what one hub does not know of its append, the other may repeat: it happens at most once':
    'a real disk does not fail on demand; the database in memory covers it',
  '[St8] an append whose outcome is unknown may be repeated and happens at most once':
    'a real disk does not fail on demand; the database in memory covers it',
}
const noReplicaFailures = {
  '[6] a step of any kind whose write fails is there whole or not at all, and may be recorded again':
    'a real disk does not fail on demand; the database in memory covers it',
  '[6] batches and loads at once, with a failed write among them, leave whole batches only':
    'a real disk does not fail on demand; the database in memory covers it',
  '[6] after a failed write the batch is there whole or not at all, and may be recorded again':
    'a real disk does not fail on demand; the database in memory covers it',
}

describe('hub store in memory', () => {
  hubStoreSuite({ test, open: () => openHubInMemory(true), cannot: shared })
})

describe('hub store in memory, where a write that failed was not written', () => {
  hubStoreSuite({ test, open: () => openHubInMemory(false), cannot: shared })
})

describe('hub store on disk', () => {
  hubStoreSuite({ test, open: openHubOnDisk, cannot: noFailures })
})

describe('hub store in a folder', () => {
  hubStoreSuite({ test, open: openHubInFolder, cannot: noFailures })
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

describe('replica store in a folder', () => {
  replicaStoreSuite({
    test,
    open: async () => openReplicaInFolder(await mkdtemp(join(tmpdir(), 'rejoin-folder-'))),
    cannot: noReplicaFailures,
  })
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
    openBeside: () => Promise.resolve(store),
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
    openBeside: () => Promise.resolve(store),
    cleanup: () => disk.remove(),
  }
}

async function openHubInFolder(): Promise<OpenedHubStore> {
  const path = await mkdtemp(join(tmpdir(), 'rejoin-folder-'))
  let folder = await openHubFolder(path, { ballastBytes: 0 })
  return {
    store: folder.store,
    reopen: async () => {
      await folder.close()
      return (folder = await openHubFolder(path, { ballastBytes: 0 })).store
    },
    openBeside: () => Promise.resolve(folder.store),
    cleanup: async () => {
      await folder.close()
      await rm(path, { recursive: true, force: true })
    },
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
    openBeside: (namespace) => openReplicaStore(held.database, namespace),
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
    openBeside: (namespace) => openReplicaStore(disk.database, namespace),
    cleanup: () => disk.remove(),
  }
}

async function openReplicaInFolder(path: string): Promise<OpenedReplicaStore> {
  let folder = await openReplicaFolder(path, { ballastBytes: 0 })
  const store = folder.replica('support')
  return {
    store,
    reopen: async () => {
      await folder.close()
      folder = await openReplicaFolder(path, { ballastBytes: 0 })
      return folder.replica('support')
    },
    openBeside: (namespace) => {
      return Promise.resolve(folder.replica(namespace))
    },
    copied: async () => {
      const copy = `${path}-copy`
      await cp(path, copy, { recursive: true, preserveTimestamps: true })
      return await openReplicaInFolder(copy)
    },
    cleanup: async () => {
      await folder.close()
      await rm(path, { recursive: true, force: true })
    },
  }
}
