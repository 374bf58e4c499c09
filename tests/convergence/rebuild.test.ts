// A rebuild between two concurrent edits must not turn one of them into the other's past: a recommit replaces only what
// its author had seen.
import { describe, expect, test } from 'vitest'
import { inWorld } from './hands.ts'

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
      await inWorld(2, async ({ apply, exchange, take, world }) => {
        await apply(0, { type: 'ListAdded', id: 'a', title: 'before' })
        await exchange(0)
        await exchange(1)
        await apply(0, { type: 'ListAdded', id: 'a', title: 'by the first' })
        await apply(1, { type: 'ListAdded', id: 'a', title: 'by the second' })
        await take({ kind: 'rebuild', by: 'another' })
        if (restarts) for (const replica of [0, 1]) await take({ kind: 'restart', replica })
        await exchange(first, second, first)
        const { replicas } = await world.observe()
        expect(replicas[0]).toEqual(replicas[1])
        expect(replicas[0]?.conflicts).toContain('by the first')
        expect(replicas[0]?.conflicts).toContain('by the second')
        expect(replicas[0]?.conflicts).not.toContain('before')
      })
    },
  )

  test('[10] an item added while its list was removed elsewhere is an orphan', async () => {
    await inWorld(2, async ({ apply, exchange, take, world }) => {
      await apply(0, { type: 'ListAdded', id: 'a', title: 'before' })
      await exchange(0)
      await exchange(1)
      await apply(0, { type: 'ItemDone', list: 'a', item: 'x', text: 'milk' })
      await apply(1, { type: 'ListRemoved', id: 'a' })
      await take({ kind: 'rebuild', by: 'another' })
      await exchange(first, second, first)
      const { replicas } = await world.observe()
      expect(replicas[0]).toEqual(replicas[1])
      expect(replicas[0]?.conflicts).toContain('"kind":"orphan"')
    })
  })
})

test('[10] what a replica wrote over its own unsent commit is no conflict after a rebuild', async () => {
  await inWorld(2, async ({ apply, exchange, take, world }) => {
    await apply(0, { type: 'ListAdded', id: 'a', title: 'before' })
    await exchange(0)
    await exchange(1)
    await take({ kind: 'rebuild', by: 'another' })
    await apply(0, { type: 'ListAdded', id: 'a', title: 'first thought' })
    await apply(0, { type: 'ListAdded', id: 'a', title: 'second thought' })
    await exchange(0, 1, 0)
    const { replicas } = await world.observe()
    expect(replicas[0]).toEqual(replicas[1])
    expect(replicas[0]?.conflicts).toBe('[]')
  })
})
