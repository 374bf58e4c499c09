import { expect, test } from 'vitest'
import { createWorld } from 'rejoin/testing'
import { todo } from './todo.ts'

test('who is cut off loses nothing, and neither do the others', async () => {
  const world = await createWorld(todo, { replicas: 2 })
  const [ann, bob] = world.replicas
  await ann.apply({ type: 'ListAdded', id: 'home', title: 'Home' })
  await world.settle()
  await ann.partition()
  await ann.apply({ type: 'ItemDone', list: 'home', item: 'milk', text: 'Buy milk' })
  await ann.crash()
  await bob.apply({ type: 'ListAdded', id: 'work', title: 'Work' })
  await bob.apply({ type: 'ListRemoved', id: 'home' })
  await world.settle()
  expect(ann.tables.lists.get('work')).toEqual({ title: 'Work' })
  // Ann's item has lost its list meanwhile: everybody is told, and may restore it.
  const orphan = { kind: 'orphan', table: 'items', key: ['home', 'milk'] }
  for (const replica of world.replicas) expect(replica.conflicts()).toMatchObject([orphan])
  world.close()
})
