/**
 * Folders of a hub and of a replica that has all of it, made by the real thing: what a repair is tried on. Four namespaces,
 * one of each kind of log, one that nothing is done to, and one that was deleted.
 */
import path from 'node:path'
import { intents, openClient, startHub, verifyFolder, type Replica } from 'rejoin'
import { openHubFolder } from '@rejoin/persistence-level/node'
import { keysIn } from '../../support/strike.ts'
import { until } from '../../support/until.ts'

/** `folded`: two checkpoints, trimmed past the first. `covered`: one, and a log whole from its beginning. */
export const layouts = ['folded', 'covered', 'bare', 'single'] as const
export type Layout = (typeof layouts)[number]
export const bystander = 'bystander'
export const deleted = 'deleted'

export interface RepairWorld {
  readonly hub: string
  /** Has everything, and nothing waits in it. */
  readonly laptop: string
  /** Digest of each namespace's content. */
  readonly digests: ReadonlyMap<string, string | null>
  /** Keys of the parts of the checkpoint of `folded` that another one took the place of. */
  readonly superseded: readonly string[]
}

type IntentsReplica = Replica<typeof intents>

export async function makeRepairWorld(folder: string): Promise<RepairWorld> {
  const [hub, laptop] = [path.join(folder, 'hub'), path.join(folder, 'laptop')]
  const commits: readonly (readonly [string, number])[] = [
    ['folded', 5],
    ['covered', 6],
    ['bare', 6],
    ['single', 1],
    [bystander, 3],
    [deleted, 2],
  ]
  for (const [namespace, count] of commits)
    await withReplica(hub, laptop, namespace, async (replica) => {
      await replica.apply({ type: 'IntentAdded', id: 'a', phrasesByLang: {} }).acked
      for (let i = 1; i < count; i++) await replica.apply(phrase(`${namespace} ${i}`)).acked
      await until('nothing waits', () => replica.status.pending === 0)
    })
  await withHub(hub, 1_000, async (_, running) => {
    await running.checkpoint('folded')
    await running.checkpoint('covered')
  })
  await remove(hub, deleted)
  await withReplica(
    hub,
    laptop,
    'folded',
    async (replica, running) => {
      for (let i = 0; i < 5; i++) await replica.apply(phrase(`folded again ${i}`)).acked
      await until('nothing waits', () => replica.status.pending === 0)
      await running.checkpoint('folded')
    },
    3,
  )
  await withReplica(hub, laptop, 'folded', async (replica) => {
    for (let i = 0; i < 2; i++) await replica.apply(phrase(`folded last ${i}`)).acked
    await until('nothing waits', () => replica.status.pending === 0)
  })
  const [marks, snapshot] = [
    await keysIn(hub, 'hub!marks!folded!'),
    await keysIn(hub, 'hub!snapshot!folded!'),
  ]
  const superseded = [marks[0], snapshot[0]].filter((key) => key !== undefined)
  return { hub, laptop, digests: await digestsOf(hub), superseded }
}

export async function digestsOf(data: string): Promise<ReadonlyMap<string, string | null>> {
  const { namespaces } = await verifyFolder(data)
  return new Map(namespaces.map(({ namespace, digest }) => [namespace, digest]))
}

async function remove(hub: string, namespace: string): Promise<void> {
  const folder = await openHubFolder(hub)
  try {
    await folder.store.remove(namespace)
  } finally {
    await folder.close()
  }
}

/** Syncs one replica with a hub that serves the folder for that long. */
export async function heal(hub: string, laptop: string, namespace: string): Promise<string | null> {
  let error: string | null = null
  await withReplica(hub, laptop, namespace, async (replica) => {
    await replica.syncOnce()
    await replica.syncOnce()
    const { pending, lastError } = replica.status
    if (pending > 0 || lastError !== null) error = `${pending} wait, ${lastError?.message ?? ''}`
  })
  return error
}

async function withReplica(
  hub: string,
  laptop: string,
  namespace: string,
  use: (replica: IntentsReplica, running: Running) => Promise<void>,
  commits = 1_000,
): Promise<void> {
  await withHub(hub, commits, async (url, running) => {
    const client = await openClient({ data: laptop, hub: url })
    try {
      await use(await client.open(intents, namespace), running)
    } finally {
      await client.close()
    }
  })
}

type Running = Awaited<ReturnType<typeof startHub>>

async function withHub(
  data: string,
  commits: number,
  use: (url: string, hub: Running) => Promise<void>,
): Promise<void> {
  const hub = await startHub({ data, domains: [intents], port: 0, retention: { commits } })
  try {
    await use(hub.url, hub)
  } finally {
    await hub.close()
  }
}

function phrase(text: string) {
  return { type: 'PhraseAdded', intentId: 'a', phrase: text, lang: 'en' } as const
}
