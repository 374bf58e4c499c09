// What a hub's word stands for is what its store's answers stand for: told with the greeting and with every ack.
import type { Durability } from '@rejoin/core'
import { MapHubStore } from '@rejoin/testkit'
import { expect, test } from 'vitest'
import { Author, Line, openWorld, settle } from './world.ts'

test.each<Durability>(['durable', 'applied'])(
  '[3] the greeting, an ack and a duplicate’s ack of a hub whose store is %s say so',
  async (durability) => {
    const world = openWorld({ store: new MapHubStore({ durability }) })
    const ada = new Author(world.clock)
    const line = new Line(world).hello(ada)
    await settle()
    const commit = ada.note('milk')
    line.push(null, commit)
    await settle()
    const [{ epoch } = { epoch: null }] = line.of('Tail').map(({ cursor }) => cursor)
    line.push(epoch, commit)
    await settle()
    expect(line.of('Welcome')).toMatchObject([{ path: 'unknown', durability }])
    expect(line.of('Ack')).toMatchObject([
      { counter: 1, duplicate: false, durability },
      { counter: 1, duplicate: true, durability },
    ])
    // So is each greeting of a catch-up that needs more than one.
    const late = new Line(world).hello(new Author(world.clock))
    await settle()
    expect(late.of('Welcome').map((welcome) => welcome.durability)).toEqual([durability])
    await world.hub.close()
  },
)
