/** Damage is reported and never read as data, or as a shorter log (invariant 13; HAZARDS F4 and F5). */
import type { Commit, ErrorCode, HubStore, TailLimit } from '@rejoin/core'
import { formatHlc } from '@rejoin/core'
import { describe, expect, test } from 'vitest'
import { openHubStore, openReplicaStore } from '../src/index.ts'
import { deleteRaw, flipByte, putRaw, rawKeys, rawValue, TestDatabase } from './databases.ts'

const all = { records: 100, bytes: 1_000_000 }

describe('a hub store', () => {
  test('[13] reports a byte that was flipped anywhere in any of its values', async () => {
    const whole = await hubWithLog()
    for (const key of await rawKeys(whole.database)) {
      const { length } = await rawValue(whole.database, key)
      for (let at = 0; at < length; at++) {
        const { database } = await hubWithLog()
        await flipByte(database, key, at)
        await expect(readAll(database), `${key}, byte ${at}`).rejects.toMatchObject(corruptAt(/hub!/))
      }
    }
  })

  test('[13] reports every value that is missing', async () => {
    const whole = await hubWithLog()
    for (const key of await rawKeys(whole.database)) {
      const { database } = await hubWithLog()
      await deleteRaw(database, key)
      await expect(readAll(database), `without ${key}`).rejects.toMatchObject(corruptAt(/hub!/))
    }
  })

  test('[13] reports a whole value that stands under another key', async () => {
    const { database } = await hubWithLog()
    const third = await rawValue(database, recordKey('support', 3))
    await putRaw(database, recordKey('support', 4), third)
    await expect(readAll(database)).rejects.toMatchObject(corruptAt(/support/))
  })

  test('[13] reads up to a missing record in the middle, and then names the namespace and the key', async () => {
    const { database } = await hubWithLog()
    await deleteRaw(database, recordKey('support', 3))
    const store = await openHubStore(database, { incarnation: 'x' })
    expect(await store.readTail('support', 1, all)).toMatchObject({ records: [{ seq: 2 }], more: true })
    const refusal = store.readTail('support', 2, all)
    await expect(refusal).rejects.toMatchObject(corruptAt(/hub!record!support!0+4 .*namespace support/))
  })

  test('[13] reads up to a damaged record, wherever a page begins', async () => {
    const { database } = await hubWithLog()
    await flipByte(database, recordKey('support', 4), -1)
    const store = await openHubStore(database, { incarnation: 'x' })
    for (const limit of [all, { ...all, records: 1 }, { ...all, bytes: 1 }]) {
      const { read, refusal } = await readUntilRefused(store, 'support', 1, limit)
      expect(read).toEqual([2, 3])
      expect(refusal).toMatchObject(corruptAt(/hub!record!support!0+4 does not match/))
    }
    expect(await store.readTail('support', 4, all)).toMatchObject({ records: [{ seq: 5 }], more: false })
  })

  test('[13] reports records past the head when the namespace is touched', async () => {
    const { database } = await hubWithLog()
    await putRaw(database, recordKey('support', 6), await rawValue(database, recordKey('support', 5)))
    const store = await openHubStore(database, { incarnation: 'x' })
    await expect(store.append('support', 5, new Uint8Array(1))).rejects.toMatchObject(corruptAt(/support/))
    await expect(store.heads(['support'])).rejects.toMatchObject(corruptAt(/support/))
  })

  test('[13] whose newest record is lost or damaged keeps its head, reads so far, and takes no writes', async () => {
    for (const damage of [deleteRaw, (...at: Parameters<typeof deleteRaw>) => flipByte(...at, -1)]) {
      const { database } = await hubWithLog()
      await damage(database, recordKey('support', 5))
      const store = await openHubStore(database, { incarnation: 'x' })
      await expect(store.append('support', 5, new Uint8Array(1))).rejects.toMatchObject(
        corruptAt(/namespace support is closed for writing, since .*hub!(state|record)!support/),
      )
      expect(await store.heads(['support'])).toEqual(new Map([['support', { floor: 1, head: 5 }]]))
      const { read, refusal } = await readUntilRefused(store, 'support', 1, all)
      expect(read).toEqual([2, 3, 4])
      expect(refusal).toMatchObject(corruptAt(/hub!record!support!0+5 /))
      expect(await (await store.checkpoint('support'))?.snapshot()).toEqual(new Uint8Array([2]))
    }
  })

  test('[13] closes a namespace for writing when damage is first met, tells the key, and keeps the bytes aside', async () => {
    const places = [recordKey('support', 3), markKey('marks'), markKey('snapshot')]
    for (const place of places) {
      const { database } = await hubWithLog()
      await flipByte(database, place, -1)
      const damaged = await rawValue(database, place)
      const store = await openHubStore(database, { incarnation: 'x' })
      // Not met yet.
      expect(await store.append('support', 5, new Uint8Array([5]))).toEqual({ kind: 'appended', seq: 6 })
      await expect(readNamespace(store, 'support')).rejects.toMatchObject(corruptAt(new RegExp(place)))
      const writes = [
        () => store.append('support', 6, new Uint8Array(1)),
        () => store.append('support', 0, new Uint8Array(1)),
        () => store.trim('support', 2),
        () =>
          store.installCheckpoint('support', { seq: 6, marks: new Uint8Array(), snapshot: new Uint8Array() }),
      ]
      for (const write of writes) {
        await expect(write()).rejects.toMatchObject({
          ...corruptAt(/namespace support is closed for writing, since the stored value hub!/),
          path: place,
        })
      }
      expect(await store.append('other', 1, new Uint8Array(1))).toEqual({ kind: 'appended', seq: 2 })
      await store.close()
      await database.open()
      expect((await rawValue(database, place)).length).toBe(damaged.length)
      const aside = await rawValue(database, `hub!damaged!support!${place}`)
      expect(Buffer.from(aside).includes(Buffer.from(damaged))).toBe(true)

      // It stays closed, though nobody has met the damage again.
      const again = await openHubStore(database, { incarnation: 'x' })
      await expect(again.append('support', 6, new Uint8Array(1))).rejects.toMatchObject({
        ...corruptAt(/closed for writing/),
        path: place,
      })
      expect(await again.readTail('support', 5, all)).toMatchObject({ records: [{ seq: 6 }] })
      await again.remove('support')
      expect(await again.append('support', 0, new Uint8Array(1))).toEqual({ kind: 'moved', head: 0 })
      await again.close()
      const third = await openHubStore(database, { incarnation: 'x' })
      expect(await third.append('support', 6, new Uint8Array(1))).toEqual({ kind: 'moved', head: 0 })
      // For whoever looks into what happened.
      expect(await rawValue(database, `hub!damaged!support!${place}`)).toEqual(aside)
      await third.close()
    }
  })

  test('[13] keeps no more than 64 damaged values of a namespace aside, and not one of them twice', async () => {
    const held = new TestDatabase()
    const store = await openHubStore(held.database, { incarnation: 'first' })
    for (let seq = 0; seq < 70; seq++) await store.append('support', seq, new Uint8Array([seq]))
    for (let seq = 1; seq <= 70; seq++) await flipByte(held.database, recordKey('support', seq), -1)
    await store.close()
    for (let round = 0; round < 3; round++) {
      const met = await openHubStore(held.database, { incarnation: 'x' })
      // From the end first, so that an opening meets what the one before it had no room for.
      for (let seq = 69; seq >= 0; seq--) {
        await expect(met.readTail('support', (seq + round * 30) % 70, all)).rejects.toMatchObject({
          code: 'STORE_CORRUPT',
        })
      }
      await met.append('other', round, new Uint8Array(1))
      const aside = (await rawKeys(held.database)).filter((key) => key.startsWith('hub!damaged!'))
      expect(aside.length).toBe(64)
      await met.close()
    }
  })

  test('[13] does not close a namespace that was removed while its damage was read', async () => {
    const { database } = await hubWithLog()
    await flipByte(database, recordKey('support', 2), -1)
    const store = await openHubStore(database, { incarnation: 'x' })
    await store.heads(['support'])
    const iterator = database.iterator.bind(database)
    Reflect.set(database, 'iterator', async function* (options: object) {
      Reflect.set(database, 'iterator', iterator)
      const entries = iterator(options)
      await store.remove('support')
      yield* entries
    })
    await expect(store.readTail('support', 1, all)).rejects.toMatchObject(corruptAt(/support/))
    expect(await store.append('support', 0, new Uint8Array(1))).toEqual({ kind: 'moved', head: 0 })
  })

  test('[13] reports a batch that is missing although everything that is there is whole', async () => {
    const { database } = await hubWithLog()
    const names = [recordKey('other', 1), 'hub!state!other', 'hub!store']
    const [, stateBefore] = await Promise.all(names.map((key) => rawValue(database, key)))
    const store = await openHubStore(database, { incarnation: 'x' })
    await store.append('other', 1, new Uint8Array(3))
    await store.append('support', 5, new Uint8Array(3))
    await store.close()
    await database.open()
    // What LevelDB does when the block of the first of the two batches is damaged.
    await deleteRaw(database, recordKey('other', 2))
    await putRaw(database, 'hub!state!other', stateBefore ?? new Uint8Array())
    await expect(openHubStore(database, { incarnation: 'x' })).rejects.toMatchObject(
      corruptAt(/batch .* is missing/),
    )
  })

  test('[St9] serves the other namespaces while one is damaged, and lets that one be removed', async () => {
    for (const damage of [recordKey('support', 5), 'hub!state!support']) {
      const { database } = await hubWithLog()
      await flipByte(database, damage, -1)
      const store = await openHubStore(database, { incarnation: 'x' })
      await expect(readNamespace(store, 'support')).rejects.toMatchObject(corruptAt(/support/))
      await expect(store.append('support', 5, new Uint8Array(1))).rejects.toMatchObject(corruptAt(/support/))
      expect(await store.namespaces()).toEqual(['other', 'support'])
      expect(await store.append('other', 1, new Uint8Array(1))).toEqual({ kind: 'appended', seq: 2 })
      await store.remove('support')
      await store.close()
      const again = await openHubStore(database, { incarnation: 'x' })
      expect([...(await again.heads(['other', 'support'])).keys()]).toEqual(['other'])
      expect(await again.state('support')).toBe('removed')
    }
  })

  test('refuses a value of a newer format, naming both', async () => {
    const { database } = await hubWithLog()
    await putRaw(database, 'hub!store', await ofFormat2('hub!store', await rawValue(database, 'hub!store')))
    const opening = openHubStore(database, { incarnation: 'x' })
    await expect(opening).rejects.toMatchObject({
      code: 'FORMAT_TOO_NEW',
      message: expect.stringMatching(/format 2.*up to 1/) as string,
    })
  })

  async function readAll(database: TestDatabase['database']): Promise<void> {
    const store = await openHubStore(database, { incarnation: 'x' })
    for (const namespace of ['support', 'other']) await readNamespace(store, namespace)
  }

  async function readNamespace(store: HubStore, namespace: string): Promise<void> {
    const range = (await store.heads([namespace])).get(namespace)
    const { refusal } = await readUntilRefused(store, namespace, range?.floor ?? 0, all)
    if (refusal !== null) throw refusal
    await (await store.checkpoint(namespace))?.snapshot()
  }

  /** Page by page: the seqs that were read, and what ended it. */
  async function readUntilRefused(
    store: HubStore,
    namespace: string,
    after: number,
    limit: TailLimit,
  ): Promise<{ read: readonly number[]; refusal: Error | null }> {
    const read: number[] = []
    for (;;) {
      try {
        const tail = await store.readTail(namespace, read.at(-1) ?? after, limit)
        if (tail.kind === 'gap') throw new Error(`a gap up to ${tail.floor}`)
        read.push(...tail.records.map(({ seq }) => seq))
        if (!tail.more) return { read, refusal: null }
      } catch (error) {
        return { read, refusal: error instanceof Error ? error : new Error(String(error)) }
      }
    }
  }
})

describe('a replica store', () => {
  test('[13] reports a byte that was flipped anywhere in any of its values', async () => {
    const whole = await replicaWithAll()
    for (const key of await rawKeys(whole)) {
      const { length } = await rawValue(whole, key)
      for (let at = 0; at < length; at++) {
        const database = await replicaWithAll()
        await flipByte(database, key, at)
        await expect(load(database), `${key}, byte ${at}`).rejects.toMatchObject(corruptAt(/replica!/))
      }
    }
  })

  test('[13] reports every value that is missing', async () => {
    const whole = await replicaWithAll()
    for (const key of await rawKeys(whole)) {
      const database = await replicaWithAll()
      await deleteRaw(database, key)
      await expect(load(database), `without ${key}`).rejects.toMatchObject(corruptAt(/replica!/))
    }
  })

  test('[13] reports values that are left over, and a snapshot that is older than its batch', async () => {
    const database = await replicaWithAll()
    const store = await openReplicaStore(database, 'support')
    const key = 'replica!snapshot!support'
    const older = await rawValue(database, key)
    await store.record([{ kind: 'snapshot', snapshot: new Uint8Array([7, 7]), cursor: cursor(9), hlc: null }])
    await store.close()
    await putRaw(database, key, older)
    await expect(load(database)).rejects.toMatchObject(corruptAt(/older or newer/))

    const another = await replicaWithAll()
    const settling = await openReplicaStore(another, 'support')
    const commitKey = (await rawKeys(another)).find((each) => each.startsWith('replica!outbox!')) ?? ''
    const settled = await rawValue(another, commitKey)
    await settling.record([{ kind: 'settle', upTo: 100 }])
    await settling.close()
    await putRaw(another, commitKey, settled)
    await expect(load(another)).rejects.toMatchObject(corruptAt(/counts/))
  })

  test('[13] does not record onto damage, leaves it as it is, and disturbs no other namespace', async () => {
    const database = await replicaWithAll()
    await flipByte(database, 'replica!snapshot!support', -1)
    const all = async () =>
      JSON.stringify(await database.iterator({ valueEncoding: 'hex', lt: 'replica!z' }).all())
    const before = await all()
    const store = await openReplicaStore(database, 'support')
    for (let i = 0; i < 2; i++) {
      const recording = store.record([{ kind: 'settle', upTo: 1 }])
      await expect(recording).rejects.toMatchObject({
        code: 'STORE_CORRUPT' satisfies ErrorCode,
        path: 'replica!snapshot!support',
      })
      await expect(store.load()).rejects.toMatchObject({ code: 'STORE_CORRUPT' satisfies ErrorCode })
    }
    expect(await all()).toBe(before)
    const sales = await openReplicaStore(database, 'sales')
    const identity = { replica: 'replica-of-22-letters_', clientId: 7, domain: 'todo', domainVersion: 1 }
    await sales.record([{ kind: 'create', identity }])
    expect((await sales.load())?.identity).toEqual(identity)
  })

  async function load(database: TestDatabase['database']): Promise<void> {
    const store = await openReplicaStore(database, 'support')
    await store.load()
  }
})

function recordKey(namespace: string, seq: number): string {
  return `hub!record!${namespace}!${seq.toString(16).padStart(14, '0')}`
}

/** Of the checkpoint at 2. */
function markKey(kind: 'marks' | 'snapshot'): string {
  return `hub!${kind}!support!${(2).toString(16).padStart(14, '0')}`
}

function corruptAt(message: RegExp): object {
  return { code: 'STORE_CORRUPT', message: expect.stringMatching(message) as string }
}

/** Five records, the first dropped, a checkpoint at the second; and another namespace. */
async function hubWithLog(): Promise<TestDatabase> {
  const held = new TestDatabase()
  const store = await openHubStore(held.database, { incarnation: 'first' })
  for (let seq = 0; seq < 5; seq++) await store.append('support', seq, new Uint8Array([seq, seq]))
  await store.installCheckpoint('support', {
    seq: 2,
    marks: new Uint8Array([1]),
    snapshot: new Uint8Array([2]),
  })
  await store.trim('support', 1)
  await store.append('other', 0, new Uint8Array([9]))
  await store.close()
  await held.database.open()
  return held
}

async function replicaWithAll(): Promise<TestDatabase['database']> {
  const { database } = new TestDatabase()
  const store = await openReplicaStore(database, 'support')
  const identity = { replica: 'replica-of-22-letters_', clientId: 7, domain: 'todo', domainVersion: 1 }
  await store.record([
    { kind: 'create', identity },
    { kind: 'snapshot', snapshot: new Uint8Array([1]), cursor: cursor(1), hlc: null },
    {
      kind: 'remote',
      updates: [new Uint8Array([2]), new Uint8Array([3])],
      settled: [],
      cursor: cursor(3),
      hlc: null,
    },
    { kind: 'local', commit: commit(1) },
    { kind: 'local', commit: commit(2) },
    {
      kind: 'recommit',
      clientId: 8,
      outbox: [commit(2)],
      rejected: [{ commit: commit(1), code: 'ENTRY_INVALID', message: 'no', path: null }],
    },
  ])
  await store.close()
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

/** What a newer version would have written: the same layout, another format, a checksum that holds. */
async function ofFormat2(key: string, sealed: Uint8Array): Promise<Uint8Array> {
  const changed = sealed.slice()
  changed[0] = 2
  const hashed = Buffer.concat([Buffer.from(key), changed.subarray(0, 5), changed.subarray(9)])
  changed.set(new Uint8Array(await crypto.subtle.digest('SHA-256', hashed)).subarray(0, 4), 5)
  return changed
}
