// The contract of a replica's store, over IndexedDB in a real Chromium: the suite runs here, the store in the page.
import type { Namespace, ReplicaStore } from '@rejoin/core'
import { replicaStoreSuite, type OpenedReplicaStore } from '@rejoin/testkit'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { program } from './suite.ts'
import { Tab } from './tab.ts'
import { openBrowserWorld, type BrowserWorld } from './world.ts'

describe.skipIf(program === null)('replica store in a browser', () => {
  let world: BrowserWorld
  let tab: Tab
  let databases = 0
  beforeAll(async () => {
    world = await openBrowserWorld()
    tab = await Tab.open(world.chromium.context, world.server.origin)
  })
  afterAll(async () => {
    await world.close()
    if (tab.uncaught.length > 0) throw new Error(`nobody caught ${tab.uncaught.join(', ')}`)
  })

  replicaStoreSuite({
    test,
    cannot: {
      '[St9] a storage with ten thousand namespaces keeps them apart':
        'ten thousand calls into a page take a minute; keys and ranges are those of the other databases',
    },
    open: async (): Promise<OpenedReplicaStore> => {
      const database = `contract-${(databases += 1)}`
      return {
        store: await openStore(database, 'support'),
        reopen: async () => {
          await tab.call('closeDatabase', database)
          return await openStore(database, 'support')
        },
        openBeside: (namespace) => openStore(database, namespace),
        failNextWrite: () => void tab.call('failNextWrite'),
        cleanup: () => tab.call('closeDatabase', database),
      }
    },
  })

  async function openStore(database: string, namespace: Namespace): Promise<ReplicaStore> {
    const store = await tab.call('openStore', database, namespace)
    return {
      durability: 'durable',
      load: () => tab.call('loadStore', store),
      record: (steps) => tab.call('recordInStore', store, steps),
      close: () => tab.call('closeStore', store),
    }
  }
})
