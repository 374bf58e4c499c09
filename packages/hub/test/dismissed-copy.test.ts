/** Two hubs over one store, and two copies of a replica's folder: what one hub dismissed is in no log, so nothing builds on it. */
import { VirtualClock, MapHubStore } from '@rejoin/testkit'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { expect, test } from 'vitest'
import { verifyNamespace } from '../src/index.ts'
import { Author, Line, NAMESPACE, openWorld, settle, textsOf } from './world.ts'

test('[1] [11] what was dismissed while it waited is not there for the next push to build on', async () => {
  const clock = new VirtualClock(1)
  const store = new MapHubStore()
  const [near, far] = [openWorld({ store, clock }), openWorld({ store, clock })]
  const first = new Author(clock)
  const opening = new Line(near).hello(first)
  await settle()
  const seed = first.note('seed')
  opening.push(null, seed)
  await settle()
  const epoch = opening.cursor?.epoch ?? null
  const waiting = new Author(clock, [seed.update])
  const landing = new Author(clock, [seed.update], waiting.replica)
  const [dismissed, accepted] = [new Line(near).hello(waiting), new Line(far).hello(landing)]
  await settle()
  clock.advance(5)
  const landed = landing.note('bread')
  clock.advance(5)
  const lost = waiting.note('milk')
  accepted.push(epoch, landed)
  dismissed.push(epoch, lost)
  await settle()
  expect(accepted.story).toContain('Ack:1@2')
  const later = new Author(clock, [seed.update, lost.update])
  const line = new Line(near).hello(later)
  await settle()
  line.push(
    epoch,
    later.commit({ type: 'Forgotten', id: 'milk' }, { type: 'Noted', id: 'milk', text: 'other' }),
  )
  await settle()
  expect(line.story).toContain('UPDATE_UNKNOWN_ITEM')
  const fresh = new Line(near).hello(new Author(clock))
  await settle()
  expect(Object.keys(textsOf(fresh.updates))).toEqual(['bread', 'seed'])
  expect((await verifyNamespace(store, yjsCrdt.updates, NAMESPACE)).faults).toEqual([])
})
