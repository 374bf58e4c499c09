/**
 * The power is cut at moments drawn from a seed: of a hub that takes commits from replicas elsewhere, of a replica that
 * writes, and of LevelDB alone. What was answered before is there afterwards, once; the folder opens without repair.
 */
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Level } from 'level'
import { intents, openClient } from 'rejoin'
import { bundled } from '../../support/bundle.ts'
import { startScript } from '../../support/script.ts'
import type { Seeded } from '../../support/seeded.ts'
import { until, within } from '../../support/until.ts'
import { Bystander, phrasesOf } from '../bystander.ts'
import { CommitLedger } from '../commit-ledger.ts'
import type { FaultCounts, History } from '../counts.ts'
import { checkCrash, checkHubFolder } from '../hub-folder-check.ts'
import { PowerCut, type CutReport } from './cut.ts'
import { compileWitness } from './witness.ts'

const script = (name: string): Promise<string> =>
  bundled(path.join(import.meta.dirname, '../processes', name))

/** Counts of a history of cuts, and what the cuts took away. */
export interface CutCounts extends FaultCounts {
  readonly cut: CutReport
}

export async function cutHub(random: Seeded, { folder, faults, isOver }: History): Promise<CutCounts> {
  const root = path.join(folder, 'disk')
  const data = path.join(root, 'hub')
  const power = new PowerCut(await compileWitness(folder), root, path.join(folder, 'kept'))
  const ledger = new CommitLedger()
  const [retention, checkpointMs] = [random.pick([20, 1_000_000]), random.pick([0, 15])]
  let [port, cuts, cut] = ['0', 0, noCut]
  const writers: Bystander[] = []
  try {
    for (let round = 0; round < faults && !isOver(); round++) {
      const args = [data, port, String(retention), String(round === 0 ? 0 : checkpointMs)]
      const hub = startScript(await script('hub.ts'), args, { env: await power.arm() })
      if (round > 0 && random.chance(0.2)) await sleep(random.whole(0, 500))
      else {
        const url = await within('the hub is ready', hub.first)
        port = new URL(url).port
        if (writers.length === 0)
          writers.push(await Bystander.open('ada', path.join(folder, 'ada'), url, ledger))
        for (const writer of writers) {
          writer.redial()
          await writeUntil(writer, random.whole(1, 150), random.whole(0, 12))
        }
      }
      await within('the hub is gone', hub.stop('SIGKILL'))
      cut = addCut(cut, await power.cut(random))
      cuts++
      await checkHubFolder(data, ledger)
    }
    return { faults: cuts, opened: cuts, ...ledger.counts, cut }
  } finally {
    for (const writer of writers) await writer.close()
  }
}

export async function cutReplica(random: Seeded, { folder, faults, isOver }: History): Promise<CutCounts> {
  const root = path.join(folder, 'disk')
  const data = path.join(root, 'replica')
  const power = new PowerCut(await compileWitness(folder), root, path.join(folder, 'kept'))
  const ledger = new CommitLedger()
  let [cuts, cut] = [0, noCut]
  for (let round = 0; round < faults && !isOver(); round++) {
    let heard = 0
    const replica = startScript(await script('replica.ts'), [data, 'offline', `victim-${round}`], {
      env: await power.arm(),
      onLine: (line) => {
        heard++
        ledger.hear(line)
      },
    })
    if (round > 0 && random.chance(0.2)) await sleep(random.whole(0, 500))
    else {
      const lines = random.whole(1, 200)
      await within('the replica is open', replica.first)
      await Promise.race([until('the replica saves', () => heard >= lines), replica.ended])
    }
    await within('the replica is gone', replica.stop('SIGKILL'))
    cut = addCut(cut, await power.cut(random))
    cuts++
    const client = await openClient({ data })
    try {
      checkCrash(client.found)
      ledger.checkReadable(phrasesOf(await client.open(intents, 'support')), 'saved')
    } finally {
      await client.close()
    }
  }
  return { faults: cuts, opened: cuts, ...ledger.counts, cut }
}

/** One cut of LevelDB alone. @returns how many writes were answered, and how many of them are gone. */
export async function cutLevel(
  random: Seeded,
  folder: string,
  how: 'synced' | 'unsynced',
): Promise<{ readonly answered: number; readonly lost: number }> {
  const root = path.join(folder, how)
  const power = new PowerCut(await compileWitness(folder), root, path.join(folder, `kept-${how}`))
  let answered = 0
  const writer = startScript(await script('level-writer.ts'), [path.join(root, 'db'), how], {
    env: await power.arm(),
    onLine: () => answered++,
  })
  const due = random.whole(200, 1_000)
  await until('LevelDB answers', () => answered >= due)
  await writer.stop('SIGKILL')
  await power.cut(random)
  const kept = await keysOf(path.join(root, 'db'))
  const lost = Array.from({ length: answered }, (_, n) => String(n)).filter((key) => !kept.has(key))
  return { answered, lost: lost.length }
}

/** None where LevelDB does not open: a new database names a MANIFEST that LevelDB never synced, until the first synced write. */
async function keysOf(folder: string): Promise<ReadonlySet<string>> {
  const database = new Level<string, string>(folder)
  try {
    await database.open()
    return new Set(await database.keys().all())
  } catch {
    return new Set()
  } finally {
    await database.close()
  }
}

async function writeUntil(writer: Bystander, commits: number, delayMs: number): Promise<void> {
  const due = writer.acked + commits
  let isDue = false
  const writing = writer.write(() => isDue)
  await Promise.race([until('the hub acknowledges', () => writer.acked >= due), writing])
  await sleep(delayMs)
  isDue = true
  void Promise.allSettled([writing])
}

const noCut: CutReport = { files: 0, bytes: 0, undone: 0 }

function addCut(one: CutReport, other: CutReport): CutReport {
  return {
    files: one.files + other.files,
    bytes: one.bytes + other.bytes,
    undone: one.undone + other.undone,
  }
}
