// The book that the fault runs keep can say no: each of its checks is seen to fail.
import { expect, test } from 'vitest'
import type { ReadCommit } from '@rejoin/hub'
import { CommitLedger } from './commit-ledger.ts'

test('[3] an acknowledged commit that is not in the log is missed', async () => {
  const ledger = new CommitLedger()
  ledger.ack('ada:1')
  await ledger.readLog(logOf(['ada:1', 7]))
  ledger.checkAckedLogged(0)
  ledger.ack('ada:2')
  expect(() => ledger.checkAckedLogged(0)).toThrow('ada:2')
})

test('[5] a commit that is in the log twice is noticed, in one reading or across two', async () => {
  const once = new CommitLedger()
  await once.readLog(logOf(['ada:1', 7]))
  await once.readLog(logOf(['ada:1', 7]))
  await expect(once.readLog(logOf(['ada:1', 9]))).rejects.toThrow('twice')
  await expect(new CommitLedger().readLog(logOf(['ada:1', 7], ['ada:1', 8]))).rejects.toThrow('twice')
})

test('[4] a saved commit whose phrase nobody reads is missed, and so is an acknowledged one', () => {
  const ledger = new CommitLedger()
  ledger.hear('saved ada:1 one phrase')
  ledger.checkReadable(new Set(['one phrase']), 'saved')
  expect(() => ledger.checkReadable(new Set(), 'saved')).toThrow('ada:1')
  ledger.checkReadable(new Set(), 'acked')
  ledger.hear('acked ada:1')
  expect(() => ledger.checkReadable(new Set(), 'acked')).toThrow('ada:1')
})

async function* logOf(
  ...commits: readonly (readonly [name: string, seq: number])[]
): AsyncGenerator<ReadCommit> {
  for (const [name, seq] of commits) {
    const [replica = '', counter] = name.split(':')
    const id = { replica, counter: Number(counter) } as ReadCommit['id']
    yield await Promise.resolve({
      id,
      prev: 0,
      hlc: '' as ReadCommit['hlc'],
      domainVersion: 1,
      ops: [],
      update: new Uint8Array(),
      seq,
      epoch: 1,
      principal: '',
    })
  }
}
