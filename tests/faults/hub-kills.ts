/**
 * `kill -9` of a hub at moments drawn from a seed: while it opens, while it takes commits, while it checkpoints. Two live
 * replicas outside of it write and note what they are told; after each kill its folder is read whole, and after each
 * restart the replicas settle and read the same as a third that downloads everything anew (invariants 1, 3 and 5).
 */
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { intents, openClient } from 'rejoin'
import { bundled } from '../support/bundle.ts'
import { startScript, type RunningScript } from '../support/script.ts'
import type { Seeded } from '../support/seeded.ts'
import { until, within } from '../support/until.ts'
import { Bystander, checkConverged, phrasesOf } from './bystander.ts'
import { CommitLedger } from './commit-ledger.ts'
import type { FaultCounts, History } from './counts.ts'
import { checkHubFolder } from './hub-folder-check.ts'

export async function killHub(random: Seeded, { folder, faults, isOver }: History): Promise<FaultCounts> {
  const data = path.join(folder, 'hub')
  const ledger = new CommitLedger()
  // Where the log is trimmed all the time, acknowledged commits are looked for in the content.
  const retention = random.pick([20, 1_000_000])
  const checkpointMs = random.pick([0, 15])
  const script = await bundled(path.join(import.meta.dirname, 'processes/hub.ts'))
  let port = '0'
  const start = (everyMs: number = checkpointMs): RunningScript =>
    startScript(script, [data, port, String(retention), String(everyMs)])

  // Nothing to fold yet.
  let hub = start(0)
  const url = await within('the first hub is ready', hub.first)
  port = new URL(url).port
  const writers = await Promise.all(
    ['ada', 'bob'].map((name) => Bystander.open(name, path.join(folder, name), url, ledger)),
  )
  let [kills, opened] = [0, 0]
  let isDown = false
  try {
    for (let round = 0; round < faults && !isOver(); round++) {
      if (isDown) hub = start()
      isDown = false
      if (round > 0 && random.chance(0.2)) await sleep(random.whole(0, 500))
      else {
        await within('the hub is ready', hub.first)
        for (const writer of writers) writer.redial()
        if (round > 0) await checkSettled(writers, url, path.join(folder, 'reader'), ledger)
        await writeUntilDue(writers, random)
      }
      await within('the hub is gone', hub.stop('SIGKILL'))
      ;[isDown, kills] = [true, kills + 1]
      if (hub.stderr() !== '') throw new Error(`the hub complained: ${hub.stderr()}`)
      await checkHubFolder(data, ledger)
      opened++
    }
    if (isDown) hub = start()
    await within('the hub is ready', hub.first)
    for (const writer of writers) writer.redial()
    const digest = await checkSettled(writers, url, path.join(folder, 'reader'), ledger)
    await within('the hub is gone', hub.stop('SIGKILL'))
    const state = await checkHubFolder(data, ledger)
    if (state.digest !== digest) throw new Error(`the hub reads ${state.digest}, its replicas ${digest}`)
    return { faults: kills, opened: opened + 1, ...ledger.counts }
  } finally {
    await hub.stop('SIGKILL')
    for (const writer of writers) await writer.close()
  }
}

/** Both write until some commits more were acknowledged, and a little longer: they are still writing when this resolves. */
async function writeUntilDue(writers: readonly Bystander[], random: Seeded): Promise<void> {
  const acked = (): number => writers.reduce((sum, writer) => sum + writer.acked, 0)
  const due = acked() + random.whole(1, 120)
  const delayMs = random.whole(0, 12)
  let isDue = false
  const writing = writers.map((writer) => writer.write(() => isDue))
  await Promise.race([until('the hub acknowledges', () => acked() >= due), ...writing])
  await sleep(delayMs)
  isDue = true
  // What they have applied and not yet sent is under way while the kill comes.
  void Promise.allSettled(writing)
}

/** @returns the digest of what everybody reads. */
async function checkSettled(
  writers: readonly Bystander[],
  hub: string,
  readerFolder: string,
  ledger: CommitLedger,
): Promise<string> {
  for (const writer of writers) await writer.isSettled()
  // Downloads everything: by tail or snapshot, whatever the hub has left.
  const reader = await openClient({ data: readerFolder, hub })
  try {
    const replica = await reader.open(intents, 'support', { live: false })
    await within('the reader has caught up', replica.syncOnce(reader.dialOnce ?? undefined))
    const digest = await checkConverged([...writers.map(({ replica: writer }) => writer), replica])
    ledger.checkReadable(phrasesOf(replica), 'saved')
    return digest
  } finally {
    await reader.close()
    await rm(readerFolder, { recursive: true, force: true })
  }
}
