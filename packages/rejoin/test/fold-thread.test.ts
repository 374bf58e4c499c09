// A client's thread for folding: the same snapshot as without it, started late and ended early, holding up nobody.
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { HlcClock, planWrites, type ReplicaStep, type ReplicaStore } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { openReplicaFolder } from '@rejoin/persistence-level/node'
import { foldBase } from '@rejoin/replica'
import { VirtualClock } from '@rejoin/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { intents, openClient } from 'rejoin'
import { connectedReplicas } from '../src/wiring/connected-replicas.ts'
import { FoldThread } from '../src/wiring/fold-thread.ts'

const { updates } = yjsCrdt

/** Updates of one document, a kilobyte each. */
function baseOf(kilobytes: number): readonly Uint8Array[] {
  const clock = new VirtualClock(1)
  const hlc = new HlcClock('A'.repeat(22), null)
  const document = yjsCrdt.open(5_000, [])
  return Array.from({ length: kilobytes }, (_, i) => {
    const stamp = hlc.tick(clock.now())
    const op = { type: 'DomainDescription', domain: `d${i}`, description: 'x'.repeat(1_000) }
    const update = document.write(planWrites(intents, [op], document, stamp, 'optional'), stamp)
    if (update === null) throw new Error('it changed nothing')
    return update
  })
}

const threads: Worker[] = []
const count = (thread: Worker): void => void threads.push(thread)
const folds: FoldThread[] = []
let folder = ''
beforeEach(async () => {
  process.on('worker', count)
  folder = await mkdtemp(path.join(tmpdir(), 'rejoin-fold-'))
})
afterEach(async () => {
  for (const fold of folds.splice(0)) await fold.close()
  process.off('worker', count)
  threads.length = 0
  await rm(folder, { recursive: true, force: true })
})

function open(options: ConstructorParameters<typeof FoldThread>[0] = {}): FoldThread {
  const fold = new FoldThread(options)
  folds.push(fold)
  return fold
}

/** A replica that has taken this in and was closed before anything was folded. */
async function keep(base: readonly Uint8Array[]): Promise<void> {
  const kept = await openReplicaFolder(folder)
  const identity = { replica: 'A'.repeat(22), clientId: 6_000, domain: 'intents', domainVersion: 1 }
  await kept.replica('support').record([
    { kind: 'create', identity },
    {
      kind: 'remote',
      updates: base,
      settled: [],
      cursor: { epoch: 1, seq: base.length, tag: '0'.repeat(16) },
      hlc: null,
    },
  ])
  await kept.close()
}

const exitOf = (thread: Worker | undefined): Promise<unknown> =>
  new Promise((resolve) => thread?.once('exit', resolve))

test('folds as it is folded without it, on a thread that starts with the first fold', async () => {
  const fold = open()
  expect(threads).toHaveLength(0)
  const base = baseOf(5)
  const before = base.map((part) => Buffer.from(part).toString('hex'))
  const { snapshot, held } = await fold.fold(base)
  expect({ snapshot, held }).toEqual(foldBase(updates, base))
  expect(await fold.read(snapshot)).toMatchObject(held)
  expect(base.map((part) => Buffer.from(part).toString('hex'))).toEqual(before)
  expect(threads).toHaveLength(1)
})

test('[14] a thread that has had nothing to do for a while ends, and the next fold has another', async () => {
  const clock = new VirtualClock(1)
  const fold = open({ clock, idleMsMax: 1_000 })
  await fold.fold(baseOf(1))
  clock.advance(999)
  await fold.fold(baseOf(1))
  expect(threads).toHaveLength(1)
  const ended = exitOf(threads[0])
  clock.advance(999)
  await fold.fold(baseOf(1))
  expect(threads).toHaveLength(1)
  clock.advance(1_000)
  await ended
  expect((await fold.fold(baseOf(2))).held).toEqual(foldBase(updates, baseOf(2)).held)
  expect(threads).toHaveLength(2)
})

test('what goes wrong with the thread is told as this side’s, bytes that do not read as what they are', async () => {
  const dying = open({ start: () => new Worker('process.exit(3)', { eval: true }) })
  await expect(dying.fold(baseOf(1))).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    message: expect.stringContaining('the document thread died') as string,
  })
  await expect(open().fold([Uint8Array.of(1, 2, 3)])).rejects.toMatchObject({ code: 'UPDATE_MALFORMED' })
})

test('a process ends with a fold under way', async () => {
  const script = `
    const { FoldThread } = await import('${new URL('../src/wiring/fold-thread.ts', import.meta.url).href}')
    const { Worker } = await import('node:worker_threads')
    const start = () => new Worker('setInterval(() => {}, 1000)', { eval: true })
    void new FoldThread({ start }).fold([new Uint8Array(1_000_000)])
    console.log('begun')`
  const run = promisify(execFile)(
    process.execPath,
    ['--conditions=@rejoin/source', '--import', 'tsx', '--input-type=module', '-e', script],
    { timeout: 60_000, cwd: import.meta.dirname },
  )
  expect((await run).stdout).toBe('begun\n')
})

test('[4] a client folds a large base on its thread, which ends with the client', async () => {
  const base = baseOf(300)
  await keep(base)
  const kept = await openReplicaFolder(folder)
  let folded: (step: ReplicaStep | undefined) => void = () => {}
  const done = new Promise<ReplicaStep | undefined>((resolve) => (folded = resolve))
  const watched = (store: ReplicaStore): ReplicaStore => ({
    durability: store.durability,
    load: () => store.load(),
    record: async (steps) => {
      await store.record(steps)
      const step = steps.find(({ kind }) => kind === 'snapshot')
      if (step !== undefined) folded(step)
    },
    close: () => store.close(),
  })
  const keeper = {
    replica: (name: Parameters<typeof kept.replica>[0]) => watched(kept.replica(name)),
    close: () => kept.close(),
  }
  const client = connectedReplicas(keeper, null, null, open())
  const replica = await client.open(intents, 'support')
  expect(await done).toMatchObject({ snapshot: updates.compact(base) })
  expect(threads).toHaveLength(1)
  const ended = exitOf(threads[0])
  const document = replica.encode()
  await client.close()
  await ended
  const again = await openReplicaFolder(folder)
  const stored = await again.replica('support').load()
  expect(stored).toMatchObject({ updateBytes: 0, cursor: { seq: 300 } })
  expect(stored?.base).toEqual([updates.compact(base)])
  expect(updates.digest([document])).toBe(updates.digest(base))
  await again.close()
})

test('[4] openClient starts no thread for a small base; for a large one it closes when that is folded', async () => {
  await keep(baseOf(100))
  const small = await openClient({ data: folder })
  await small.open(intents, 'support')
  await small.close()
  expect(threads).toHaveLength(0)
  await rm(folder, { recursive: true, force: true })
  await keep(baseOf(300))
  const started = new Promise<Worker>((resolve) => process.once('worker', resolve))
  const large = await openClient({ data: folder })
  await large.open(intents, 'support')
  const ended = exitOf(await started)
  // At once, as a command does.
  await large.close()
  await ended
  const again = await openReplicaFolder(folder)
  expect((await again.replica('support').load())?.base).toHaveLength(1)
  await again.close()
})
