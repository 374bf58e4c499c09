// [14] How many writes can be undone, all commits together: the bound is moved, a real one takes 100,000 of them.
import { expect, test, vi } from 'vitest'
import { listAdded, openTodo } from './support.ts'

/** A list that is added is two writes. */
vi.mock('@rejoin/core', async (importOriginal) => {
  const core = await importOriginal<typeof import('@rejoin/core')>()
  return { ...core, limits: { ...core.limits, undoWritesMax: 6 } }
})

test.each([
  [2, 2],
  [3, 3],
  [4, 3],
])('[14] of %i commits, two writes each, %i can be undone', async (count, expected) => {
  const replica = await openTodo()
  for (let i = 0; i < count; i++) replica.apply(listAdded(`list-${i}`))
  let undone = 0
  for (; replica.canUndo; undone++) replica.undo()
  expect([undone, replica.tables.lists.size]).toEqual([expected, count - expected])
  await replica.close()
})
