// A replica on a disk that fills up: memory stays the truth, the status says so, and nothing is sent that is not saved.
import path from 'node:path'
import { expect, test } from 'vitest'
import { commitName } from '@rejoin/core'
import { intents, openClient, startHub, SyncError, type Replica } from 'rejoin'
import { withFolder } from '../../support/command.ts'
import { until } from '../../support/until.ts'
import { phrasesOf } from '../bystander.ts'
import { CommitLedger } from '../commit-ledger.ts'
import { nextOps } from '../writing.ts'
import { withSmallDisk, withoutSmallDisk } from './small-disk.ts'

const without = await withoutSmallDisk()
if (without !== null) console.log(`the test of a replica on a small disk is left out: ${without}`)

test.runIf(without === null)(
  '[4] a replica on a full disk says what is not saved, and sends none of it',
  async () => {
    await withSmallDisk(async (disk) => {
      await withFolder(async (folder) => {
        const hub = await startHub({ data: path.join(folder, 'hub'), domains: [intents], port: 0 })
        const data = path.join(disk.folder, 'replica')
        const ledger = new CommitLedger()
        try {
          const client = await openClient({ data, hub: hub.url })
          const replica = await client.open(intents, 'support')
          for (let n = 0; n < 10; n++) expect(await write(replica, ledger, n)).toBe('saved')
          await until('they are acknowledged', () => replica.status.pending === 0)

          await disk.fill()
          let n = 10
          while ((await write(replica, ledger, n)) === 'saved') n++
          expect(replica.status.persistence).toMatchObject({ cause: { code: 'STORE_FULL' } })
          expect(phrasesOf(replica)).toContain(`phrase ${n}`)
          const { commits } = await hub.verify('support')
          expect(commits).toBeLessThanOrEqual(n)

          await disk.free()
          await until('what waits is saved', () => replica.status.persistence === 'ok')
          for (let i = 1; i <= 20; i++) expect(await write(replica, ledger, n + i)).toBe('saved')
          await until('everything is acknowledged', () => replica.status.pending === 0)
          await client.close()

          // What was saved after the failed write is where that write may have left a torn end.
          const again = await openClient({ data, hub: hub.url })
          const reopened = await again.open(intents, 'support')
          ledger.checkReadable(phrasesOf(reopened), 'saved')
          expect(phrasesOf(reopened)).toContain(`phrase ${n}`)
          expect((await hub.verify('support')).faults).toEqual([])
          await again.close()
        } finally {
          await hub.close()
        }
      })
    })
  },
)

async function write(replica: Replica<typeof intents>, ledger: CommitLedger, n: number): Promise<string> {
  const phrase = `phrase ${n}`
  const receipt = replica.apply(nextOps(phrase, n))
  if (receipt.kind === 'unchanged') throw new Error(`${phrase} is there already`)
  receipt.acked.catch(() => {})
  try {
    await receipt.saved
    ledger.save(commitName(receipt.id), phrase)
    return 'saved'
  } catch (error) {
    if (error instanceof SyncError) return error.code
    throw error
  }
}
