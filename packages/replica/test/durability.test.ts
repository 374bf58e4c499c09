// Which level an answer stands for, at the replica: the local store's for what is saved, the hub's for what it has.
import { SyncError, type Durability } from '@rejoin/core'
import { MapReplicaStore } from '@rejoin/testkit'
import { describe, expect, test } from 'vitest'
import {
  ack,
  caughtUp,
  cursor,
  listAdded,
  openTodo,
  ShakyStore,
  tail,
  turn,
  until,
  welcome,
} from './support.ts'
import { greeting } from './live.ts'

const levels: readonly Durability[] = ['durable', 'applied']

describe('what is saved', () => {
  test.each(levels)('stands for what the store says it does: %s', async (durability) => {
    const replica = await openTodo({ store: new MapReplicaStore({ durability }) })
    expect(await replica.apply(listAdded('a')).saved).toBe(durability)
    expect(replica.status).toMatchObject({ saved: durability, acked: null })
  })

  test('the same where it took a second attempt, and where it was made anew', async () => {
    const store = new ShakyStore({ durability: 'applied' })
    const replica = await openTodo({ store })
    store.slow = true
    replica.apply(listAdded('a'))
    const withdrawn = replica.withdraw(1)
    const kept = replica.apply(listAdded('b'))
    store.slow = false
    store.letRecord()
    await withdrawn
    expect(await kept.saved).toBe('applied')
  })

  test.each(levels)('of what is repeated: when all that was queued is recorded, %s', async (durability) => {
    const store = new ShakyStore({ durability })
    const replica = await openTodo({ store })
    store.slow = true
    replica.apply(listAdded('a'))
    const { kind, saved } = replica.apply(listAdded('a'))
    let told: Durability | null = null
    void saved.then((level) => (told = level))
    await turn()
    expect([kind, told]).toEqual(['unchanged', null])
    store.slow = false
    store.letRecord()
    expect(await saved).toBe(durability)
    expect(await replica.undo().saved).toBe(durability)
    expect(await replica.undo().saved).toBe(durability)
  })

  test('of what is repeated fails with the store, and nobody has to listen', async () => {
    const store = new ShakyStore()
    const replica = await openTodo({ store })
    store.failing = new SyncError('STORE_FULL', 'the disk is full')
    replica.apply(listAdded('a'))
    replica.apply(listAdded('a'))
    const { saved } = replica.apply(listAdded('a'))
    await expect(saved).rejects.toMatchObject({ code: 'STORE_FULL' })
    store.failing = null
    expect(await replica.apply(listAdded('a')).saved).toBe('durable')
  })
})

describe('what the hub has', () => {
  test.each(levels)('stands for what its Ack says: %s', async (durability) => {
    const { replica, line } = await greeting()
    const receipt = replica.apply(listAdded('a'))
    line.say(welcome('unknown', durability), caughtUp(null))
    await line.next('Push')
    expect(replica.status.acked).toBe(durability)
    line.say(ack(1, false, durability))
    expect(await receipt.acked).toBe(durability)
  })

  test('of what is repeated is what becomes of the commits that wait, also of an earlier run', async () => {
    const store = new MapReplicaStore()
    const before = await openTodo({ store })
    await before.apply(listAdded('a')).saved
    const { replica, line } = await greeting(store.crash())
    const repeated = [replica.apply(listAdded('a')), replica.apply(listAdded('a'))]
    let told = false
    for (const { acked } of repeated) void acked.then(() => (told = true))
    line.say(welcome('unknown', 'durable'), caughtUp(null))
    await line.next('Push')
    expect(told).toBe(false)
    line.say(ack(1, false, 'applied'))
    for (const { kind, acked } of repeated) expect([kind, await acked]).toEqual(['unchanged', 'applied'])
  })

  test('of what is repeated is rejected with them, and nobody has to listen', async () => {
    const replica = await openTodo()
    replica.apply(listAdded('a'))
    const { acked } = replica.apply(listAdded('a'))
    await replica.close()
    await expect(acked).rejects.toMatchObject({ code: 'REPLICA_CLOSED' })
  })

  test.each(levels)(
    'of what is repeated is what the hub last said where nothing waits: %s',
    async (level) => {
      const { replica, line } = await greeting()
      expect(await replica.undo().acked).toBe('applied')
      const receipt = replica.apply(listAdded('a'))
      line.say(welcome('unknown', level), caughtUp(null))
      await line.next('Push')
      line.say(ack(1, false, level))
      await receipt.acked
      const [own] = replica.outbox
      line.say(tail(cursor(1), { replica: replica.id, counter: 1, update: own?.update ?? null }))
      await until('it is back', () => replica.status.pending === 0)
      expect(await replica.apply(listAdded('a')).acked).toBe(level)
    },
  )

  test('stands for what that very Ack said, also where others differ', async () => {
    const { replica, line } = await greeting()
    const [first, second] = [replica.apply(listAdded('a')), replica.apply(listAdded('b'))]
    line.say(welcome('unknown'), caughtUp(null))
    await line.next('Push')
    line.say(ack(1, false, 'applied'), ack(2, false, 'durable'))
    expect([await first.acked, await second.acked]).toEqual(['applied', 'durable'])
    expect(replica.status.acked).toBe('durable')
  })

  test.each(levels)('where the Ack got lost, for what the next hub greets with: %s', async (durability) => {
    const { replica, hub, line, clock } = await greeting()
    const receipt = replica.apply(listAdded('a'))
    const later = replica.apply(listAdded('b'))
    line.say(welcome('unknown', durability === 'applied' ? 'durable' : 'applied'), caughtUp(null))
    await line.next('Push')
    line.cut()
    await until(
      'again',
      () => hub.lines.length > 1,
      () => clock.advance(1000),
    )
    const again = await hub.line(1)
    const [one, two] = replica.outbox
    if (one === undefined || two === undefined) throw new Error('they wait')
    // One by the tail, the other by the mark alone.
    const { replica: id } = one.id
    again.say(welcome('tail', durability), tail(cursor(1), { replica: id, counter: 1, update: one.update }))
    again.say(caughtUp(cursor(1), 2, two.hlc))
    expect(await receipt.acked).toBe(durability)
    expect(await later.acked).toBe(durability)
    expect(replica.status).toMatchObject({ pending: 0, acked: durability })
  })

  test('a duplicate is not taken for ours before the log brings it, and stands for the greeting then', async () => {
    const { replica, line } = await greeting()
    const receipt = replica.apply(listAdded('a'))
    line.say(welcome('unknown', 'applied'), caughtUp(null))
    await line.next('Push')
    let told: Durability | null = null
    void receipt.acked.then((durability) => (told = durability))
    line.say(ack(1, true, 'applied'))
    await turn()
    expect(told).toBe(null)
    const [own] = replica.outbox
    line.say(tail(cursor(1), { replica: replica.id, counter: 1, update: own?.update ?? null }))
    await until('it is back', () => told !== null)
    expect(told).toBe('applied')
  })

  test('is unknown until a hub has answered in this run, and stays known while it is away', async () => {
    const store = new MapReplicaStore()
    const { replica, line } = await greeting(store)
    expect(replica.status.acked).toBe(null)
    line.say(welcome('unknown', 'applied'), caughtUp(null))
    await until('live', () => replica.status.state === 'live')
    line.cut()
    await until('away', () => replica.status.state !== 'live')
    expect(replica.status.acked).toBe('applied')
    await replica.close()
    expect((await openTodo({ store: store.crash() })).status.acked).toBe(null)
  })

  test('and who listens hears when it becomes another', async () => {
    const { replica, line } = await greeting()
    const heard = new Set<Durability | null>()
    replica.onStatus(({ acked }) => heard.add(acked))
    replica.apply(listAdded('a'))
    line.say(welcome('unknown'), caughtUp(null))
    await line.next('Push')
    line.say(ack(1, false, 'applied'))
    await until('heard', () => heard.has('applied'))
    expect([...heard]).toEqual([null, 'durable', 'applied'])
  })
})

test('[4] closing says what is saved as the store means it', async () => {
  const store = new ShakyStore({ durability: 'applied' })
  const replica = await openTodo({ store })
  const receipt = replica.apply(listAdded('a'))
  await replica.close()
  expect(await receipt.saved).toBe('applied')
  await expect(receipt.acked).rejects.toThrow(SyncError)
})
