import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { wrapDocument, yjsCrdt } from '@rejoin/crdt-adapter'
import { HlcClock, SyncError, type Hlc } from '@rejoin/core'
import { lists, sameBytes, Writer } from './worlds.ts'

const clock = new HlcClock('W'.repeat(22), null)
const stamp = (ms: number): Hlc => clock.tick(ms)

test('a document that a provider syncs has typed tables, both ways', () => {
  const doc = new Y.Doc()
  const wrapped = wrapDocument(lists, doc)
  const other = new Writer(0, 5_000)
  const sent: Uint8Array[] = []
  doc.on('update', (update: Uint8Array, origin: unknown) => {
    if (origin !== 'provider') sent.push(update)
  })
  expect(wrapped.apply([{ type: 'ListAdded', id: 'g', title: 'groceries' }], stamp(1))).toBe(true)
  expect(wrapped.apply([{ type: 'ListAdded', id: 'g', title: 'groceries' }], stamp(2))).toBe(false)
  expect(wrapped.tables.lists.get('g')).toEqual({ title: 'groceries' })
  expect(sent).toHaveLength(1)
  for (const update of sent) {
    expect(yjsCrdt.updates.inspect(update).inserted).toEqual({ client: doc.clientID, clock: 0, length: 2 })
    other.hear([update])
  }
  const commit = other.commit([{ type: 'ItemSet', list: 'g', item: 'm', text: 'milk' }], 9)
  if (commit === null) throw new Error('nothing was written')
  Y.applyUpdate(doc, commit.update, 'provider')
  expect([...wrapped.tables.items.entries(['g'])]).toEqual([[['g', 'm'], { text: 'milk', done: false }]])
  expect(wrapped.newestHlc).toBe(commit.hlc)
  expect(sameBytes(Y.encodeStateAsUpdate(doc), other.document.encode())).toBe(true)
})

test('a document that has content is read from the start, and what is no entry is not', () => {
  const doc = new Y.Doc()
  doc
    .getArray('entries')
    .push(['noise', 7, null, ['lists'], ['lists', 'g', true, 'now'], ['settings', 'owner', 'Ann', stamp(1)]])
  doc.getMap('elsewhere').set('a', 1)
  doc.getArray('others').push([['settings', 'owner', 'Eve', stamp(2)]])
  const wrapped = wrapDocument(lists, doc)
  expect(wrapped.tables.settings.get()).toEqual({ owner: 'Ann' })
  expect(wrapped.tables.lists.has('g')).toBe(false)
  doc.getArray('entries').delete(0, 5)
  doc.getMap('elsewhere').set('a', 2)
  expect(wrapped.tables.settings.get()).toEqual({ owner: 'Ann' })
  doc.getArray('entries').delete(0, 1)
  expect(wrapped.tables.settings.get()).toEqual({})
})

test('a wrong op is refused before the document changes', () => {
  const doc = new Y.Doc()
  const wrapped = wrapDocument(lists, doc)
  const before = Y.encodeStateAsUpdate(doc)
  expect(() => wrapped.apply([{ type: 'ItemSet', list: 'g', item: 'm', text: 'milk' }], stamp(3))).toThrow(
    SyncError,
  )
  expect(() => wrapped.apply([{ type: 'ListAdded', id: 7, title: 'x' }], stamp(4))).toThrow(/ops\[0\]\.id/)
  expect(sameBytes(before, Y.encodeStateAsUpdate(doc))).toBe(true)
})

test('what was concurrent is a conflict here too, and a wrapper that was destroyed follows no more', () => {
  const doc = new Y.Doc()
  const wrapped = wrapDocument(lists, doc)
  const other = new Writer(1, 6_000)
  wrapped.apply([{ type: 'OwnerSet', owner: 'Ann' }], stamp(5))
  const commit = other.commit([{ type: 'OwnerSet', owner: 'Bob' }], 9)
  if (commit === null) throw new Error('nothing was written')
  Y.applyUpdate(doc, commit.update)
  expect(wrapped.conflicts()).toMatchObject([{ kind: 'concurrent', table: 'settings', field: 'owner' }])
  wrapped.destroy()
  doc.getArray('entries').delete(0, 2)
  expect(wrapped.tables.settings.get()).toEqual({ owner: 'Bob' })
})

test('others who watch the document hear from Yjs of every entry that an op replaces', () => {
  const doc = new Y.Doc()
  const wrapped = wrapDocument(lists, doc)
  const heard: unknown[][] = []
  doc.getArray('entries').observe((event) => {
    heard.push([...event.changes.deleted].flatMap((item) => item.content.getContent()))
  })
  const weigh = (weight: number, ...tokens: string[]): boolean =>
    wrapped.apply(
      tokens.map((token) => ({ type: 'Weighed', token, intent: 'i', weight })),
      stamp(100 + weight),
    )
  weigh(1, 'a', 'b', 'c', 'd')
  for (const token of ['a', 'b', 'd', 'c']) weigh(2, token)
  expect(heard.flat()).toEqual(
    ['a', 'b', 'd', 'c'].map((token) => ['weights', token, 'i', 1, expect.any(String)]),
  )
})
