/**
 * Acknowledged commits a second, of writers with one commit under way each, against a hub on a real folder; and in the same
 * round, LevelDB alone writing the same bytes in the same synced batches. What is asked is held against LevelDB keeping each
 * commit under a key of its own, by `batch([…])`: that is what whoever uses it in a hub's place would do. Two more readings
 * stand beside it, both harder: a room's commits of a batch as one value, as our log has them, and the quickest call there is.
 *
 * All that a hub does is in it: reading and checking each commit, its record, its batch, its sync, the ack, and telling every
 * session of the room. What writers do is not: their commits are made beforehand and handed over by reference; over sockets
 * they are in another process.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { openHub } from '@rejoin/hub'
import { openHubFolder } from '@rejoin/persistence-level/node'
import { startHub, systemClock } from 'rejoin'
import { figure, type Figure } from '../figure.ts'
import { prepareWriter, roomOf, type Rooms } from '../hubs/prepared.ts'
import { openRawWriter, runWriters, type AckRun } from '../hubs/raw-writers.ts'
import { appendAlone, noteBodies } from '../hubs/store-alone.ts'
import { commitsOf, noteBatches, recordsOf, writeAlone, type WrittenBatch } from '../hubs/written-batches.ts'
import { exactly, percentile, sampleOf } from '../measures.ts'
import { weights } from '../subjects/domain.ts'
import type { BenchCase } from './case.ts'

export const acks: BenchCase = {
  about: 'acknowledged commits a second with 1, 8 and 64 writers, beside LevelDB alone',
  subjects: ['rejoin'],
  run: () => measured(inProcess),
}

export const acksOverSockets: BenchCase = {
  about: 'the same over WebSockets, from another process',
  subjects: ['rejoin'],
  run: () => measured(overSockets, SOCKETS_SHARE),
}

const ROUNDS = 5
/** Of the commits, over sockets. */
const SOCKETS_SHARE = 0.25
const SHARE_MIN = 0.6

interface Plan {
  readonly writers: number
  /** Of each writer. */
  readonly commits: number
  readonly rooms: Rooms
}

const plans: readonly Plan[] = [
  { writers: 1, commits: 2_000, rooms: 'a room each' },
  { writers: 8, commits: 1_000, rooms: 'a room each' },
  { writers: 64, commits: 400, rooms: 'a room each' },
  { writers: 8, commits: 1_000, rooms: 'one room' },
  { writers: 64, commits: 400, rooms: 'one room' },
]

interface Round {
  readonly run: AckRun
  readonly alone: AloneMs
  readonly storeAloneMs: number | null
  readonly batches: number
}

/** Milliseconds of LevelDB alone. */
interface AloneMs {
  /** A key for each commit. */
  readonly commits: number
  /** A key for each record. */
  readonly records: number
  /** The same, by the quickest call. */
  readonly quickest: number
}

type Play = (folder: string, plan: Plan) => Promise<Round>

async function measured(play: Play, part = 1): Promise<readonly Figure[]> {
  const figures: Figure[] = []
  for (const plan of plans) figures.push(...(await planned({ ...plan, commits: plan.commits * part }, play)))
  return figures
}

async function planned(plan: Plan, play: Play): Promise<readonly Figure[]> {
  const rounds: Round[] = []
  for (let i = 0; i <= ROUNDS; i++) {
    const round = await inFolder((folder) => play(folder, plan))
    // The first one compiles.
    if (i > 0) rounds.push(round)
  }
  const { writers, rooms } = plan
  const commits = writers * plan.commits
  const of = (name: string): string => `${writers} ${writers === 1 ? 'writer' : `writers, ${rooms}`}: ${name}`
  const latencies = rounds.flatMap(({ run }) => run.latenciesMs).sort((a, b) => a - b)
  const perSecond = (ms: (round: Round) => number) =>
    sampleOf(rounds.map((round) => (commits * 1_000) / ms(round)))
  const shareOf = (ms: (alone: AloneMs) => number) =>
    sampleOf(rounds.map(({ alone, run }) => ms(alone) / run.ms))
  const stores = rounds.flatMap(({ storeAloneMs, alone }) =>
    storeAloneMs === null ? [] : [alone.commits / storeAloneMs],
  )
  return [
    figure(
      of('acknowledged'),
      'commits/s',
      perSecond(({ run }) => run.ms),
    ),
    figure(of('ack after, median'), 'ms', exactly(percentile(latencies, 0.5))),
    figure(of('ack after, p99'), 'ms', exactly(percentile(latencies, 0.99))),
    figure(
      of('LevelDB alone, a key for each commit'),
      'commits/s',
      perSecond(({ alone }) => alone.commits),
    ),
    figure(
      of('share of LevelDB alone'),
      '',
      shareOf(({ commits: ms }) => ms),
      writers === 64 ? { atLeast: SHARE_MIN } : null,
    ),
    figure(
      of('share of it with a key for each record'),
      '',
      shareOf(({ records }) => records),
    ),
    figure(
      of('share of that by the quickest call'),
      '',
      shareOf(({ quickest }) => quickest),
    ),
    ...(stores.length === 0 ? [] : [figure(of('share that the store alone reaches'), '', sampleOf(stores))]),
    figure(of('commits in a batch'), '', sampleOf(rounds.map(({ batches }) => commits / batches))),
  ]
}

async function inProcess(folder: string, { writers, commits, rooms }: Plan): Promise<Round> {
  const opened = await openHubFolder(folder)
  const { store, bodies } = noteBodies(opened.store)
  const hub = openHub({
    store,
    updates: yjsCrdt.updates,
    domains: [weights],
    clock: systemClock,
    // Checkpoints have a case of their own.
    checkpoint: { bytesMin: Infinity },
  })
  const sessions = Array.from({ length: writers }, (_, i) =>
    openRawWriter(hub, prepareWriter(roomOf(rooms, i), i, commits, systemClock.now())),
  )
  const { result, batches } = await noteBatches(() => runWriters(sessions.map(({ writer }) => writer)))
  for (const { leave } of sessions) leave()
  await hub.close()
  await opened.close()
  const records = recordsOf(batches)
  const alone = await allAlone(records)
  return { run: result, alone, storeAloneMs: await appendAlone(bodies), batches: records.length }
}

async function allAlone(records: readonly WrittenBatch[]): Promise<AloneMs> {
  return {
    commits: await writeAlone(commitsOf(records)),
    records: await writeAlone(records),
    quickest: await writeAlone(records, 'handed over'),
  }
}

/** A hub as `rejoin hub` starts it, checkpoints and all. */
async function overSockets(folder: string, { writers, commits, rooms }: Plan): Promise<Round> {
  const hub = await startHub({ data: folder, domains: [weights], port: 0 })
  const script = fileURLToPath(new URL('../hubs/socket-writers.ts', import.meta.url))
  const { result, batches } = await noteBatches(async () => {
    const running = fork(script, [hub.url, String(writers), String(commits), rooms])
    const [run] = (await once(running, 'message')) as [AckRun]
    return run
  })
  await hub.close()
  const records = recordsOf(batches)
  return { run: result, alone: await allAlone(records), storeAloneMs: null, batches: records.length }
}

async function inFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'rejoin-bench-'))
  try {
    return await run(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
