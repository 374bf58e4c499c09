// Whom a rebuild forgets stands in the log: whoever replays it, from wherever, forgets the same replicas.
import { expect, test } from 'vitest'
import fc from 'fast-check'
import { type HubStore } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { MapHubStore, type VirtualClock } from '@rejoin/testkit'
import { rebuildNamespace, verifyNamespace } from '../src/index.ts'
import { readCheckpoint } from '../src/document.ts'
import { openLog } from '../src/opening.ts'
import { Author, Line, NAMESPACE, openWorld, settle, type World } from './world.ts'

const { updates } = yjsCrdt
const DAY_MS = 24 * 60 * 60 * 1000

/** The log alone, as a repair leaves it that found no checkpoint to go on from. */
async function logOf(store: HubStore): Promise<MapHubStore> {
  const log = new MapHubStore()
  const tail = await store.readTail(NAMESPACE, 0, { records: 1_000, bytes: 10_000_000 })
  if (tail.kind === 'gap') throw new Error('it is trimmed')
  for (const { prev, body } of tail.records) await log.append(NAMESPACE, prev, body)
  return log
}

async function replay(store: HubStore) {
  const { marks } = await openLog(store, updates, NAMESPACE)
  if (marks === null) throw new Error('it holds nothing')
  return marks.parts()
}

async function write(
  { world, author }: { world: World; author: Author },
  id = `n${author.counter}`,
): Promise<void> {
  const line = new Line(world).hello(author)
  await settle()
  line.push(line.cursor?.epoch ?? null, author.note(id, `${id} as of ${author.counter}`))
  await settle()
  line.channel.close({ code: 'HUB_CLOSING', message: '' })
  await settle()
}

/** Rebuilds, and the process ends right before `step`. */
async function killedBefore(
  step: 'installCheckpoint' | 'trim',
  store: MapHubStore,
  clock: VirtualClock,
  beforeMs: number,
): Promise<void> {
  const killed = new Error('killed')
  store[step] = async () => await Promise.reject(killed)
  await expect(rebuildNamespace(store, updates, NAMESPACE, clock, undefined, beforeMs)).rejects.toBe(killed)
  Reflect.deleteProperty(store, step)
}

const writes = fc.array(
  fc.record({ who: fc.nat({ max: 3 }), days: fc.nat({ max: 60 }), late: fc.boolean() }),
  {
    minLength: 1,
    maxLength: 8,
  },
)

test('[5] [13] marks folded from the log are those of the checkpoint after a rebuild that forgets, wherever it was killed', async () => {
  let forgettings = 0
  await fc.assert(
    fc.asyncProperty(writes, fc.integer({ min: 0, max: 120 }), async (steps, age) => {
      const world = openWorld()
      const { clock, store } = world
      clock.advance(1_000 * DAY_MS)
      const authors = [0, 1, 2, 3].map(() => new Author(clock))
      for (const { who, days, late } of steps) {
        const author = authors[who]
        if (author === undefined) throw new Error('nobody')
        if (!late) clock.advance(days * DAY_MS)
        await write({ world, author })
      }
      await world.hub.close()
      const beforeMs = clock.now() - age * DAY_MS + 1
      const [whole, uninstalled, untrimmed] = await Promise.all([logOf(store), logOf(store), logOf(store)])
      const { forgotten } = await rebuildNamespace(whole, updates, NAMESPACE, clock, undefined, beforeMs)
      await killedBefore('installCheckpoint', uninstalled, clock, beforeMs)
      await killedBefore('trim', untrimmed, clock, beforeMs)
      const kept = (await readCheckpoint(whole, NAMESPACE))?.stored.marks.parts()
      expect(kept?.replicas.size).toBe(new Set(steps.map(({ who }) => who)).size - forgotten)
      expect(await replay(uninstalled)).toEqual(kept)
      expect(await replay(untrimmed)).toEqual(kept)
      expect(await replay(await logOf(untrimmed))).toEqual(kept)
      if (forgotten > 0) forgettings++
    }),
    { numRuns: 30 },
  )
  expect(forgettings).toBeGreaterThan(0)
})

test('[5] [13] what a forgotten replica logs later is sound with the checkpoint and without, also under ids that are there already', async () => {
  const world = openWorld()
  const { clock } = world
  const store = world.store as MapHubStore
  const [ada, bea] = [new Author(clock), new Author(clock)]
  for (const author of [ada, ada, ada, bea, bea]) await write({ world, author })
  await world.hub.close()
  clock.advance(DAY_MS)
  await killedBefore('trim', store, clock, clock.now())
  const later = openWorld({ store, clock })
  // Both were reset: Ada goes on behind what she has, Bea makes again what she was never told to be in the log.
  const rebuilt = await (await readCheckpoint(store, NAMESPACE))?.snapshot()
  const base = rebuilt === undefined ? [] : [rebuilt]
  const [again, copy] = [new Author(clock, base, ada.replica), new Author(clock, base, bea.replica)]
  again.counter = ada.counter
  // Over what the rebuild made.
  for (const author of [again, again, copy]) await write({ world: later, author }, 'n1')
  await later.hub.close()
  expect((await replay(store)).replicas.get(ada.replica)?.counter).toBe(5)

  const sound = await verifyNamespace(store, updates, NAMESPACE)
  expect(sound).toMatchObject({ records: 9, faults: [] })
  const log = await logOf(store)
  expect(await verifyNamespace(log, updates, NAMESPACE)).toMatchObject({
    commits: 8,
    digest: sound.digest,
    faults: [],
  })
  expect(await replay(log)).toEqual(await replay(store))
  expect(await verifyNamespace(log, updates, NAMESPACE)).toMatchObject({ faults: [] })
})
