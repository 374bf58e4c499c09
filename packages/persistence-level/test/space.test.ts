/** What is no longer named is deleted, and what a crash kept from being deleted is never read and goes later. */
import type { HubStore } from '@rejoin/core'
import { expect, test } from 'vitest'
import { openHubStore, type LevelDatabase } from '../src/index.ts'
import { putRaw, rawKeys, rawValue, TestDatabase } from './databases.ts'

const bytes = (...values: number[]) => new Uint8Array(values)
const seqText = (seq: number) => seq.toString(16).padStart(14, '0')
const all = { records: 100, bytes: 1_000_000 }

test('what was trimmed, replaced or removed takes no room', async () => {
  const { database } = new TestDatabase()
  const store = await openHubStore(database, { incarnation: 'x' })
  for (let seq = 0; seq < 6; seq++) await store.append('support', seq, bytes(seq))
  for (const seq of [2, 3, 4]) {
    await store.installCheckpoint('support', { seq, marks: bytes(seq), snapshot: bytes(seq) })
  }
  await store.trim('support', 4)
  await store.append('other', 0, bytes(1))
  await cleared(store)
  expect(await rawKeys(database)).toEqual([
    `hub!marks!support!${seqText(3)}`,
    `hub!marks!support!${seqText(4)}`,
    `hub!record!other!${seqText(1)}`,
    `hub!record!support!${seqText(5)}`,
    `hub!record!support!${seqText(6)}`,
    `hub!snapshot!support!${seqText(3)}`,
    `hub!snapshot!support!${seqText(4)}`,
    'hub!state!other',
    'hub!state!support',
    'hub!store',
  ])
  await store.remove('support')
  await store.append('other', 1, bytes(2))
  expect((await rawKeys(database)).filter((key) => key.includes('support'))).toEqual(['hub!state!support'])
})

test.each([
  ['it is repeated', (store: HubStore) => store.remove('support')],
  ['somebody is late', (store: HubStore) => store.append('support', 0, bytes(3))],
] as const)('what a removal left behind is not read, and goes when %s', async (_, again) => {
  const { database } = new TestDatabase()
  const store = await openHubStore(database, { incarnation: 'x' })
  await store.append('support', 0, bytes(1))
  await store.append('support', 1, bytes(2))
  const second = await rawValue(database, `hub!record!support!${seqText(2)}`)
  await store.remove('support')
  await store.append('other', 0, bytes(1))
  // As if the process had died before it cleared.
  await putRaw(database, `hub!record!support!${seqText(2)}`, second)
  expect(await store.state('support')).toBe('removed')
  expect(await store.readTail('support', 0, all)).toEqual({ kind: 'records', records: [], more: false })
  await again(store)
  await cleared(store)
  expect((await rawKeys(database)).filter((key) => key.includes('support'))).toEqual(['hub!state!support'])
})

test('a checkpoint keeps its snapshot while one newer is installed, and asks to be read again after two', async () => {
  const { database } = new TestDatabase()
  const store = await openHubStore(database, { incarnation: 'x' })
  for (let seq = 0; seq < 4; seq++) await store.append('support', seq, bytes(seq))
  await store.installCheckpoint('support', { seq: 1, marks: bytes(1), snapshot: bytes(11) })
  const held = await store.checkpoint('support')
  await store.installCheckpoint('support', { seq: 2, marks: bytes(2), snapshot: bytes(22) })
  await store.append('support', 4, bytes(5))
  expect(await held?.snapshot()).toEqual(bytes(11))
  await store.installCheckpoint('support', { seq: 3, marks: bytes(3), snapshot: bytes(33) })
  await cleared(store)
  await expect(held?.snapshot()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true })
})

test('[St4] on a database without snapshots a tail read meanwhile is a gap or empty, not damage', async () => {
  const changes = {
    trimmed: [(store: HubStore) => store.trim('support', 3), { kind: 'gap', floor: 3, head: 5 }],
    removed: [(store: HubStore) => store.remove('support'), { kind: 'records', records: [], more: false }],
  } as const
  for (const [change, expected] of Object.values(changes)) {
    const { database } = new TestDatabase()
    const store = await openHubStore(database, { incarnation: 'x' })
    for (let seq = 0; seq < 5; seq++) await store.append('support', seq, bytes(seq))
    await store.installCheckpoint('support', { seq: 4, marks: bytes(), snapshot: bytes() })
    beforeNextIterator(database, async () => {
      await change(store)
      await store.append('other', 0, bytes(1))
    })
    expect(await store.readTail('support', 1, all)).toEqual(expected)
  }
})

/** Deletions go on in the background, and a removal, of whatever, waits for those that were begun before it. */
async function cleared(store: HubStore): Promise<void> {
  await store.remove('nobody')
}

/** Lets `change` happen between the call for the next iterator and its first entry. */
function beforeNextIterator(database: LevelDatabase, change: () => Promise<void>): void {
  const iterator = database.iterator.bind(database)
  Reflect.set(database, 'iterator', async function* (options: object) {
    Reflect.set(database, 'iterator', iterator)
    await change()
    yield* iterator(options)
  })
}
