import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { tablesOf, yjsCrdt } from '@rejoin/crdt-adapter'
import { CLIENT_ID_MIN, SyncError } from '@rejoin/core'
import { VirtualClock } from '@rejoin/testkit'
import { lists } from './worlds.ts'

test('ops are written as one transaction in the form of a commit, and stamped above all that was read', () => {
  const doc = new Y.Doc()
  doc.clientID = 7
  const clock = new VirtualClock(1)
  const page = tablesOf(lists, doc, { clock })
  expect(doc.clientID).toBeGreaterThanOrEqual(CLIENT_ID_MIN)
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => updates.push(update))
  let heard = 0
  const unsubscribe = page.subscribe(() => heard++)
  const added = page.apply([
    { type: 'ListAdded', id: 'g', title: 'groceries' },
    { type: 'ItemSet', list: 'g', item: 'm', text: 'milk' },
  ])
  expect(added).toBe(true)
  expect(updates.map((update) => yjsCrdt.updates.inspect(update).inserted?.length)).toEqual([3])
  // A clock that goes back is no reason to lose to what is there.
  const later = tablesOf(lists, doc, { clock: new VirtualClock(2) })
  clock.advance(-1_000_000)
  expect(later.apply({ type: 'ItemSet', list: 'g', item: 'm', text: 'oat milk' })).toBe(true)
  expect(page.tables.items.get(['g', 'm'])?.text).toBe('oat milk')
  expect(page.conflicts()).toEqual([])
  expect(heard).toBe(2)
  unsubscribe()
  expect(() => page.apply({ type: 'ItemSet', list: 'nowhere', item: 'm', text: 'milk' })).toThrow(SyncError)
  expect(updates).toHaveLength(2)
  page.destroy()
  expect(later.apply({ type: 'ItemSet', list: 'g', item: 'm', text: 'soy milk' })).toBe(true)
  expect(heard).toBe(2)
})

test('a filler holds nothing, and stays in what a document says of itself', () => {
  const { updates } = yjsCrdt
  const doc = new Y.Doc()
  Y.applyUpdate(doc, updates.filler(7, 5))
  doc.getArray('entries').push([1])
  const again = new Y.Doc()
  Y.applyUpdate(again, Y.encodeStateAsUpdate(doc))
  expect(updates.readStateVector(Y.encodeStateVector(again)).get(7)).toBe(5)
  expect(again.getArray('entries').toArray()).toEqual([1])
  const rest = Y.encodeStateAsUpdate(
    again,
    updates.stateVector(
      new Map([
        [7, 5],
        [doc.clientID, 1],
      ]),
    ),
  )
  expect(updates.inspectState(rest).deleted).toEqual([{ client: 7, clock: 0, length: 5 }])
})
