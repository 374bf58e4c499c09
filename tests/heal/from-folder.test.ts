// `rejoin repair --from`: a replica's folder heals a hub's folder, with nobody running and however much was lost.
import path from 'node:path'
import {
  defineDomain,
  Id,
  map,
  openClient,
  repairFolder,
  restoreBackup,
  startHub,
  verifyFolder,
  type Replica,
} from 'rejoin'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { withFolder } from '../support/command.ts'
import { flipValue, keysIn } from '../support/strike.ts'
import { until } from '../support/until.ts'

const text = z.string().max(100_000)
const notes = defineDomain({
  name: 'notes',
  version: 1,
  tables: { notes: map({ key: Id, value: text }) },
  ops: (op) => ({ Noted: op(z.object({ id: Id, text }), (t, o) => t.notes.set(o.id, o.text)) }),
})
const other = { ...notes, name: 'other' }

test('[3] a heal from folder to folder has no bound that a message sets, and only reads the replica', async () => {
  await withLoss(150, async ({ hub, laptop }) => {
    const refused = startHub({ data: hub, domains: [notes], port: 0 }).then(async (running) => {
      const client = await openClient({ data: laptop, hub: running.url })
      try {
        const replica = await client.open(notes, 'big', { live: false })
        await replica.syncOnce()
      } finally {
        await client.close()
        await running.close()
      }
    })
    await expect(refused).rejects.toMatchObject({
      code: 'HISTORY_DIVERGED',
      message: expect.stringMatching(/rejoin repair --data/) as string,
    })
    const waiting = await openClient({ data: laptop })
    await (await waiting.open(notes, 'big')).apply({ type: 'Noted', id: 'z', text: 'waits' }).saved
    await waiting.close()

    const [before, keys] = [await verifyFolder(laptop), await keysIn(laptop)]
    const from = { data: laptop, domains: [other, notes] }
    const { healed } = await repairFolder(hub, { from })
    expect(healed).toMatchObject([{ namespace: 'big', outcome: 'healed', error: null }])
    expect([await verifyFolder(laptop), await keysIn(laptop)]).toEqual([before, keys])
    // Again it brings nothing: the log stays as it is.
    expect((await repairFolder(hub, { from, report: `${hub}.again.json` })).healed).toMatchObject([
      { namespace: 'big', outcome: 'healed', seq: healed[0]?.seq, error: null },
    ])

    const running = await startHub({ data: hub, domains: [notes], port: 0 })
    const client = await openClient({ data: laptop, hub: running.url })
    const replica = await client.open(notes, 'big')
    await until(
      'what waited is pushed',
      () => replica.status.pending === 0 && replica.status.state === 'live',
    )
    expect([replica.tables.notes.size, replica.rejected.length]).toEqual([153, 0])
    await client.close()
    expect(await running.verify('big')).toMatchObject({ faults: [] })
    await running.close()
  })
})

test('a heal from a damaged folder, or one of another domain, says so and writes nothing', async () => {
  await withLoss(2, async ({ hub, laptop }) => {
    const foreign = await repairFolder(hub, { from: { data: laptop, domains: [other] } })
    expect(foreign.healed).toMatchObject([{ outcome: null, error: { code: 'DOMAIN_MISMATCH' } }])
    const [base] = [
      ...(await keysIn(laptop, 'replica!snapshot!')),
      ...(await keysIn(laptop, 'replica!update!')),
    ]
    await flipValue(laptop, base ?? '')
    const from = { data: laptop, domains: [notes] }
    const damaged = await repairFolder(hub, { from, report: `${hub}.damaged.json` })
    expect(damaged.healed).toMatchObject([
      {
        outcome: null,
        error: { code: 'STORE_CORRUPT', message: expect.stringMatching(/another replica$/) as string },
      },
    ])
    expect(await keysIn(hub, 'hub!record!')).toHaveLength(3)
  })
})

/** A hub put back from a backup with two notes, of a time before `count` more, and a replica that has all of them. */
async function withLoss(
  count: number,
  use: (folders: { hub: string; laptop: string }) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const [first, hub, laptop, backup] = ['first', 'hub', 'laptop', 'backup'].map((n) => path.join(folder, n))
    if (first === undefined || hub === undefined || laptop === undefined || backup === undefined)
      throw new Error('four folders')
    const running = await startHub({ data: first, domains: [notes], port: 0 })
    const client = await openClient({ data: laptop, hub: running.url })
    const replica = await client.open(notes, 'big')
    await write(replica, 'a', 2)
    await running.backup(backup)
    await write(replica, 'b', count)
    await client.close()
    await running.close()
    await restoreBackup(backup, hub)
    await use({ hub, laptop })
  })
}

async function write(replica: Replica<typeof notes>, name: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++)
    await replica.apply({ type: 'Noted', id: `${name}${i}`, text: `${name}${i} `.padEnd(60_000, 'x') }).acked
  await until('nothing waits', () => replica.status.pending === 0)
}
