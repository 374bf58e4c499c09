/**
 * Acks while a checkpoint is built: a document of a million overwrites over 10,000 keys, in commits of 100, none of them folded
 * yet; writers push steadily to it and to rooms of their own, and then the hub folds it, with the thread that `rejoin hub` uses.
 * The longest ack of that time beside the longest of as long a time afterwards.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { openHub, type Hub } from '@rejoin/hub'
import { openHubFolder } from '@rejoin/persistence-level/node'
import { systemClock } from 'rejoin'
import { DocumentWorker } from '../../packages/rejoin/src/wiring/document-worker.ts'
import { figure, type Figure } from '../figure.ts'
import { prepareOverwriter, prepareWriter, type PreparedWriter } from '../hubs/prepared.ts'
import { openRawWriter } from '../hubs/raw-writers.ts'
import type { Answered, Writer } from '../hubs/writer.ts'
import { percentile, sampleOf } from '../measures.ts'
import { weights } from '../subjects/domain.ts'
import type { BenchCase } from './case.ts'

export const checkpointStall: BenchCase = {
  about: 'the longest ack while a document of a million overwrites is folded, and without',
  subjects: ['rejoin'],
  run: () => inFolder(measured),
}

const ROUNDS = 10
const WRITERS = 8
/** Between an ack and the next push, milliseconds. */
const PAUSE_MS = 5
/** Commits that each writer has ready: more than it can push in a round. */
const READY = 8_000
/** What a checkpoint lets go is deleted once it is done: so long, milliseconds. */
const DELETING_MS = 300
const STALL_MS_MAX = 50
const NAMESPACE = 'large'

interface Round {
  readonly checkpointMs: number
  readonly withMs: readonly number[]
  readonly withoutMs: readonly number[]
  readonly loopMs: number
}

async function measured(folder: string): Promise<readonly Figure[]> {
  const made = join(folder, 'made')
  await makeDocument(made)
  const now = systemClock.now()
  const prepared = Array.from({ length: WRITERS }, (_, i) =>
    prepareWriter(i % 2 === 0 ? NAMESPACE : `room-${i}`, i + 1, READY, now),
  )
  const rounds: Round[] = []
  for (let i = 0; i <= ROUNDS; i++) {
    const copy = join(folder, `round-${i}`)
    await cp(made, copy, { recursive: true })
    const round = await oneRound(copy, prepared)
    // The first one compiles.
    if (i > 0) rounds.push(round)
    await rm(copy, { recursive: true, force: true })
  }
  const longest = (of: (round: Round) => readonly number[]) =>
    sampleOf(rounds.map((round) => Math.max(...of(round))))
  const p99 = (of: (round: Round) => readonly number[]) =>
    sampleOf(
      rounds.map((round) =>
        percentile(
          of(round).toSorted((a, b) => a - b),
          0.99,
        ),
      ),
    )
  const added = rounds.map(({ withMs, withoutMs }) => Math.max(...withMs) - Math.max(...withoutMs))
  return [
    figure('building the checkpoint', 'ms', sampleOf(rounds.map(({ checkpointMs }) => checkpointMs))),
    figure('acks meanwhile', '', sampleOf(rounds.map(({ withMs }) => withMs.length))),
    figure(
      'longest ack meanwhile',
      'ms',
      longest(({ withMs }) => withMs),
    ),
    figure(
      'longest ack in as long a time afterwards',
      'ms',
      longest(({ withoutMs }) => withoutMs),
    ),
    figure('longer by', 'ms', sampleOf(added), { atMost: STALL_MS_MAX }),
    figure(
      'ack meanwhile, p99',
      'ms',
      p99(({ withMs }) => withMs),
    ),
    figure(
      'ack afterwards, p99',
      'ms',
      p99(({ withoutMs }) => withoutMs),
    ),
    figure(
      'longest time that the event loop stood still meanwhile',
      'ms',
      sampleOf(rounds.map(({ loopMs }) => loopMs)),
    ),
  ]
}

async function oneRound(folder: string, prepared: readonly PreparedWriter[]): Promise<Round> {
  const opened = await openHubFolder(folder)
  const heavy = new DocumentWorker({ clock: systemClock })
  const hub = openHub({ store: opened.store, ...hubOptions, heavy })
  const sessions = prepared.map((each) => openRawWriter(hub, each))
  const writers = sessions.map(({ writer }) => writer)
  await Promise.all(writers.map((writer) => writer.ready))
  const stop = new AbortController()
  const pushing = Promise.all(writers.map((writer) => pushSteadily(writer, stop.signal)))
  // The thread is there, as in a hub that runs for a while.
  await heavy.compact([yjsCrdt.updates.compact([])])
  await systemClock.sleep(500)
  if ((await opened.store.checkpoint(NAMESPACE)) !== null) throw new Error('it is folded already')

  const loop = monitorEventLoopDelay({ resolution: 1 })
  const startedAt = performance.now()
  loop.enable()
  await hub.checkpoint(NAMESPACE)
  const checkpointMs = performance.now() - startedAt
  await systemClock.sleep(DELETING_MS)
  loop.disable()
  const endedAt = performance.now()
  // As long again, once it is over: before it the process would still be warming up.
  await systemClock.sleep(100)
  const quietFrom = performance.now()
  await systemClock.sleep(endedAt - startedAt)
  const quietTo = performance.now()

  stop.abort()
  await pushing
  for (const { leave } of sessions) leave()
  await hub.close()
  await heavy.close()
  await opened.close()
  const answered = writers.flatMap((writer) => writer.answered)
  return {
    checkpointMs,
    withMs: latenciesBetween(answered, startedAt, endedAt),
    withoutMs: latenciesBetween(answered, quietFrom, quietTo),
    loopMs: loop.max / 1e6,
  }
}

const hubOptions = {
  updates: yjsCrdt.updates,
  domains: [weights],
  clock: systemClock,
  checkpoint: { bytesMin: Infinity },
  rebuild: 'never',
} as const

async function pushSteadily(writer: Writer, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    await writer.pushOne()
    await systemClock.sleep(PAUSE_MS)
  }
}

/** Of commits that were under way at any moment of that time. */
function latenciesBetween(answered: readonly Answered[], fromMs: number, toMs: number): readonly number[] {
  return answered
    .filter(({ pushedAtMs, ackedAtMs }) => ackedAtMs >= fromMs && pushedAtMs <= toMs)
    .map(({ pushedAtMs, ackedAtMs }) => ackedAtMs - pushedAtMs)
}

async function makeDocument(folder: string): Promise<void> {
  const opened = await openHubFolder(folder)
  const hub: Hub = openHub({ store: opened.store, ...hubOptions })
  const { writer, leave } = openRawWriter(hub, prepareOverwriter(NAMESPACE, 0, 10_000, systemClock.now()))
  await writer.ready
  await writer.pushAll()
  leave()
  await hub.close()
  await opened.close()
}

async function inFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'rejoin-bench-'))
  try {
    return await run(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
