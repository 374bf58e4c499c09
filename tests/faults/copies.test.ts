// A data folder copied and both copies in use: told apart, nothing lost, and all that was written in either is read in both.
import { cp, rm } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { commitName } from '@rejoin/core'
import { intents, openClient, startHub, type Replica } from 'rejoin'
import { bundled } from '../support/bundle.ts'
import { withFolder } from '../support/command.ts'
import { startScript } from '../support/script.ts'
import { until } from '../support/until.ts'
import { checkConverged, phrasesOf } from './bystander.ts'
import { CommitLedger } from './commit-ledger.ts'
import { checkHubFolder } from './hub-folder-check.ts'
import { intentId, nextOps } from './writing.ts'

const script = await bundled(path.join(import.meta.dirname, 'processes/replica.ts'))

test('[1] [4] [5] [26] two copies of a folder, both live: they are told apart, nothing is refused, and all converge', async () => {
  await withFolder(async (folder) => {
    const hubData = path.join(folder, 'hub')
    const hub = await startHub({ data: hubData, domains: [intents], port: 0 })
    const open = (name: string) => openLive(path.join(folder, name), hub.url)
    const ledger = new CommitLedger()
    try {
      const first = await open('original')
      write(first.replica, 'before the copy', 0, ledger)
      await until('it is acknowledged', () => first.replica.status.pending === 0)
      first.replica.disconnect()
      for (const phrase of ['waits 1', 'waits 2', 'waits 3']) write(first.replica, phrase, 1, ledger)
      await first.close()
      await copyFolder(path.join(folder, 'original'), path.join(folder, 'copy'))

      const [original, copy, third] = [await open('original'), await open('copy'), await open('third')]
      const both = [original, copy]
      expect(copy.replica.status.copyOf).toBe(original.replica.id)
      expect(copy.replica.id).not.toBe(original.replica.id)
      for (let n = 1; n <= 20; n++) {
        write(original.replica, `original ${n}`, n, ledger)
        write(copy.replica, `copy ${n}`, n, ledger)
        await Promise.all(both.map(({ replica }) => replica.flush()))
      }
      await until('all is acknowledged', () => both.every(({ replica }) => replica.status.pending === 0))
      const everybody = [...both, third]
      await checkConverged(everybody.map(({ replica }) => replica))
      for (const { replica, close } of everybody) {
        expect(replica.status).toMatchObject({ lastError: null, rejected: 0 })
        ledger.checkReadable(phrasesOf(replica), 'saved')
        await close()
      }
      expect(ledger.counts).toEqual({ saved: 44, acked: 44 - 3 })
    } finally {
      await hub.close()
    }
    await checkHubFolder(hubData, ledger)
  })
}, 60_000)

test('[1] [4] [5] [26] copies of killed replicas, used side by side offline and live, copied again, and put back from a backup', async () => {
  await withFolder(async (folder) => {
    const at = (name: string): string => path.join(folder, name)
    const hub = await startHub({ data: at('hub'), domains: [intents], port: 0 })
    const ledger = new CommitLedger()
    /** A process writes in the folder until it has said so many lines, and is killed. */
    const written = async (name: string, way: 'offline' | 'live', lines: number): Promise<void> => {
      let heard = 0
      const writer = startScript(
        script,
        [at(name), way === 'live' ? hub.url : way, `${name} ${way} ${lines}`],
        {
          onLine: (line) => {
            heard++
            ledger.hear(line)
          },
        },
      )
      await until(`${name} writes`, () => heard >= lines, 30_000)
      await writer.stop('SIGKILL')
      expect(writer.stderr()).toBe('')
    }
    try {
      await written('a', 'live', 60)
      await written('a', 'offline', 20)
      await copyFolder(at('a'), at('b'))
      await written('b', 'offline', 21)
      await copyFolder(at('b'), at('c'))
      await copyFolder(at('a'), at('backup of a'))
      await Promise.all([written('a', 'live', 80), written('b', 'live', 81), written('c', 'live', 82)])
      // All that a has is at the hub; then its disk is lost.
      const lastOfA = await openLive(at('a'), hub.url)
      await until('a is settled', () => isSettled(lastOfA.replica), 30_000)
      await lastOfA.close()
      await rm(at('a'), { recursive: true })
      await copyFolder(at('backup of a'), at('a'))
      await Promise.all([written('a', 'offline', 22), written('b', 'live', 40)])
      const opened = await Promise.all(['a', 'b', 'c', 'new'].map((name) => openLive(at(name), hub.url)))
      await until('all is settled', () => opened.every(({ replica }) => isSettled(replica)), 30_000)
      await checkConverged(opened.map(({ replica }) => replica))
      expect(new Set(opened.map(({ replica }) => replica.id)).size).toBe(4)
      for (const { replica, close } of opened) {
        expect(replica.status).toMatchObject({ rejected: 0, lastError: null })
        ledger.checkReadable(phrasesOf(replica), 'saved')
        await close()
      }
    } finally {
      await hub.close()
    }
    await checkHubFolder(at('hub'), ledger)
    console.log(`copies: ${JSON.stringify(ledger.counts)}`)
  })
}, 120_000)

test('[4] [5] of an image of the disk and its original, which nobody can tell apart, one goes on and the other keeps all it wrote', async () => {
  await withFolder(async (folder) => {
    const hub = await startHub({ data: path.join(folder, 'hub'), domains: [intents], port: 0 })
    const open = (name: string) => openLive(path.join(folder, name), hub.url)
    try {
      const first = await open('original')
      write(first.replica, 'before the copy', 0)
      await until('it is acknowledged', () => first.replica.status.pending === 0)
      await first.close()
      await copyFolder(path.join(folder, 'original'), path.join(folder, 'image'))
      // The files of an image have the numbers and times of the original's: as if nobody had noted them.
      await rm(path.join(folder, 'image', 'rejoin.place'))

      const [original, image, third] = [await open('original'), await open('image'), await open('third')]
      const both = [original, image]
      expect(image.replica.id).toBe(original.replica.id)
      for (let n = 1; n <= 20; n++) {
        write(original.replica, `original ${n}`, n)
        // What both make in one millisecond has the same stamp, and nobody can tell it apart (decision 0007).
        const ms = Date.now()
        await until('the next millisecond', () => Date.now() > ms)
        write(image.replica, `image ${n}`, n)
        await Promise.all(both.map(({ replica }) => replica.flush()))
      }
      const isTaken = ({ replica }: Live): boolean => replica.status.lastError?.code === 'REPLICA_TAKEN'
      await until('one of them is stopped', () => both.some(isTaken))
      const stopped = both.filter(isTaken)
      const goesOn = both.filter((each) => !isTaken(each))
      expect(stopped.length).toBe(1)
      await until('the other is settled', () => goesOn.every(({ replica }) => replica.status.pending === 0))
      await checkConverged([...goesOn, third].map(({ replica }) => replica))
      // Each still reads all that it wrote; the commits of the one that was stopped wait in its folder.
      for (const [name, { replica }] of Object.entries({ original, image })) {
        for (let n = 1; n <= 20; n++) expect(phrasesOf(replica)).toContain(`${name} ${n}`)
      }
      expect(stopped.every(({ replica }) => replica.status.pending > 0)).toBe(true)
      expect((await hub.verify('support')).faults).toEqual([])

      // The cure: what waits is applied again in a new folder.
      const renewed = await open('renewed')
      await until('it is live', () => renewed.replica.status.state === 'live')
      for (const { replica } of stopped)
        for (const { ops } of replica.outbox) renewed.replica.apply(ops as never)
      await until('all is acknowledged', () => renewed.replica.status.pending === 0)
      const everybody = [...goesOn, third, renewed]
      await checkConverged(everybody.map(({ replica }) => replica))
      for (const name of ['original', 'image']) {
        for (let n = 1; n <= 20; n++) expect(phrasesOf(third.replica)).toContain(`${name} ${n}`)
      }
      for (const each of [...both, third, renewed]) await each.close()
    } finally {
      await hub.close()
    }
  })
})

test('[3] [6] [25] a replica that meets the other copy of its hub brings it what that lacks, and takes what is new there', async () => {
  await withFolder(async (folder) => {
    const [one, other] = [path.join(folder, 'hub'), path.join(folder, 'hub-copy')]
    const data = path.join(folder, 'ada')
    await exchanged(one, data, 'before the copy')
    await cp(one, other, { recursive: true })
    await exchanged(one, data, 'at the first')
    await exchanged(other, path.join(folder, 'bob'), 'at the other')
    const hub = await startHub({ data: other, domains: [intents], port: 0 })
    const client = await openClient({ data, hub: hub.url })
    try {
      const replica = await client.open(intents, 'support', { live: false })
      expect((await replica.syncOnce()).path).toBe('heal')
      expect([...phrasesOf(replica)].sort()).toEqual(['at the first', 'at the other', 'before the copy'])
      expect((await hub.verify('support')).faults).toEqual([])
    } finally {
      await client.close()
      await hub.close()
    }
    // Back at the first, it brings that one the rest.
    await exchanged(one, data, 'at the first again')
    const first = await startHub({ data: one, domains: [intents], port: 0 })
    const reader = await openClient({ data: path.join(folder, 'eve'), hub: first.url })
    try {
      const replica = await reader.open(intents, 'support', { live: false })
      await replica.syncOnce()
      const all = ['at the first', 'at the first again', 'at the other', 'before the copy']
      expect([...phrasesOf(replica)].sort()).toEqual(all)
    } finally {
      await reader.close()
      await first.close()
    }
  })
})

interface Live {
  readonly replica: Replica<typeof intents>
  readonly close: () => Promise<void>
}

async function openLive(data: string, hub: string): Promise<Live> {
  const client = await openClient({ data, hub })
  return { replica: await client.open(intents, 'support'), close: () => client.close() }
}

function write(replica: Replica<typeof intents>, phrase: string, n: number, ledger?: CommitLedger): void {
  const receipt = replica.apply(nextOps(phrase, n))
  if (receipt.kind === 'unchanged') return
  const commit = commitName(receipt.id)
  receipt.saved.then(() => ledger?.save(commit, phrase)).catch(() => {})
  receipt.acked.then(() => ledger?.ack(commit)).catch(() => {})
}

function isSettled({ status }: Replica<typeof intents>): boolean {
  return status.state === 'live' && status.pending === 0
}

/** As somebody does who moves to another machine. */
async function copyFolder(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true, preserveTimestamps: true })
}

/** A hub over this folder for as long as a replica exchanges one phrase with it. */
async function exchanged(hubData: string, data: string, phrase: string): Promise<void> {
  const hub = await startHub({ data: hubData, domains: [intents], port: 0 })
  const client = await openClient({ data, hub: hub.url })
  try {
    const replica = await client.open(intents, 'support', { live: false })
    if (!replica.tables.intents.has(intentId)) await replica.syncOnce(client.dialOnce ?? undefined)
    write(replica, phrase, replica.tables.intents.has(intentId) ? 1 : 0)
    await replica.syncOnce(client.dialOnce ?? undefined)
    expect(replica.status.pending).toBe(0)
  } finally {
    await client.close()
    await hub.close()
  }
}
