// [14] How large a document may become: at the bound what adds something waits, everything else goes on, and folding makes room.
import { expect, test } from 'vitest'
import { limits, mayPlainReturn } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { MapHubStore, VirtualClock } from '@rejoin/testkit'
import { inlineWork, openHub } from '../src/index.ts'
import { PlainClient } from './plain-client.ts'
import { Author, Line, NAMESPACE, notes, openWorld, pass, settle, textsOf, type World } from './world.ts'

const text = 'x'.repeat(1_000)

/** What its hub knows of the document's bytes. */
const heldBy = ({ hub }: World): number => {
  const [room] = hub.status().rooms
  if (room === undefined) throw new Error('nobody is in the room')
  return room.bytesAfterCheckpoint
}

/** A document of ten kilobytes whose next commit is `room` bytes smaller than what there is room for. */
async function nearlyFull(room: number | 'none', pipelined = false) {
  const clock = new VirtualClock(1)
  const store = new MapHubStore()
  const first = openWorld({ store, clock })
  const ada = new Author(clock)
  const writer = new Line(first).hello(ada)
  await settle()
  for (let i = 0; i < 10; i++) writer.push(writer.cursor?.epoch ?? null, ada.note(`n${i}`, text))
  await settle()
  const held = heldBy(first)
  writer.channel.close()
  await settle()
  await first.hub.close()
  const commits = pipelined ? [ada.note('before', text), ada.note('next', text)] : [ada.note('next', text)]
  const bytes = commits.reduce((sum, { update }) => sum + update.length, 0)
  const folds = { failing: true }
  const work = inlineWork(yjsCrdt.updates)
  const heavy = {
    ...work,
    compact: async (parts: readonly Uint8Array[]) => {
      if (folds.failing) throw new Error('not now')
      return work.compact(parts)
    },
  }
  const world = openWorld({
    store,
    clock,
    heavy,
    documentBytesMax: room === 'none' ? held : held + bytes + room,
  })
  const line = new Line(world).hello(ada)
  await settle()
  const epoch = line.cursor?.epoch ?? null
  line.forget()
  return { world, ada, line, epoch, commits, folds, held }
}

test.each([
  [1, 'Ack:11'],
  [0, 'Ack:11'],
  [-1, 'Refused:11:DOCUMENT_TOO_LARGE'],
])('[14] a commit that leaves room for %i bytes more', async (room, answer) => {
  const { world, line, epoch, commits, held } = await nearlyFull(room)
  line.push(epoch, ...commits)
  await settle()
  expect(line.story).toContain(answer)
  expect(heldBy(world) > held).toBe(answer.startsWith('Ack'))
})

test('[14] what waits for its append counts, too', async () => {
  const fits = await nearlyFull(0, true)
  fits.line.push(fits.epoch, ...fits.commits)
  await settle()
  expect(fits.line.of('Ack')).toHaveLength(2)
  const { line, epoch, commits } = await nearlyFull(-1, true)
  line.push(epoch, ...commits)
  await settle()
  expect(line.of('Ack').map(({ counter }) => counter)).toEqual([11])
  expect(line.of('Refused')).toMatchObject([{ counter: 12, code: 'DOCUMENT_TOO_LARGE', retryable: true }])
})

test('[10] [11] the refusal says what to do and leaves nothing; readers are served, and what only removes is let in', async () => {
  const { world, ada, line, epoch, commits, held } = await nearlyFull('none')
  line.push(epoch, ...commits)
  await settle()
  const [refusal] = line.of('Refused')
  expect(refusal?.message).toContain(`${NAMESPACE} holds ${held} of at most`)
  expect(refusal?.message).toContain('remove what is not needed')
  expect(refusal?.retryAfterMs).toBeGreaterThan(0)
  expect(heldBy(world)).toBe(held)
  const reader = new Line(world).hello(new Author(world.clock))
  await settle()
  expect(Object.keys(textsOf(reader.updates))).toHaveLength(10)
  // Of somebody who has nothing waiting.
  const bob = new Author(world.clock, reader.updates)
  if (bob.doc.newestHlc !== null) bob.hlc.absorb(bob.doc.newestHlc)
  const remover = new Line(world).hello(bob, reader.cursor)
  await settle()
  remover.push(epoch, bob.commit({ type: 'Forgotten', id: 'n1' }))
  await settle()
  expect(remover.of('Ack')).toHaveLength(1)
  expect(Object.keys(textsOf(reader.updates))).toHaveLength(9)
  expect(ada.counter).toBe(11)
})

test('[14] the log is folded first where that may make room, and the same commit is taken then', async () => {
  const { world, line, epoch, commits, folds, held } = await nearlyFull(-1)
  folds.failing = false
  expect(world.hub.metrics().checkpoints).toBe(0)
  line.push(epoch, ...commits)
  await settle()
  expect(line.of('Refused')).toMatchObject([{ code: 'DOCUMENT_TOO_LARGE' }])
  expect(world.hub.metrics().checkpoints).toBe(1)
  // A record holds the ops as well, so what is folded is half of it.
  line.push(epoch, ...commits)
  await settle()
  expect(line.of('Ack')).toMatchObject([{ counter: 11 }])
  expect(heldBy(world)).toBeLessThan(held)
})

test('[14] it is not folded for every refusal anew, and again after a while', async () => {
  const clock = new VirtualClock(1)
  const world = openWorld({ clock, documentBytesMax: 5_000 })
  const [ada, bob] = [new Author(clock), new Author(clock)]
  const [line, other] = [new Line(world).hello(ada), new Line(world).hello(bob)]
  await settle()
  line.push(null, ada.note('a', 'x'.repeat(4_000)))
  await settle()
  const epoch = line.cursor?.epoch ?? null
  const big = bob.note('b', 'x'.repeat(4_900))
  const refuse = async (): Promise<number> => {
    other.push(epoch, big)
    await settle()
    return world.hub.metrics().checkpoints
  }
  expect(await refuse()).toBe(1)
  // There is nothing new to fold.
  await pass(clock, limits.documentFoldMsMin)
  expect(await refuse()).toBe(1)
  line.push(epoch, ada.commit({ type: 'Forgotten', id: 'a' }))
  await settle()
  expect(await refuse()).toBe(2)
  line.push(epoch, ada.note('c', 'y'.repeat(10)), ada.commit({ type: 'Forgotten', id: 'c' }))
  await settle()
  expect(await refuse()).toBe(2)
  await pass(clock, limits.documentFoldMsMin)
  expect(await refuse()).toBe(3)
})

test('[14] a plain client is held to the same, and may come again', async () => {
  const { world, held } = await nearlyFull(-1)
  const client = new PlainClient(world.clock, 7_000).connect(world.hub)
  await settle()
  expect(Object.keys(client.texts)).toHaveLength(10)
  client.note('big', 'x'.repeat(2_000))
  await settle()
  expect(client.closedWith?.code).toBe('DOCUMENT_TOO_LARGE')
  expect(mayPlainReturn('DOCUMENT_TOO_LARGE')).toBe(true)
  expect(heldBy(world)).toBe(held)
})

test.each([0, 1.5, limits.messageDownBytesMax])(
  '[14] %d bytes are no bound for a document',
  (documentBytesMax) => {
    const store = new MapHubStore()
    const open = (): unknown =>
      openHub({
        store,
        updates: yjsCrdt.updates,
        domains: [notes],
        clock: new VirtualClock(1),
        documentBytesMax,
      })
    expect(open).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }))
  },
)
