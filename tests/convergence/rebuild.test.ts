// A rebuild between two concurrent edits must not turn one of them into the other's past: a recommit replaces only what
// its author had seen.
import { describe, expect, test } from 'vitest'
import { openEngineWorld } from 'rejoin/testing'
import { todo } from '@rejoin/examples/todo'

type Order = readonly [first: 0 | 1, second: 0 | 1]

describe.each<[string, Order]>([
  ['the earlier editor comes back first', [0, 1]],
  ['the later editor comes back first', [1, 0]],
])('after a rebuild, when %s', (_, [first, second]) => {
  test.each([
    ['kept running', false],
    ['were started anew', true],
  ])(
    '[10] fields that both replicas edited offline are a conflict, where the replicas %s',
    async (_name, restarts) => {
      const world = await openEngineWorld(todo, 2)
      try {
        await world.apply(0, { type: 'ListAdded', id: 'a', title: 'before' })
        await world.exchange(0, null)
        await world.exchange(1, null)
        await world.apply(0, { type: 'ListAdded', id: 'a', title: 'by the first' })
        await world.apply(1, { type: 'ListAdded', id: 'a', title: 'by the second' })
        await world.rebuild()
        if (restarts) for (const replica of [0, 1]) await world.restart(replica)
        for (const replica of [first, second, first]) await world.exchange(replica, null)
        const { replicas } = await world.observe()
        expect(replicas[0]).toEqual(replicas[1])
        expect(replicas[0]?.conflicts).toContain('by the first')
        expect(replicas[0]?.conflicts).toContain('by the second')
        expect(replicas[0]?.conflicts).not.toContain('before')
      } finally {
        await world.close()
      }
    },
  )

  test('[10] an item added while its list was removed elsewhere is an orphan', async () => {
    const world = await openEngineWorld(todo, 2)
    try {
      await world.apply(0, { type: 'ListAdded', id: 'a', title: 'before' })
      await world.exchange(0, null)
      await world.exchange(1, null)
      await world.apply(0, { type: 'ItemDone', list: 'a', item: 'x', text: 'milk' })
      await world.apply(1, { type: 'ListRemoved', id: 'a' })
      await world.rebuild()
      for (const replica of [first, second, first]) await world.exchange(replica, null)
      const { replicas } = await world.observe()
      expect(replicas[0]).toEqual(replicas[1])
      expect(replicas[0]?.conflicts).toContain('"kind":"orphan"')
    } finally {
      await world.close()
    }
  })
})

test('[10] what a replica wrote over its own unsent commit is no conflict after a rebuild', async () => {
  const world = await openEngineWorld(todo, 2)
  try {
    await world.apply(0, { type: 'ListAdded', id: 'a', title: 'before' })
    await world.exchange(0, null)
    await world.exchange(1, null)
    await world.rebuild()
    await world.apply(0, { type: 'ListAdded', id: 'a', title: 'first thought' })
    await world.apply(0, { type: 'ListAdded', id: 'a', title: 'second thought' })
    for (const replica of [0, 1, 0]) await world.exchange(replica, null)
    const { replicas } = await world.observe()
    expect(replicas[0]).toEqual(replicas[1])
    expect(replicas[0]?.conflicts).toBe('[]')
  } finally {
    await world.close()
  }
})
