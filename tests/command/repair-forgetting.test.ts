// A rebuild that forgets, killed behind its checkpoint, and damage in that checkpoint: the log alone says all that was in it.
import path from 'node:path'
import { expect, test } from 'vitest'
import { type HubStore } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { rebuildNamespace } from '@rejoin/hub'
import { openHubFolder } from '@rejoin/persistence-level/node'
import { intents, openClient, repairFolder, startHub, verifyFolder, type Replica } from 'rejoin'
import { systemClock } from '../../packages/rejoin/src/wiring/system-clock.ts'
import { withFolder } from '../support/command.ts'
import { flipValue, hubKey, keysIn } from '../support/strike.ts'

const NAMESPACE = 'support'

test('[5] [13] repair cuts nothing of what a forgotten replica logged later, where the checkpoint that forgot it is damaged', async () => {
  await withFolder(async (folder) => {
    const [data, laptop] = [path.join(folder, 'hub'), path.join(folder, 'laptop')]
    await withReplica(data, laptop, async (replica) => {
      await replica.apply({ type: 'IntentAdded', id: 'a', phrasesByLang: {} }).acked
      await replica.apply(phrase('before')).acked
    })
    await rebuildKilledBeforeTrim(data)
    await withReplica(data, laptop, async (replica) => {
      for (const text of ['after', 'and after']) {
        replica.apply(phrase(text))
        await replica.syncOnce()
      }
      expect(replica.status.pending).toBe(0)
    })
    const { namespaces: before } = await verifyFolder(data)
    expect(before).toMatchObject([{ records: 5, head: 5, checkpointSeq: 3, faults: [] }])

    const [marks] = await keysIn(data, 'hub!marks!')
    expect(marks).toBe(hubKey('marks', NAMESPACE, 3))
    await flipValue(data, marks ?? '')
    const repaired = await repairFolder(data)
    expect(repaired.namespaces).toMatchObject([{ outcome: 'repaired', lost: null, commits: [] }])
    expect((await verifyFolder(data)).namespaces).toMatchObject([
      { head: 5, digest: before[0]?.digest, faults: [] },
    ])
    await withReplica(data, laptop, async (replica) => {
      expect(await replica.syncOnce()).toMatchObject({ path: 'live' })
    })
  })
})

const phrase = (text: string) => ({ type: 'PhraseAdded', intentId: 'a', phrase: text, lang: 'en' }) as const

async function withReplica(
  data: string,
  laptop: string,
  use: (replica: Replica<typeof intents>) => Promise<void>,
): Promise<void> {
  const hub = await startHub({ data, domains: [intents], port: 0 })
  const client = await openClient({ data: laptop, hub: hub.url })
  try {
    await use(await client.open(intents, NAMESPACE))
  } finally {
    await client.close()
    await hub.close()
  }
}

/** As `rejoin rebuild --forget-replicas`, for everybody there is; its process ends once the checkpoint is installed. */
async function rebuildKilledBeforeTrim(data: string): Promise<void> {
  const killed = new Error('killed')
  const folder = await openHubFolder(data)
  try {
    const store = new Proxy<HubStore>(folder.store, {
      get: (target, name) => {
        const part: unknown = Reflect.get(target, name)
        if (name === 'trim') return () => Promise.reject(killed)
        return typeof part === 'function' ? (part.bind(target) as unknown) : part
      },
    })
    const everybody = systemClock.now() + 1
    await expect(
      rebuildNamespace(store, yjsCrdt.updates, NAMESPACE, systemClock, undefined, everybody),
    ).rejects.toBe(killed)
  } finally {
    await folder.close()
  }
}
