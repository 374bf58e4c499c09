/**
 * Damages a replica's folder in which commits wait, at one place or two, and has it verified, opened, repaired and synced: what
 * is damaged is told, nothing goes unasked, and every commit that can be read reaches the hub.
 */
import { cp, rm } from 'node:fs/promises'
import path from 'node:path'
import { intents, openClient, repairFolder, startHub, SyncError, verifyFolder, type Replica } from 'rejoin'
import { packOf } from '@rejoin/intents'
import { openReplicaFolder } from '@rejoin/persistence-level/node'
import { keysIn } from '../../support/strike.ts'
import type { RepairWorld } from './repair-world.ts'
import { strikeAll, type Strike } from './repair-trials.ts'

const namespace = 'covered'
export const waiting = ['waiting one', 'waiting two', 'waiting three']

/** A copy of the world's replica, in which commits wait. */
export async function makeWaiting({ laptop }: RepairWorld, place: string): Promise<void> {
  await cp(laptop, place, { recursive: true })
  const client = await openClient({ data: place })
  const replica = await client.open(intents, namespace)
  for (const text of waiting)
    await replica.apply({ type: 'PhraseAdded', intentId: 'a', phrase: text, lang: 'en' }).saved
  await client.close()
}

export async function replicaTargets(data: string): Promise<readonly string[]> {
  const updates = await keysIn(data, `replica!update!${namespace}!`)
  return [
    'replica!folder',
    'replica!place',
    `replica!meta!${namespace}`,
    ...(await keysIn(data, `replica!snapshot!${namespace}`)),
    ...new Set([updates[0], updates.at(-1)].filter((key) => key !== undefined)),
    ...(await keysIn(data, `replica!outbox!${namespace}!`)),
  ]
}

/** @returns what was wrong, for people. */
export async function tryReplicaRepair(
  world: RepairWorld,
  whole: string,
  strikes: readonly Strike[],
  folder: string,
): Promise<readonly string[]> {
  const wrong: string[] = []
  const say = (what: string): void => void wrong.push(what)
  const [hub, data] = [path.join(folder, 'fresh-hub'), path.join(folder, 'struck-replica')]
  await cp(world.hub, hub, { recursive: true })
  await cp(whole, data, { recursive: true })
  try {
    const outbox = await keysIn(whole, `replica!outbox!${namespace}!`)
    await strikeAll(data, strikes)
    const isSeen = strikes.some(({ key }) => key !== 'replica!place')
    const { fault, namespaces } = await verifyFolder(data)
    const found = namespaces.find((each) => each.namespace === namespace)
    if (isSeen && fault === null && found?.faults.length === 0) say('verify did not tell it')
    if (isSeen) await checkRefused(data, say)
    const unasked = await repairFolder(data)
    if (isSeen && !unasked.namespaces.some(({ outcome }) => outcome === 'needs discard'))
      say('something went unasked')
    for (const { outcome, faults, advice } of (await repairFolder(data, { discard: true })).namespaces)
      if (outcome !== 'whole' && outcome !== 'repaired') say(`${outcome}: ${faults.join('; ')}: ${advice}`)
    const after = await verifyFolder(data)
    if (after.fault !== null) say(`afterwards: ${after.fault}`)
    for (const { faults } of after.namespaces) for (const { message } of faults) say(`afterwards: ${message}`)
    const phrases = await synced(hub, data, say)
    for (const [i, text] of waiting.entries()) {
      const isStruck = strikes.some(({ key }) => key === outbox[i])
      if (!isStruck && !phrases.includes(text)) say(`${text} is lost`)
      if (isStruck && phrases.includes(text)) say(`${text} was not read, and is there`)
    }
    const digests = await Promise.all([hub, data].map((each) => digestOf(each)))
    if (digests[0] !== digests[1]) say('hub and replica differ')
  } catch (error) {
    say(error instanceof SyncError ? `${error.code}: ${error.message}` : String((error as Error).stack))
  } finally {
    await rm(hub, { recursive: true, force: true })
    await rm(data, { recursive: true, force: true })
  }
  return wrong.map((what) => `${strikes.map(({ key, how }) => `${key} ${how}`).join(' and ')}: ${what}`)
}

async function checkRefused(data: string, say: (what: string) => void): Promise<void> {
  try {
    const folder = await openReplicaFolder(data)
    try {
      if ((await folder.replica(namespace).load()) === null) say('it is opened as if nothing had been there')
      else say('it is opened')
    } finally {
      await folder.close()
    }
  } catch (error) {
    if (!(error instanceof SyncError) || error.code !== 'STORE_CORRUPT') say(`opening: ${String(error)}`)
  }
}

/** Pushes all that waits, applies anew what was rejected, and reads the document. */
async function synced(hub: string, data: string, say: (what: string) => void): Promise<string> {
  const running = await startHub({ data: hub, domains: [intents], port: 0 })
  const client = await openClient({ data, hub: running.url })
  try {
    const replica: Replica<typeof intents> = await client.open(intents, namespace)
    await replica.syncOnce()
    for (const { commit } of replica.rejected) replica.resubmit(commit.id.counter)
    await replica.syncOnce()
    await replica.syncOnce()
    const { pending, rejected, lastError } = replica.status
    if (pending > 0 || rejected > 0 || lastError !== null)
      say(`${pending} wait, ${rejected} are rejected, ${lastError?.message ?? ''}`)
    return JSON.stringify([...packOf(replica.tables).intents])
  } finally {
    await client.close()
    await running.close()
  }
}

async function digestOf(data: string): Promise<string | null> {
  const { namespaces } = await verifyFolder(data)
  return namespaces.find((each) => each.namespace === namespace)?.digest ?? null
}
