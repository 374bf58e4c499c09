/** What is made of a replica of which some values cannot be read: what is missing is told, and what can be read is all there. */
import { formatHlc, type Commit, type ReplicaStore } from '@rejoin/core'
import { MemoryLevel } from 'memory-level'
import { expect, test } from 'vitest'
import { BareGate } from '../src/gate/database-gate.ts'
import { openReplicaStore } from '../src/index.ts'
import { findReplicaDamage } from '../src/replica/replica-findings.ts'
import { readableValues } from '../src/replica/readable-values.ts'
import { SealedDatabase } from '../src/sealed-database.ts'
import { corrupt } from '../src/sealed-value.ts'
import { putRaw, rawKeys, rawValue } from './databases.ts'

test('[4] [13] whatever value of a replica cannot be read is told, and every other one is there', async () => {
  const source = await filled()
  const intact = await keysAndValues(source)
  const keys = [...intact.keys()].filter((key) => key.includes('!support'))
  expect(keys.length).toBeGreaterThan(6)
  for (const isShown of [false, true])
    for (const hidden of keys) {
      const copy = await copyOf(source, (key) => key === hidden, isShown)
      const copied = await keysAndValues(copy)
      copied.delete(hidden)
      expect([hidden, copied]).toEqual([hidden, new Map([...intact].filter(([key]) => key !== hidden))])
      const { faults } = await findReplicaDamage(sealed(copy), 'support')
      expect([hidden, faults.length > 0]).toEqual([hidden, true])
      expect((await findReplicaDamage(sealed(copy), 'other')).faults).toEqual([])
    }
})

test('[4] a commit that was settled is not missed where what says that it is gone cannot be read', async () => {
  const source = await filled()
  const gone = 'replica!outbox!support!00000000000000'
  await putRaw(source, gone, new Uint8Array([1]))
  const copy = await copyOf(source, (key) => key === gone, true)
  expect(await findReplicaDamage(sealed(copy), 'support')).toMatchObject({ faults: [] })
})

test('[4] [13] what LevelDB shows and does not find is there', async () => {
  const source = await filled()
  const moment = {
    entries: async function* (): AsyncGenerator<[string, Uint8Array]> {
      for (const key of await rawKeys(source)) yield [key, await rawValue(source, key)]
    },
    sealed: () => Promise.resolve(null),
    close: () => Promise.resolve(),
  }
  const copied = new Map<string, Uint8Array>()
  for await (const [key, value] of readableValues(() => Promise.resolve(moment))) copied.set(key, value)
  expect(copied).toEqual(await keysAndValues(source))
})

test('[13] a replica of which no value can be read but one is told by it', async () => {
  const source = await filled()
  for (const left of (await rawKeys(source)).filter((key) => key.includes('!support'))) {
    const copy = await copyOf(source, (key) => key.includes('!support') && key !== left, false)
    const { faults } = await findReplicaDamage(sealed(copy), 'support')
    expect([left, faults.length > 0]).toEqual([left, true])
  }
})

/** @param isShown whether something older stands under the keys that cannot be read, so that a range has them. */
async function copyOf(
  database: MemoryLevel<string, string>,
  isHidden: (key: string) => boolean,
  isShown: boolean,
): Promise<MemoryLevel<string, string>> {
  const copy = new MemoryLevel<string, string>()
  const moment = {
    entries: async function* (): AsyncGenerator<[string, Uint8Array]> {
      for (const key of await rawKeys(database))
        if (isShown || !isHidden(key)) yield [key, await rawValue(database, key)]
    },
    sealed: async (key: string) => {
      if (isHidden(key)) throw corrupt(key, 'stands in a block that does not read')
      return await rawValue(database, key).catch(() => null)
    },
    close: () => Promise.resolve(),
  }
  for await (const [key, value] of readableValues(() => Promise.resolve(moment)))
    await putRaw(copy, key, value)
  return copy
}

function sealed(database: MemoryLevel<string, string>): SealedDatabase {
  return new SealedDatabase(new BareGate(database, 'applied'), 'the copy')
}

async function keysAndValues(database: MemoryLevel<string, string>): Promise<Map<string, Uint8Array>> {
  const values = new Map<string, Uint8Array>()
  for (const key of await rawKeys(database)) values.set(key, await rawValue(database, key))
  return values
}

/** Two replicas, each with a snapshot, two updates and three commits that wait. */
async function filled(): Promise<MemoryLevel<string, string>> {
  const database = new MemoryLevel<string, string>()
  for (const namespace of ['other', 'support']) {
    const store: ReplicaStore = await openReplicaStore(database, namespace)
    const identity = { replica: 'replica-of-22-letters_', clientId: 7, domain: 'x', domainVersion: 1 }
    await store.record([{ kind: 'create', identity }])
    await store.record([{ kind: 'snapshot', snapshot: new Uint8Array([1]), cursor: cursor(1), hlc: null }])
    const updates = [new Uint8Array([2]), new Uint8Array([3])]
    await store.record([{ kind: 'remote', updates, settled: [], cursor: cursor(2), hlc: null }])
    for (let counter = 1; counter <= 3; counter++)
      await store.record([{ kind: 'local', commit: commit(counter) }])
    await store.close()
    await database.open()
  }
  return database
}

function cursor(seq: number): { epoch: number; seq: number; tag: string } {
  return { epoch: 5, seq, tag: '00000000000000aa' }
}

function commit(counter: number): Commit {
  return {
    id: { replica: 'replica-of-22-letters_', counter },
    prev: counter - 1,
    hlc: formatHlc({ ms: 5, counter, author: 'abcde' }),
    domainVersion: 1,
    ops: [{ type: 'X' }],
    update: new Uint8Array([counter]),
  }
}
