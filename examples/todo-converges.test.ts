import { test } from 'vitest'
import { checkConvergence, fc } from 'rejoin/testing'
import { todo } from './todo.ts'

// Few ids and few values: writers must meet.
const id = fc.constantFrom('a', 'b', 'c')
const text = fc.constantFrom('one', 'two', 'three')

test('the todo domain converges and loses nothing', async () => {
  await checkConvergence(todo, {
    ListAdded: fc.record({ id, title: text }),
    ItemDone: fc.record({ list: id, item: id, text }),
    ListRemoved: fc.record({ id }),
  })
}, 60_000)
