import { expect, test } from 'vitest'
import { createWorld } from 'rejoin/testing'
import { todo } from './todo.ts'

test('who is cut off keeps his work, also through a crash, and nobody else loses his', async () => {
  const world = await createWorld(todo, { replicas: 2 })
  const [ann, bob] = world.replicas
  await ann!.apply({ type: 'ListAdded', id: 'home', title: 'Home' })
  await world.settle()
  await ann!.partition()
  await ann!.apply({ type: 'ItemDone', list: 'home', item: 'milk', text: 'Buy milk' })
  await ann!.crash()
  await bob!.apply({ type: 'ListAdded', id: 'work', title: 'Work' })
  await bob!.apply({ type: 'ListRemoved', id: 'home' })
  await world.settle()
  expect([...ann!.tables.lists.entries()].map(([id]) => id)).toEqual(['work'])
  expect([...bob!.tables.lists.entries()].map(([id]) => id)).toEqual(['work'])
  // Ann's item lost its list while she was away: it is told, and can be restored.
  expect(bob!.conflicts()).toMatchObject([{ kind: 'orphan', table: 'items', key: ['home', 'milk'] }])
  world.close()
})
