/** Repairing a namespace of a hub store: what is kept, what goes, and that nothing is opened for writing half way. */
import type { SyncError } from '@rejoin/core'
import { afterEach, describe, expect, test } from 'vitest'
import { openHubStore, type LevelHubStore } from '../src/index.ts'
import { planHubRepair, type HubRepairPlan } from '../src/node.ts'
import { seal } from '../src/sealed-value.ts'
import { deleteRaw, flipByte, rawKeys, rawValue, TestDatabase } from './databases.ts'

const all = { records: 100, bytes: 1_000_000 }
let stores: LevelHubStore[] = []

afterEach(async () => {
  await Promise.all(stores.map((store) => store.close()))
  stores = []
})

describe('the plan for a namespace', () => {
  test('of which nothing is damaged is to do nothing', async () => {
    expect(await planAfter(async () => {})).toEqual({ kind: 'whole' })
  })

  test('drops what the newest checkpoint covers where the damage is there', async () => {
    for (const strike of [flip(record(5)), lose(record(5)), flip(record(6))]) {
      const plan = await planAfter(strike)
      expect(plan).toMatchObject({ kind: 'mend', cut: [], state: { checkpoint: 6, head: 9 } })
    }
    expect(await planAfter(flip(record(5)))).toMatchObject({ state: { floor: 5 } })
    expect(await planAfter(flip(record(6)))).toMatchObject({ state: { floor: 6 } })
  })

  test('cuts the log at damage after it, and names what can be read behind', async () => {
    for (const strike of [flip(record(8)), lose(record(8))]) {
      expect(await planAfter(strike)).toEqual({
        kind: 'cut',
        state: { kind: 'present', checkpoint: 6, floor: 2, head: 7 },
        cut: [9],
      })
    }
    for (const strike of [flip(record(9)), lose(record(9))])
      expect(await planAfter(strike)).toMatchObject({ kind: 'cut', state: { head: 8 }, cut: [] })
  })

  test('goes back to the checkpoint before, where the log is whole from there', async () => {
    for (const part of ['marks', 'snapshot']) {
      for (const strike of [flip(checkpoint(part, 6)), lose(checkpoint(part, 6))]) {
        const plan = await planAfter(strike)
        // A part that is missing leaves no damaged value; the state that names it is what is wrong.
        expect(plan).toEqual({
          kind: 'mend',
          state: { kind: 'present', checkpoint: 4, floor: 2, head: 9 },
          cut: [],
        })
      }
    }
  })

  test('does without a checkpoint where the log is whole from its beginning, and begins anew where it is not', async () => {
    const strike = flip(checkpoint('snapshot', 2))
    const untrimmed = await hubWithLog({ checkpoints: [2], floor: 0 })
    expect(await planOf(untrimmed, strike)).toEqual({
      kind: 'mend',
      state: { kind: 'present', checkpoint: 0, floor: 0, head: 9 },
      cut: [],
    })
    const trimmed = await hubWithLog({ checkpoints: [2], floor: 1 })
    expect(await planOf(trimmed, strike)).toEqual({ kind: 'begin', last: 9, cut: [2, 3, 4, 5, 6, 7, 8, 9] })
  })

  test('goes back to no checkpoint that the log was trimmed past', async () => {
    const anew = { kind: 'begin', last: 9, cut: [5, 6, 7, 8, 9] }
    for (const part of ['marks', 'snapshot']) {
      const trimmed = await hubWithLog({ checkpoints: [2, 6], floor: 4 })
      expect(await planOf(trimmed, flip(checkpoint(part, 6)))).toEqual(anew)
      const stateless = await hubWithLog({ checkpoints: [2, 6], floor: 4 })
      await flip('hub!state!support')(stateless.database)
      expect(await planOf(stateless, flip(checkpoint(part, 6)), 'even the sum')).toEqual(anew)
      // Just not past it.
      const touching = await hubWithLog({ checkpoints: [4, 6], floor: 4 })
      expect(await planOf(touching, flip(checkpoint(part, 6)))).toMatchObject({
        kind: 'mend',
        state: { checkpoint: 4, floor: 4 },
      })
    }
  })

  test('begins a log anew that has lost its beginning and has no checkpoint', async () => {
    for (const strike of [flip(record(1)), lose(record(1))]) {
      const bare = await hubWithLog({ checkpoints: [], floor: 0 })
      expect(await planOf(bare, strike)).toEqual({ kind: 'begin', last: 9, cut: [2, 3, 4, 5, 6, 7, 8, 9] })
    }
  })

  test('makes the state anew of records and checkpoints', async () => {
    for (const strike of [flip('hub!state!support'), lose('hub!state!support')]) {
      expect(await planAfter(strike, 'even the sum')).toEqual({
        kind: 'mend',
        state: { kind: 'present', checkpoint: 6, floor: 2, head: 9 },
        cut: [],
      })
    }
  })

  test('keeps the checkpoint alone where the newest record is damaged and covered', async () => {
    const held = await hubWithLog({ checkpoints: [9], floor: 2 })
    expect(await planOf(held, flip(record(9)))).toEqual({
      kind: 'mend',
      state: { kind: 'present', checkpoint: 9, floor: 9, head: 9 },
      cut: [],
    })
  })
})

describe('the plan for a namespace in which something matches its checksum and makes no sense', () => {
  test('does without it', async () => {
    const store = await open((await hubWithLog()).database)
    const findings = await store.findings('support')
    const none = new Set<number>()
    expect(planHubRepair(findings, { records: new Set([8]), checkpoints: none })).toEqual({
      kind: 'cut',
      state: { kind: 'present', checkpoint: 6, floor: 2, head: 7 },
      cut: [8, 9],
    })
    expect(planHubRepair(findings, { records: new Set([5]), checkpoints: none })).toMatchObject({
      kind: 'mend',
      state: { checkpoint: 6, floor: 5, head: 9 },
    })
    expect(planHubRepair(findings, { records: none, checkpoints: new Set([6]) })).toMatchObject({
      kind: 'mend',
      state: { checkpoint: 4, floor: 2, head: 9 },
    })
    expect(planHubRepair(findings, { records: none, checkpoints: new Set([4, 6]) })).toEqual({
      kind: 'begin',
      last: 9,
      cut: [3, 4, 5, 6, 7, 8, 9],
    })
  })

  test('takes a value that does not read for damaged', async () => {
    for (const key of ['hub!state!support', record(8)]) {
      const held = await hubWithLog()
      await held.database.put(key, seal(key, new Uint8Array([0xff])), { valueEncoding: 'view' })
      const found: SyncError[] = []
      const store = await openHubStore(held.database, {
        incarnation: 'x',
        despite: (fault) => found.push(fault),
      })
      stores.push(store)
      expect((await store.findings('support')).damaged).toMatchObject([{ code: 'STORE_CORRUPT', path: key }])
    }
  })
})

describe('a namespace of which nothing can be read', () => {
  const everything = async (database: TestDatabase['database']): Promise<void> => {
    for (const key of await rawKeys(database))
      if (/^hub!(record|marks|snapshot|state)!support/.test(key)) await flipByte(database, key, -1)
  }

  test('begins anew behind the highest seq of which anything is there', async () => {
    expect(await planAfter(everything)).toEqual({ kind: 'begin', last: 9, cut: [] })
  })

  test('is told also where a damaged checkpoint is all that is left of it', async () => {
    const held = await hubWithLog()
    await everything(held.database)
    for (const key of await rawKeys(held.database))
      if (/^hub!(record|state)!support/.test(key)) await deleteRaw(held.database, key)
    const store = await openHubStore(held.database, { incarnation: 'x', despite: () => {} })
    stores.push(store)
    await expect(store.heads(['support'])).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
      path: 'hub!state!support',
    })
    expect(planHubRepair(await store.findings('support'))).toEqual({ kind: 'begin', last: 6, cut: [] })
  })

  test('is forgotten as one that never was, and what was there is kept aside', async () => {
    const held = await hubWithLog()
    await everything(held.database)
    const store = await open(held.database)
    const { damaged } = await store.findings('support')
    await store.mend({ namespace: 'support', state: null, cut: [], damaged, mayHaveLost: true })
    await store.reopen('support')
    await store.close()
    // Its sum was kept: a store that lost a batch would be refused.
    const again = await open(held.database)
    expect(await again.state('support')).toBe('unknown')
    expect(await again.namespaces()).toEqual(['other'])
    const keys = await rawKeys(held.database)
    expect(keys.filter((key) => /^hub!(record|marks|snapshot|state|damage)!support/.test(key))).toEqual([])
    expect(keys.filter((key) => key.startsWith('hub!damaged!support!'))).toHaveLength(damaged.length)
    expect(await again.append('support', 0, new Uint8Array(1))).toEqual({ kind: 'appended', seq: 1 })
    expect(await again.append('other', 1, new Uint8Array(1))).toEqual({ kind: 'appended', seq: 2 })
  })
})

describe('a mended namespace', () => {
  test('is read from the checkpoint on, and open for writing for whoever mended it', async () => {
    const { store } = await mended(flip(record(5)))
    expect(await store.heads(['support'])).toEqual(new Map([['support', { floor: 5, head: 9 }]]))
    const tail = await store.readTail('support', 5, all)
    expect(tail.kind === 'records' && tail.records.map(({ seq }) => seq)).toEqual([6, 7, 8, 9])
    expect(await store.append('support', 9, new Uint8Array(1))).toEqual({ kind: 'appended', seq: 10 })
  })

  test.for([flip, lose])('stays closed for everybody else until it is reopened', async (strike) => {
    const { database, store } = await mended(strike(record(5)))
    await store.close()
    const again = await open(database)
    await expect(again.append('support', 9, new Uint8Array(1))).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
    })
    expect(planHubRepair(await again.findings('support'))).toMatchObject({
      kind: 'mend',
      state: { floor: 5 },
    })
    await again.reopen('support')
    await again.close()
    const third = await open(database)
    expect(await third.append('support', 9, new Uint8Array(1))).toEqual({ kind: 'appended', seq: 10 })
    expect(planHubRepair(await third.findings('support'))).toEqual({ kind: 'whole' })
  })

  test('keeps the damaged bytes aside, and drops what was cut', async () => {
    const { database, store, damagedBytes } = await mended(flip(record(8)))
    const keys = await rawKeys(database)
    const aside = await rawValue(database, `hub!damaged!support!${record(8)}`)
    expect(Buffer.from(aside).includes(Buffer.from(damagedBytes ?? []))).toBe(true)
    expect(keys).not.toContain(record(8))
    expect(keys).not.toContain(record(9))
    expect(await store.heads(['support'])).toEqual(new Map([['support', { floor: 2, head: 7 }]]))
    // Seqs that were given are passed by who appends next.
    expect(await store.append('support', 7, new Uint8Array(1), 1_000)).toEqual({
      kind: 'appended',
      seq: 1_001,
    })
    expect(await store.readTail('support', 6, all)).toMatchObject({ records: [{ seq: 7 }, { seq: 1_001 }] })
  })

  test('of which a checkpoint alone is left is served, and goes on behind it', async () => {
    const held = await hubWithLog({ checkpoints: [9], floor: 2 })
    const { database, store } = await mended(flip(record(9)), held)
    await store.reopen('support')
    await store.close()
    const again = await open(database)
    expect(await again.heads(['support'])).toEqual(new Map([['support', { floor: 9, head: 9 }]]))
    expect(await again.readTail('support', 9, all)).toEqual({ kind: 'records', records: [], more: false })
    expect(await again.readTail('support', 8, all)).toEqual({ kind: 'gap', floor: 9, head: 9 })
    expect(await again.append('support', 9, new Uint8Array(1))).toEqual({ kind: 'appended', seq: 10 })
    expect(await again.append('support', 10, new Uint8Array(1))).toEqual({ kind: 'appended', seq: 11 })
  })

  test('disturbs no other namespace', async () => {
    const { store } = await mended(flip(record(8)))
    expect(await store.readTail('other', 0, all)).toMatchObject({ records: [{ seq: 1 }], more: false })
    expect(await store.append('other', 1, new Uint8Array(1))).toEqual({ kind: 'appended', seq: 2 })
  })

  test('is what it was where the batch fails', async () => {
    const held = await hubWithLog()
    await flip(record(8))(held.database)
    const store = await open(held.database)
    const findings = await store.findings('support')
    const plan = planHubRepair(findings)
    if (!('state' in plan)) throw new Error('there is something to mend')
    const before = await rawKeys(held.database)
    held.failNextBatch(new Error('disk on fire'), false)
    const mending = { namespace: 'support', ...plan, damaged: findings.damaged, mayHaveLost: false }
    await expect(store.mend(mending)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(await rawKeys(held.database)).toEqual(before)
    expect(planHubRepair(await store.findings('support'))).toEqual(plan)
    await store.mend(mending)
    expect(await store.heads(['support'])).toMatchObject(new Map([['support', { floor: 2, head: 7 }]]))
  })
})

interface Layout {
  readonly checkpoints: readonly number[]
  readonly floor: number
}

type Strike = (database: TestDatabase['database']) => Promise<unknown>

async function hubWithLog(
  { checkpoints, floor }: Layout = { checkpoints: [4, 6], floor: 2 },
): Promise<TestDatabase> {
  const held = new TestDatabase()
  const store = await openHubStore(held.database, { incarnation: 'first' })
  for (let seq = 0; seq < 9; seq++) await store.append('support', seq, new Uint8Array([seq, seq]))
  for (const seq of checkpoints)
    await store.installCheckpoint('support', {
      seq,
      marks: new Uint8Array([1]),
      snapshot: new Uint8Array([seq]),
    })
  await store.trim('support', floor)
  await store.append('other', 0, new Uint8Array([9]))
  await store.close()
  await held.database.open()
  return held
}

function record(seq: number): string {
  return `hub!record!support!${text(seq)}`
}

function checkpoint(part: string, seq: number): string {
  return `hub!${part}!support!${text(seq)}`
}

function text(seq: number): string {
  return seq.toString(16).padStart(14, '0')
}

function flip(key: string): Strike {
  return (database) => flipByte(database, key, -1)
}

function lose(key: string): Strike {
  return (database) => deleteRaw(database, key)
}

async function planAfter(strike: Strike, manner?: 'even the sum'): Promise<HubRepairPlan> {
  return await planOf(await hubWithLog(), strike, manner)
}

async function planOf(held: TestDatabase, strike: Strike, manner?: 'even the sum'): Promise<HubRepairPlan> {
  const { database } = held
  await strike(database)
  const faults: SyncError[] = []
  const despite = manner === undefined ? {} : { despite: (fault: SyncError) => faults.push(fault) }
  const store = await openHubStore(database, { incarnation: 'x', ...despite })
  stores.push(store)
  return planHubRepair(await store.findings('support'))
}

async function open(database: TestDatabase['database']): Promise<LevelHubStore> {
  const store = await openHubStore(database, { incarnation: 'x' })
  stores.push(store)
  return store
}

async function mended(strike: Strike, held?: TestDatabase) {
  const { database } = held ?? (await hubWithLog())
  await strike(database)
  const store = await open(database)
  const findings = await store.findings('support')
  const plan = planHubRepair(findings)
  if (!('state' in plan)) throw new Error(`${plan.kind}, and not mended`)
  const [first] = findings.damaged
  const damagedBytes = first === undefined ? null : await rawValue(database, first.path ?? '')
  await store.mend({ namespace: 'support', ...plan, damaged: findings.damaged, mayHaveLost: false })
  return { database, store, damagedBytes }
}
