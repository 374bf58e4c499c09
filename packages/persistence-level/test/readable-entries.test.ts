/** What is made of a hub store of which some values cannot be read: it tells so, and never looks like a shorter one. */
import { MemoryLevel } from 'memory-level'
import { expect, test } from 'vitest'
import { openHubStore, type LevelHubStore } from '../src/index.ts'
import { readableEntries } from '../src/hub/readable-entries.ts'
import { corrupt, isCorrupt } from '../src/sealed-value.ts'
import { flipByte, putRaw, rawKeys, rawValue } from './databases.ts'

const all = { records: 1_000, bytes: 1_000_000 }
const options = { incarnation: 'first' }

test('[13] whatever value cannot be read, its namespace is as it was or closed, and the others are whole', async () => {
  for (const isShown of [false, true]) {
    const source = await filled()
    const [other, support] = [await told(source, 'other'), await told(source, 'support')]
    for (const hidden of (await rawKeys(source)).filter((key) => key.includes('!support'))) {
      const copy = await copyOf(momentOf(source, hidden, isShown))
      // The sum over all states does not fit without one: then nothing of the store is taken for whole.
      const isRefused = hidden.startsWith('hub!state!')
      expect([hidden, await told(copy, 'other')]).toEqual([hidden, isRefused ? 'refused' : other])
      // What nobody reads any more may be missing, unless something says that it was there.
      const isRead = isShown || !/!support!0+[12]$/.test(hidden)
      const expected = isRefused ? 'refused' : isRead ? 'closed' : support
      expect([hidden, await told(copy, 'support')]).toEqual([hidden, expected])
    }
    await source.close()
  }
})

test('[13] a namespace stays closed where it cannot be read whether it was', async () => {
  const source = await filled()
  await putRaw(source, 'hub!damage!support', new Uint8Array(1))
  for (const isShown of [false, true]) {
    const copy = await copyOf(momentOf(source, 'hub!damage!support', isShown))
    expect(await told(copy, 'support')).toBe('closed')
  }
})

test('a store of which all can be read comes out as it is', async () => {
  const source = await filled()
  const keys: string[] = []
  for await (const [key] of readableEntries(() => Promise.resolve(momentOf(source, '', false))))
    keys.push(key)
  expect(keys).toEqual(await rawKeys(source))
})

test('[13] what LevelDB shows and does not find is there', async () => {
  const source = await filled()
  const moment = { ...momentOf(source, '', true), sealed: () => Promise.resolve(null) }
  const keys: string[] = []
  for await (const [key, sealed] of readableEntries(() => Promise.resolve(moment))) {
    expect([key, sealed]).toEqual([key, await rawValue(source, key)])
    keys.push(key)
  }
  expect(keys).toEqual(await rawKeys(source))
})

test('a store whose own record cannot be read is refused', async () => {
  const source = await filled()
  const copying = copyOf(momentOf(source, 'hub!store', true))
  await expect(copying).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
})

test('[13] where nothing could tell that a namespace is missing, what is made is damaged as a whole', async () => {
  for (const hidden of ['hub!store', 'hub!record!support!00000000000005']) {
    const source = await filled()
    if (hidden !== 'hub!store') await flipByte(source, 'hub!state!other', -1)
    const copy = await copyOf(momentOf(source, hidden, true), 'the store record')
    expect(await told(copy, 'support')).toBe('refused')
  }
})

async function copyOf(
  moment: ReturnType<typeof momentOf>,
  without: 'nothing' | 'the store record' = 'nothing',
): Promise<MemoryLevel<string, string>> {
  const copy = new MemoryLevel<string, string>()
  for await (const [key, sealed] of readableEntries(() => Promise.resolve(moment), without))
    await putRaw(copy, key, sealed)
  return copy
}

/** What a hub that opens it says of the namespace. */
async function told(database: MemoryLevel<string, string>, namespace: string): Promise<unknown> {
  let store: LevelHubStore
  try {
    store = await openHubStore(database, options)
  } catch (error) {
    if (!isCorrupt(error)) throw error
    return 'refused'
  }
  const content = (await store.closedBy(namespace)) === null ? await contentOf(store, namespace) : 'closed'
  await store.close()
  await database.open()
  return content
}

/** @param isShown whether something older stands under the key that cannot be read, so that a range has it. */
function momentOf(database: MemoryLevel<string, string>, hidden: string, isShown: boolean) {
  return {
    entries: async function* (): AsyncGenerator<[string, Uint8Array]> {
      for (const key of await rawKeys(database))
        if (isShown || key !== hidden) yield [key, await rawValue(database, key)]
    },
    sealed: async (key: string) => {
      if (key === hidden) throw corrupt(key, 'stands in a block that does not read')
      return await rawValue(database, key).catch(() => null)
    },
    close: () => Promise.resolve(),
  }
}

/** With a log from 2 to 9 and its checkpoint at 6; what was before is left from a trim. */
async function filled(): Promise<MemoryLevel<string, string>> {
  const database = new MemoryLevel<string, string>()
  const store = await openHubStore(database, options)
  for (const namespace of ['other', 'support']) {
    for (let i = 0; i < 9; i++) await store.append(namespace, i, new Uint8Array([i]))
    for (const seq of [2, 6]) {
      const parts = { marks: new Uint8Array([seq]), snapshot: new Uint8Array([seq, seq]) }
      await store.installCheckpoint(namespace, { seq, ...parts })
    }
    await store.trim(namespace, 2)
  }
  await store.close()
  await database.open()
  return database
}

async function contentOf(store: LevelHubStore, namespace: string): Promise<unknown> {
  const range = (await store.heads([namespace])).get(namespace)
  const checkpoint = await store.checkpoint(namespace)
  return [
    range,
    await store.readTail(namespace, range?.floor ?? 0, all),
    checkpoint && [checkpoint.seq, checkpoint.marks, await checkpoint.snapshot()],
  ]
}
