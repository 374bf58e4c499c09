// Moments in which a room is being read anew, and two hubs that fold one log: neither is told as lost history or as a fault.
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { MapHubStore, VirtualClock } from '@rejoin/testkit'
import type { HubStore } from '@rejoin/core'
import { expect, test } from 'vitest'
import { openHub } from '../src/index.ts'
import { Author, Line, notes, NAMESPACE, openWorld, settle } from './world.ts'

test('[21] whoever greets while a rebuild is found is served, at whatever moment', async () => {
  for (let moment = 0; moment < 120; moment++) {
    const world = openWorld({ clock: new VirtualClock(1), store: new MapHubStore() })
    const author = new Author(world.clock)
    const line = new Line(world).hello(author)
    line.push(null, author.commit({ type: 'Noted', id: 'a', text: 'a' }))
    await settle()
    const rebuilt = world.hub.rebuild(NAMESPACE)
    for (let i = 0; i < moment; i++) await Promise.resolve()
    const comes = new Line(world).hello(new Author(world.clock), line.cursor)
    await rebuilt
    await settle()
    expect(comes.story, `after ${moment} microtasks`).not.toContain('Refused')
    await world.hub.close()
  }
})

test('[St5] a hub folds again where another one has trimmed the log meanwhile', async () => {
  const [clock, store] = [new VirtualClock(1), new MapHubStore()]
  const options = { updates: yjsCrdt.updates, domains: [notes], clock, retention: { commits: 1, bytes: 1 } }
  const world = openWorld({ clock, store, retention: { commits: 1, bytes: 1 } })
  const errors: string[] = []
  const slow = openHub({
    ...options,
    store: slowTails(store),
    log: ({ level, message }) => void (level === 'error' && errors.push(message)),
  })
  const author = new Author(clock)
  const line = new Line(world).hello(author)
  for (const id of ['a', 'b', 'c', 'd', 'e']) {
    line.push(line.cursor?.epoch ?? null, author.commit({ type: 'Noted', id, text: id }))
    await settle()
  }
  const folded = await Promise.all([slow.checkpoint(NAMESPACE), world.hub.checkpoint(NAMESPACE)])
  expect(folded.map(({ seq }) => seq)).toEqual([5, 5])
  expect(errors).toEqual([])
})

/** Reads of the log take a while: time for somebody else to trim it. */
function slowTails(store: MapHubStore): HubStore {
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'readTail') {
        return async (...args: Parameters<HubStore['readTail']>) => {
          await settle()
          return target.readTail(...args)
        }
      }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}
