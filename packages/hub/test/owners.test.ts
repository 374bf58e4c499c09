// A replica's id belongs to the principal that used it first: nobody else goes on in its name, whatever becomes of the hub.
import { MapHubStore } from '@rejoin/testkit'
import { expect, test } from 'vitest'
import { anyone, type Principal } from '../src/index.ts'
import { Author, Line, NAMESPACE, openWorld, settle, type World } from './world.ts'

const principal = (id: string): Principal => ({ ...anyone, id, name: id })
const [ada, bob] = [principal('user:ada'), principal('user:bob')]

async function greet(world: World, author: Author, as: Principal): Promise<Line> {
  const line = new Line(world, as).hello(author)
  await settle()
  return line
}

async function pushing(world: World, author: Author, as: Principal, id: string): Promise<Line> {
  const line = await greet(world, author, as)
  line.push(line.cursor?.epoch ?? null, author.note(id))
  await settle()
  return line
}

test('[11] the first admitted push binds it; another principal is refused, and the log stays as it was', async () => {
  const world = openWorld()
  const author = new Author(world.clock)
  await pushing(world, author, ada, 'milk')
  const before = (await world.store.heads([NAMESPACE])).get(NAMESPACE)
  const other = await greet(world, author, bob)
  expect(other.story).toBe('Refused:room:REPLICA_TAKEN Closing:REPLICA_TAKEN')
  expect(other.of('Refused')[0]?.message).toMatch(/belongs to whoever used it first.*sign in as before/)
  expect((await world.store.heads([NAMESPACE])).get(NAMESPACE)).toEqual(before)
  // Its owner goes on, by as many connections as it likes.
  await greet(world, author, ada)
  expect((await pushing(world, author, ada, 'bread')).story).toMatch(/Ack:2@2/)
})

test('two who greet in the name of one replica before it has pushed: the first push decides', async () => {
  const world = openWorld()
  const author = new Author(world.clock)
  const adas = await greet(world, author, ada)
  const bobs = await greet(world, author, bob)
  const commit = author.note('milk')
  adas.push(null, commit)
  bobs.push(null, commit)
  await settle()
  expect(adas.story).toMatch(/Ack:1@1/)
  expect(bobs.story).toMatch(/Refused:1:REPLICA_TAKEN/)
  expect(bobs.story).not.toMatch(/Ack/)
})

test.each(['a restart', 'a checkpoint and a restart', 'a rebuild and a restart'])(
  'it is still bound after %s',
  async (what) => {
    const store = new MapHubStore()
    const first = openWorld({ store })
    const author = new Author(first.clock)
    await pushing(first, author, ada, 'milk')
    if (what.startsWith('a checkpoint')) await first.hub.checkpoint(NAMESPACE)
    if (what.startsWith('a rebuild')) await first.hub.rebuild(NAMESPACE)
    await first.hub.close()
    const again = openWorld({ store })
    const line = new Line(again, bob).hello(author, null, { capabilities: ['delta', 'rebuild'] })
    await settle()
    expect(line.story).toMatch(/Refused:room:REPLICA_TAKEN/)
    const owners = new Line(again, ada).hello(author, null, { capabilities: ['delta', 'rebuild'] })
    await settle()
    expect(owners.story).toMatch(/^Welcome/)
  },
)

test('where nobody signs in nothing is bound, and what was made so belongs to who signs in first', async () => {
  const world = openWorld()
  const author = new Author(world.clock)
  await pushing(world, author, anyone, 'milk')
  await pushing(world, author, bob, 'bread')
  expect((await greet(world, author, ada)).story).toMatch(/Refused:room:REPLICA_TAKEN/)
  expect((await pushing(world, author, bob, 'salt')).story).toMatch(/Ack:3@3/)
})
