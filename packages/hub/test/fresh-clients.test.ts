/** Client ids that begin at one place make every reader search: how many a hub lets in, and what it does then. */
import { expect, test } from 'vitest'
import { limits, type Epoch, type PushedCommit } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { verifyNamespace } from '../src/index.ts'
import { inlineWork } from '../src/heavy-work.ts'
import { clientsMax, isWeighingDue } from '../src/fresh-clients.ts'
import { isRebuildDue } from '../src/rebuild-policy.ts'
import { Author, Line, NAMESPACE, openWorld, pass, settle, textsOf } from './world.ts'

const weight = (structs: number, scanSteps = 0) => ({
  liveBytes: 0,
  deadBytes: 0,
  liveStructs: structs,
  deadStructs: 0,
  scanSteps,
})

test('[14] E1 as many new client ids are let in as could pass all that is there, and at half of that it is weighed', () => {
  const document = { clients: 7, snapshotBytes: 1_000_000, weight: weight(10_000), bytesAfter: 0 }
  expect(clientsMax(document)).toBe(7 + limits.freshScanStepsMax / 10_000)
  expect(isWeighingDue(document, 7 + limits.freshScanStepsMax / 20_000)).toBe(true)
  expect(isWeighingDue(document, 6 + limits.freshScanStepsMax / 20_000)).toBe(false)
  // What nobody has weighed is taken for as many runs as its bytes can hold.
  expect(clientsMax({ ...document, snapshotBytes: 100_000, weight: null })).toBe(
    7 + limits.freshScanStepsMax / (100_000 / limits.runBytesMin),
  )
  expect(clientsMax({ ...document, weight: weight(1) })).toBe(7 + Math.floor(limits.freshScanStepsMax ** 0.5))
  expect(clientsMax({ ...document, snapshotBytes: 1e9, weight: null })).toBe(7 + limits.freshClientsMin)
  expect(isWeighingDue({ clients: 0, snapshotBytes: 0, weight: null, bytesAfter: 0 }, 0)).toBe(false)
})

test('[14] E1 a document that is found to cost its readers too much takes no further one until it is rebuilt', () => {
  const policy = { factor: Infinity, bytesMin: Infinity }
  expect(isRebuildDue(weight(10, limits.scanStepsRebuild), policy)).toBe(false)
  expect(isRebuildDue(weight(10, limits.scanStepsRebuild + 1), policy)).toBe(true)
  const document = { clients: 7, snapshotBytes: 100, bytesAfter: 0 }
  expect(clientsMax({ ...document, weight: weight(10, limits.scanStepsMax) })).toBeGreaterThan(7)
  expect(clientsMax({ ...document, weight: weight(10, limits.scanStepsMax + 1) })).toBe(0)
})

/** One replica that writes every commit under another client id, at the start of the array. */
class Stranger {
  readonly author: Author
  readonly commits: PushedCommit[] = []
  #client = 1_000_000

  constructor(author: Author) {
    this.author = author
  }

  more(count: number): void {
    for (let i = 0; i < count; i++) {
      const { author } = this
      const doc = yjsCrdt.open(this.#client++, [])
      const { doc: own } = author
      Object.assign(author, { doc })
      this.commits.push(author.note(`n${author.counter % 10}`))
      Object.assign(author, { doc: own })
    }
  }
}

test('[3] [11] [14] E1 a stranger who brings client ids without end waits for a checkpoint, and the document is rebuilt', async () => {
  const work = inlineWork(yjsCrdt.updates)
  // The first checkpoint takes as long as the stranger needs to go too far.
  let open = (): void => {}
  const gate = new Promise<void>((resolve) => (open = resolve))
  const compact = async (parts: readonly Uint8Array[]) => {
    await gate
    return await work.compact(parts)
  }
  const world = openWorld({ checkpoint: { bytesMin: 1e9 }, heavy: { ...work, compact } })
  const stranger = new Stranger(new Author(world.clock))
  const line = new Line(world).hello(stranger.author)
  await settle()
  let epoch: Epoch | null = null
  let clientsMost = 0
  while (world.hub.metrics().rebuilds === 0) {
    stranger.more(2_000)
    const acked = line.of('Ack').at(-1)?.counter ?? 0
    for (let from = acked; from < stranger.commits.length; from += limits.pushCommitsMax)
      line.push(epoch, ...stranger.commits.slice(from, from + limits.pushCommitsMax))
    await settle()
    if (line.story.includes('RATE_LIMITED')) open()
    epoch = line.of('Tail').at(-1)?.cursor.epoch ?? epoch
    clientsMost = Math.max(clientsMost, line.of('Ack').at(-1)?.counter ?? 0)
    await pass(world.clock, 100)
    expect(stranger.commits.length).toBeLessThan(50_000)
  }
  // Refused as what may be tried again; and after each checkpoint it went on.
  expect(line.story).toContain('RATE_LIMITED')
  expect(line.of('Refused').every(({ retryable }) => retryable)).toBe(true)
  // Those that cost a rebuild, and what comes until a checkpoint has weighed them.
  expect((clientsMost * clientsMost) / 2).toBeLessThan(limits.scanStepsMax + limits.freshScanStepsMax)
  expect((await verifyNamespace(world.store, yjsCrdt.updates, NAMESPACE)).faults).toEqual([])
  const honest = new Author(world.clock)
  const reader = new Line(world).hello(honest)
  await settle()
  reader.push(reader.cursor?.epoch ?? null, honest.note('welcome'))
  await settle()
  expect(reader.story).toMatch(/Ack:1@\d+/)
  expect(textsOf(reader.updates)).toMatchObject({ n1: 'text of n1' })
})

test('[14] E1 five hundred honest replicas that take turns are never refused, however seldom it is folded', async () => {
  const world = openWorld({ checkpoint: { bytesMin: 1e9 } })
  const reader = new Line(world).hello(new Author(world.clock))
  await settle()
  for (let i = 0; i < 500; i++) {
    const author = new Author(world.clock, [], `${String(i).padStart(4, '0')}${'A'.repeat(17)}A`)
    Object.assign(author, { doc: yjsCrdt.open(9_000 + i, reader.updates) })
    const line = new Line(world).hello(author, reader.cursor)
    await new Promise((resolve) => setImmediate(resolve))
    line.push(reader.cursor?.epoch ?? null, author.note(`n${i % 10}`))
    await settle()
    expect(line.story).toMatch(/Ack:1@/)
    line.channel.close()
  }
  expect(world.hub.metrics()).toMatchObject({ rebuilds: 0 })
}, 60_000)
