// The clock of the machine steps across restarts, over folders on a real disk: what was written stays, and newer words win.
import path from 'node:path'
import { expect, test } from 'vitest'
import type { Clock } from '@rejoin/core'
import { digestOf, yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, openHub, verifyNamespace } from '@rejoin/hub'
import { openHubFolder, openReplicaFolder } from '@rejoin/persistence-level/node'
import { openReplica, type Replica } from '@rejoin/replica'
import { memoryDial } from '@rejoin/transport'
import { intents, systemClock } from 'rejoin'
import { withFolder } from '../support/command.ts'

const hourMs = 60 * 60 * 1000
const yearMs = 365 * 24 * hourMs
const start = Date.UTC(2026, 5, 1)

test('[1] [3] [4] a clock that steps back an hour or ahead a year, for all, between restarts loses and reorders nothing', async () => {
  await withFolder(async (folder) => {
    const names: string[] = []
    // Back again from the year ahead: the stamps in the folders are newer than the clock by far.
    for (const now of [start, start - hourMs, start + hourMs, start + yearMs, start + yearMs - hourMs]) {
      await day(folder, { hub: now, ada: now, bob: now }, async ({ ada, bob, sync }) => {
        for (const [name, replica] of Object.entries({ ada, bob })) {
          names.push(`${name} at ${now}`)
          await rename(replica, names.at(-1) ?? '')
          await sync()
          expect([nameOf(ada), nameOf(bob)]).toEqual([names.at(-1), names.at(-1)])
        }
        expect([ada.status.pending, bob.status.pending]).toEqual([0, 0])
        expect([ada.conflicts(), bob.conflicts()]).toEqual([[], []])
        expect(digestOf(ada.registers)).toBe(digestOf(bob.registers))
      })
    }
    expect(await commitsLogged(folder)).toBe(names.length)
  })
})

test('[4] [10] one replica a year ahead is told so and keeps what it wrote, first waiting, then rejected; nobody is held up', async () => {
  await withFolder(async (folder) => {
    await day(folder, { hub: start, ada: start, bob: start }, async ({ ada, sync }) => {
      await rename(ada, 'before')
      await sync()
    })
    // Its commit waits for its time to come, or for the clock to be set right.
    await day(folder, { hub: start, ada: start + yearMs, bob: start }, async ({ ada, bob, sync }) => {
      await rename(ada, 'from the future')
      await expect(sync()).rejects.toMatchObject({ code: 'HLC_AHEAD' })
      await bob.syncOnce()
      await describe(bob, 'by bob')
      await bob.syncOnce()
      await expect(ada.syncOnce()).rejects.toMatchObject({ code: 'HLC_AHEAD' })
      expect([nameOf(bob), bob.status.pending]).toEqual(['before', 0])
      expect([nameOf(ada), ada.status.pending, ada.rejected.length]).toEqual(['from the future', 1, 0])
      expect(ada.tables.namespace.get()?.description).toBe('by bob')
    })
    // The clock is right again; the folder's newest stamp is not, so what is written in it is ahead as well.
    const later = start + hourMs
    await day(folder, { hub: later, ada: later, bob: later }, async ({ ada, bob, sync }) => {
      await sync()
      await rename(ada, 'once more')
      await sync()
      expect(ada.rejected.map(({ code }) => code)).toEqual(['HLC_AHEAD', 'HLC_AHEAD'])
      expect([nameOf(ada), nameOf(bob)]).toEqual(['before', 'before'])
      expect(digestOf(ada.registers)).toBe(digestOf(bob.registers))
    })
  })
})

type Intents = Replica<typeof intents>
type Who = 'hub' | 'ada' | 'bob'

interface World {
  readonly ada: Intents
  readonly bob: Intents
  /** Both exchange until neither has anything left to hear. A replica whose commits are refused has exchanged as well. */
  readonly sync: () => Promise<void>
}

/** Everybody is started over the folders that are there, each with a clock of its own, and stopped in order. */
async function day(
  folder: string,
  nows: Readonly<Record<Who, number>>,
  use: (world: World) => Promise<void>,
): Promise<void> {
  const hubFolder = await openHubFolder(path.join(folder, 'hub'))
  const hub = openHub({
    store: hubFolder.store,
    updates: yjsCrdt.updates,
    domains: [intents],
    clock: clockAt(nows.hub),
  })
  const wire = memoryDial({
    clock: systemClock,
    accept: (channel) => void hub.accept(channel, anyone),
  })
  const replicaFolders = await Promise.all(
    (['ada', 'bob'] as const).map(async (who) => ({
      who,
      folder: await openReplicaFolder(path.join(folder, who)),
    })),
  )
  try {
    const [ada, bob] = await Promise.all(
      replicaFolders.map(({ who, folder: own }) =>
        openReplica({
          domain: intents,
          namespace: 'support',
          store: own.replica('support'),
          crdt: yjsCrdt,
          clock: clockAt(nows[who]),
          dial: (signal) => wire.dial(signal),
          live: false,
        }),
      ),
    )
    if (ada === undefined || bob === undefined) throw new Error('there are two')
    const sync = async (): Promise<void> => {
      for (const replica of [ada, bob, ada, bob]) await replica.syncOnce()
    }
    await use({ ada, bob, sync })
    await Promise.all([ada.close(), bob.close()])
  } finally {
    await hub.close()
    for (const { folder: own } of replicaFolders) await own.close()
    await hubFolder.close()
  }
}

/** Stands still; only waiting takes real time. */
function clockAt(now: number): Clock {
  return { ...systemClock, now: () => now }
}

async function rename(replica: Intents, name: string): Promise<void> {
  const receipt = replica.apply({ type: 'NamespaceMetadataUpdated', edit: { name } })
  receipt.acked.catch(() => {})
  await receipt.saved
}

async function describe(replica: Intents, description: string): Promise<void> {
  await replica.apply({ type: 'NamespaceMetadataUpdated', edit: { description } }).saved
}

function nameOf({ tables }: Intents): string | undefined {
  return tables.namespace.get()?.name
}

async function commitsLogged(folder: string): Promise<number> {
  const hubFolder = await openHubFolder(path.join(folder, 'hub'))
  try {
    const { faults, commits } = await verifyNamespace(hubFolder.store, yjsCrdt.updates, 'support')
    expect(faults).toEqual([])
    return commits
  } finally {
    await hubFolder.close()
  }
}
