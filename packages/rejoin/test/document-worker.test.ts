// The hub's document thread: the same results as without it, and a code for whatever goes wrong with it.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, expect, test } from 'vitest'
import { HlcClock, planWrites } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { inlineWork } from '@rejoin/hub'
import { VirtualClock } from '@rejoin/testkit'
import { intents, openClient, startHub, type Replica } from 'rejoin'
import { DocumentWorker, type DocumentWorkerOptions } from '../src/wiring/document-worker.ts'
import { lengthsOf, piecesOf, unpack } from '../src/wiring/document-worker-messages.ts'
import { systemClock } from '../src/wiring/system-clock.ts'

const { updates } = yjsCrdt

/** Updates of one document, as views into one larger buffer, which is how a store's records hold them. */
function partsOf(commits: number): readonly Uint8Array[] {
  const clock = new VirtualClock(1)
  const hlc = new HlcClock('A'.repeat(22), null)
  const document = yjsCrdt.open(5_000, [])
  const parts: Uint8Array[] = []
  for (let i = 0; i < commits; i++) {
    const stamp = hlc.tick(clock.now())
    const op = { type: 'DomainDescription', domain: `d${i % 7}`, description: `text ${i}` }
    const update = document.write(planWrites(intents, [op], document, stamp, 'optional'), stamp)
    if (update !== null) parts.push(update)
  }
  const shared = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  return parts.map((part) => {
    shared.set(part, at)
    at += part.length
    return shared.subarray(at - part.length, at)
  })
}

const workers: DocumentWorker[] = []
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.close()
})

/** A worker whose threads are counted. */
function open(options: Partial<DocumentWorkerOptions> = {}) {
  const threads: Worker[] = []
  const count = (thread: Worker): void => void threads.push(thread)
  process.on('worker', count)
  const worker = new DocumentWorker({ clock: systemClock, ...options })
  workers.push(worker)
  return { worker, threads }
}

/** A thread that answers each job with what `code` makes of it. */
function threadOf(code: string): () => Worker {
  const source = `
    const { parentPort } = require('node:worker_threads')
    const done = (id) => parentPort.postMessage({ id, kind: 'done', result: { snapshot: new ArrayBuffer(0), digest: 'it' } })
    parentPort.on('message', ({ id, kind }) => { ${code} })`
  return () => new Worker(source, { eval: true })
}

const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'done',
    (error: { code: unknown }) => error.code,
  )

test('does what is done without it, in one thread that is started when it is needed', async () => {
  const { worker, threads } = open()
  const parts = partsOf(30)
  const before = parts.map((part) => Buffer.from(part).toString('hex'))
  expect(threads).toHaveLength(0)
  const [snapshot, rebuilt, digest, content] = await Promise.all([
    worker.compact(parts),
    worker.rebuild(parts),
    worker.digest(parts),
    worker.read(updates.compact(parts)),
  ])
  expect(snapshot).toEqual(updates.compact(parts))
  expect(rebuilt).toEqual(updates.rebuild(parts))
  expect(digest).toBe(updates.digest(parts))
  expect(content).toEqual(await inlineWork(updates).read(snapshot))
  // They stay the caller's.
  expect(parts.map((part) => Buffer.from(part).toString('hex'))).toEqual(before)
  expect(await worker.compact([])).toEqual(updates.compact([]))
  expect(threads).toHaveLength(1)
})

test('parts that travel in pieces arrive as they were, wherever they are cut', () => {
  const parts = [3, 700_000, 0, 262_144 - 3, 40, 300_000].map((length, i) =>
    new Uint8Array(length).fill(i + 1),
  )
  const pieces = [...piecesOf(parts)]
  expect(Math.max(...pieces.map(({ byteLength }) => byteLength))).toBe(256 * 1024)
  expect(pieces).toHaveLength(5)
  const received = unpack(lengthsOf(parts), pieces)
  expect(received.map((part, i) => Buffer.compare(part, parts[i] ?? part))).toEqual([0, 0, 0, 0, 0, 0])
  expect([...piecesOf([])]).toEqual([])
})

test('[14] while a large job is handed over, piece by piece, its giver does other things', async () => {
  const thread = threadOf("if (kind === 'compact') done(id)")
  let turn = 0
  const turns: number[] = []
  const { worker } = open({
    start: () => {
      const started = thread()
      const post = started.postMessage.bind(started)
      started.postMessage = (message: unknown, moved?: ArrayBuffer[]) => {
        turns.push(turn)
        post(message, moved ?? [])
      }
      return started
    },
  })
  const parts = [new Uint8Array(1024 * 1024), new Uint8Array(10)]
  const compacting = worker.compact(parts)
  for (; turns.length < 6; turn++) await new Promise((resolve) => setImmediate(resolve))
  await compacting
  // Five pieces and the job itself, with a turn of the event loop between one and the next.
  expect(turns).toHaveLength(6)
  expect(new Set(turns).size).toBeGreaterThan(3)
})

test('a job that fails ends with its code, and the thread goes on', async () => {
  const { worker, threads } = open()
  expect(await codeOf(worker.compact([Uint8Array.of(1, 2, 3)]))).toBe('UPDATE_MALFORMED')
  expect(await worker.digest([])).toBe(updates.digest([]))
  expect(threads).toHaveLength(1)
})

test.each([
  ['exits', 'process.exit(3)'],
  ['throws', 'throw new Error("out of memory")'],
])('a thread that %s fails the job that it was at; the others are done by the next one', async (_, code) => {
  const { worker, threads } = open({ start: threadOf(`if (kind === 'rebuild') { ${code} } else done(id)`) })
  const outcomes = [worker.digest([]), worker.rebuild([]), worker.digest([])].map(codeOf)
  expect(await Promise.all(outcomes)).toEqual(['done', 'HUB_INTERNAL', 'done'])
  expect(threads).toHaveLength(2)
})

test('a thread that cannot be started fails each job, and is tried again', async () => {
  let failing = true
  const thread = threadOf('done(id)')
  const { worker } = open({
    start: () => {
      if (failing) throw new Error('no threads left')
      return thread()
    },
  })
  expect(await Promise.all([worker.digest([]), worker.digest([])].map(codeOf))).toEqual([
    'HUB_INTERNAL',
    'HUB_INTERNAL',
  ])
  failing = false
  expect(await worker.digest([])).toBe('it')
})

test('[14] a job that takes too long is given up with its thread, and the next one has another', async () => {
  const clock = new VirtualClock(1)
  const { worker, threads } = open({
    clock,
    jobMsMax: 1_000,
    start: threadOf("if (kind === 'digest') done(id)"),
  })
  const outcomes = [worker.rebuild([]), worker.digest([])].map(codeOf)
  await new Promise((resolve) => setImmediate(resolve))
  clock.advance(1_000)
  expect(await Promise.all(outcomes)).toEqual(['TIMED_OUT', 'done'])
  expect(threads).toHaveLength(2)
})

test('[14] more than so many jobs do not wait', async () => {
  const { worker } = open({ waitingJobsMax: 2 })
  const outcomes = [1, 2, 3, 4].map(() => codeOf(worker.digest([])))
  expect(await Promise.all(outcomes)).toEqual(['done', 'done', 'done', 'RATE_LIMITED'])
})

test('when it is closed nothing is left: what waits fails, and the thread has ended', async () => {
  const { worker, threads } = open({ start: threadOf('') })
  const outcomes = [worker.rebuild([]), worker.digest([])].map(codeOf)
  await new Promise((resolve) => setImmediate(resolve))
  const exits = threads.map((thread) => new Promise((resolve) => thread.once('exit', resolve)))
  await worker.close()
  await Promise.all(exits)
  expect(await Promise.all(outcomes)).toEqual(['HUB_CLOSING', 'HUB_CLOSING'])
  expect(await codeOf(worker.digest([]))).toBe('HUB_CLOSING')
  expect(threads).toHaveLength(1)
})

test('[1] [22] [23] a hub rebuilds on it, and a live client makes the same document itself', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'rejoin-worker-'))
  const threads: Worker[] = []
  process.on('worker', (thread: Worker) => void threads.push(thread))
  const hub = await startHub({ data: path.join(folder, 'hub'), domains: [intents], port: 0 })
  const client = await openClient({ data: path.join(folder, 'client'), hub: hub.url })
  try {
    const replica = await client.open(intents, 'support')
    for (let i = 0; i < 20; i++)
      await replica.apply({
        type: 'PhraseAdded',
        intentId: intent(replica),
        phrase: `phrase ${i}`,
        lang: 'en',
      }).acked
    expect(threads).toHaveLength(0)
    const { epoch, digest } = await hub.rebuild('support')
    await untilStatus(replica, () => replica.status.cursor?.epoch === epoch)
    expect(threads).toHaveLength(1)
    expect(replica.status).toMatchObject({ divergence: null, lastError: null })
    expect(updates.rebuild([replica.encode()])).toEqual({ snapshot: replica.encode(), digest })
    expect((await hub.verify('support')).faults).toEqual([])
  } finally {
    await client.close()
    await hub.close()
    await rm(folder, { recursive: true, force: true })
  }
})

function intent(replica: Replica<typeof intents>): string {
  if (!replica.tables.intents.has('greet'))
    replica.apply({ type: 'IntentAdded', id: 'greet', phrasesByLang: {} })
  return 'greet'
}

async function untilStatus(replica: Replica<typeof intents>, holds: () => boolean): Promise<void> {
  if (holds()) return
  await new Promise<void>((resolve) => {
    const stop = replica.onStatus(() => {
      if (!holds()) return
      stop()
      resolve()
    })
  })
}
