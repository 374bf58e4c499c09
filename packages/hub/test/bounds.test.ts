// [14] Bounds at which a hub refuses, does something by itself, or gives up, as they are where nobody sets them.
import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { formatHlc, limits, parseHlc, SyncError } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { VirtualClock } from '@rejoin/testkit'
import { inlineWork, type HeavyWork } from '../src/heavy-work.ts'
import { defaultRebuildPolicy, isRebuildDue } from '../src/rebuild-policy.ts'
import { retrying, storeRetryMs } from '../src/waiting.ts'
import { PlainClient } from './plain-client.ts'
import { Author, Line, NAMESPACE, openWorld, pass, settle } from './world.ts'

test('[14] a document is rebuilt once its dead content is above what is worth it', () => {
  const due = (deadBytes: number): boolean => {
    const weight = { liveBytes: 10, deadBytes, liveStructs: 1, deadStructs: 1_000, scanSteps: 0 }
    return isRebuildDue(weight, defaultRebuildPolicy)
  }
  const { rebuildBytesMin: bytes } = limits
  expect([bytes - 1, bytes, bytes + 1].map(due)).toEqual([false, false, true])
})

test('[14] a log is folded once it is above what is worth it, and not before', async () => {
  const world = openWorld()
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  await settle()
  const logged = (): number => world.hub.metrics().bytesLogged
  const write = async (bytes: number): Promise<void> => {
    line.push(line.cursor?.epoch ?? null, ada.note('n', 'x'.repeat(bytes)))
    await settle()
  }
  await write(1_000)
  // A commit has its text twice: in its op and in its update.
  const overhead = logged() - 2_000
  await write(Math.floor((limits.checkpointBytesMin - logged() - overhead) / 2) - 10)
  expect(logged()).toBeLessThanOrEqual(limits.checkpointBytesMin)
  expect(logged()).toBeGreaterThan(limits.checkpointBytesMin - 100)
  expect(world.hub.metrics().checkpoints).toBe(0)
  await write(0)
  expect(world.hub.metrics().checkpoints).toBe(1)
})

test('[14] a store that is away is tried so many times, waiting longer each time up to a bound', async () => {
  const clock = new VirtualClock(1)
  let tries = 0
  const away = retrying(clock, () => {
    tries++
    return Promise.reject(new SyncError('STORE_UNAVAILABLE', 'away'))
  }).catch((error: SyncError) => error.code)
  for (let i = 0; i < 20; i++) {
    await settle()
    clock.advanceToNext()
  }
  expect([await away, tries]).toEqual(['STORE_UNAVAILABLE', limits.storeAttemptsMax])
  const waits = Array.from({ length: 12 }, (_, i) => storeRetryMs(i + 1))
  expect([waits[0], waits[1], waits.at(-1)]).toEqual([
    limits.storeRetryMsMin,
    2 * limits.storeRetryMsMin,
    limits.storeRetryMsMax,
  ])
})

test.each([
  [limits.plainClientsMax - 1, null],
  [limits.plainClientsMax, null],
  [limits.plainClientsMax + 1, 'UPDATE_DISALLOWED'],
])('[14] a plain client’s update that begins %i client ids ends with %j', async (count, code) => {
  const world = openWorld()
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  await settle()
  line.push(null, ada.note('milk'))
  await settle()
  const plain = new PlainClient(world.clock, 9_000).connect(world.hub)
  await pass(world.clock, 1_000)
  const parts = Array.from({ length: count }, (_, i) => {
    const doc = new Y.Doc()
    doc.clientID = 20_000 + i
    doc.getArray('entries').insert(0, [['notes', `k${i}`, 'text', ada.hlc.last]])
    return Y.encodeStateAsUpdate(doc)
  })
  const { commits } = world.hub.metrics()
  plain.say({ type: 'Update', update: Y.mergeUpdates(parts) })
  await pass(world.clock, 1_000)
  expect(plain.closedWith?.code ?? null).toBe(code)
  expect(world.hub.metrics().commits - commits).toBe(code === null ? 1 : 0)
})

test('[14] a rebuild that another hub outruns each time is given up after so many tries, and nothing is changed', async () => {
  const first = openWorld()
  const { store, clock } = first
  const bob = new Author(clock)
  const theirs = new Line(first).hello(bob)
  await settle()
  theirs.push(null, bob.note('milk'))
  await settle()
  const epoch = theirs.cursor?.epoch ?? null
  const inline = inlineWork(yjsCrdt.updates)
  let tries = 0
  const outrun: HeavyWork = {
    ...inline,
    rebuild: async (parts) => {
      const made = await inline.rebuild(parts)
      theirs.push(epoch, bob.note(`n${++tries}`))
      await settle()
      return made
    },
  }
  const { hub } = openWorld({ store, clock, heavy: outrun })
  await expect(hub.rebuild(NAMESPACE)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  expect(tries).toBe(limits.rebuildTriesMax)
  expect(theirs.of('Ack')).toHaveLength(1 + limits.rebuildTriesMax)
  expect(theirs.cursor?.epoch).toBe(epoch)
  expect(hub.metrics()).toMatchObject({ rebuilds: 0, rebuildFailures: 1 })
})

test.each([
  [-1, 'Ack:1@1'],
  [0, 'Ack:1@1'],
  [1, 'Refused:1:HLC_AHEAD'],
])(
  '[14] a stamp that is %i ms beyond so far ahead of the hub’s clock is answered with %s',
  async (ms, answer) => {
    const world = openWorld()
    const ada = new Author(world.clock)
    const stamp = { ...parseHlc(ada.hlc.last), ms: world.clock.now() + limits.hlcAheadMsMax + ms, counter: 0 }
    ada.hlc.absorb(formatHlc(stamp))
    const line = new Line(world).hello(ada)
    await settle()
    line.push(null, ada.note('milk'))
    await settle()
    expect(line.story).toContain(answer)
    expect(world.hub.metrics().commits).toBe(answer.startsWith('Ack') ? 1 : 0)
  },
)
