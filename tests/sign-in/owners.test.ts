// A data folder whose replica has pushed as one principal is refused to another, and loses nothing by it.
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { intents, openClient } from 'rejoin'
import { expect, test } from 'vitest'
import { idsIn, withWorld, write, type IntentsReplica, type World } from './world.ts'

/** Works with the replica of one folder, signed in by `token`. */
async function as<R>(
  { folder, hub }: World,
  token: string,
  work: (replica: IntentsReplica, sync: () => Promise<unknown>) => Promise<R>,
): Promise<R> {
  const client = await openClient({ data: path.join(folder, 'shared'), hub: hub.url, token: () => token })
  try {
    const replica = await client.open(intents, 'support', { live: false })
    return await work(replica, () => replica.syncOnce(client.dialOnce ?? undefined))
  } finally {
    await client.close()
  }
}

/** A hub that runs hears of a new key within a second or two. */
async function known({ hub }: World, key: string): Promise<void> {
  for (let look = 0; look < 1_000; look++) {
    const headers = { 'x-api-key': key }
    const response = await fetch(new URL('v1/sync', hub.url), { method: 'POST', headers })
    await response.body?.cancel()
    if (response.status !== 401) return
    await sleep(20)
  }
  throw new Error('the hub never heard of the key')
}

test('[4] [11] whoever signs in as somebody else is refused with REPLICA_TAKEN; the commits wait, and go up as before', async () => {
  await withWorld(async (world) => {
    const laptop = await world.key('laptop', 'write', '--subject', 'ada')
    const phone = await world.key('phone', 'write', '--subject', 'ada')
    const bobs = await world.key('bobs', 'write')
    for (const key of [laptop, phone, bobs]) await known(world, key)
    await as(world, laptop, async (replica, sync) => {
      write(replica, 'a')
      await sync()
      expect(replica.status.pending).toBe(0)
    })
    await as(world, bobs, async (replica, sync) => {
      write(replica, 'b')
      await expect(sync()).rejects.toMatchObject({ code: 'REPLICA_TAKEN' })
      expect(replica.status).toMatchObject({ pending: 1, rejected: 0 })
    })
    // Another key of the same subject is the same principal.
    await as(world, phone, async (replica, sync) => {
      await sync()
      expect(replica.status.pending).toBe(0)
      expect(idsIn(replica)).toEqual(['a', 'b'])
    })
  })
})
