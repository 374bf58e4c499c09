// Which level an answer stands for, at the replica: the local store's for what is saved, the hub's for what it has.
import { SyncError, type Durability } from '@rejoin/core'
import { MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { describe, expect, test } from 'vitest'
import {
  ack,
  caughtUp,
  cursor,
  listAdded,
  openTodo,
  ScriptedHub,
  ShakyStore,
  tail,
  turn,
  until,
  welcome,
} from './support.ts'

const levels: readonly Durability[] = ['durable', 'applied']

async function live(store: MapReplicaStore = new MapReplicaStore()) {
  const clock = new VirtualClock(1)
  const hub = new ScriptedHub(clock)
  const replica = await openTodo({ store, clock, dial: hub.dial })
  return { replica, hub, clock, line: await hub.line(0) }
}

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

  test('nothing that could be lost is durable', async () => {
    const replica = await openTodo({ store: new MapReplicaStore({ durability: 'applied' }) })
    await replica.apply(listAdded('a')).saved
    const { kind, saved, acked } = replica.apply(listAdded('a'))
    expect([kind, await saved, await acked]).toEqual(['unchanged', 'durable', 'durable'])
  })
})

describe('what the hub has', () => {
  test.each(levels)('stands for what its Ack says: %s', async (durability) => {
    const { replica, line } = await live()
    const receipt = replica.apply(listAdded('a'))
    line.say(welcome('unknown', durability), caughtUp(null))
    await line.next('Push')
    expect(replica.status.acked).toBe(durability)
    line.say(ack(1, false, durability))
    expect(await receipt.acked).toBe(durability)
  })

  test('stands for what that very Ack said, also where others differ', async () => {
    const { replica, line } = await live()
    const [first, second] = [replica.apply(listAdded('a')), replica.apply(listAdded('b'))]
    line.say(welcome('unknown'), caughtUp(null))
    await line.next('Push')
    line.say(ack(1, false, 'applied'), ack(2, false, 'durable'))
    expect([await first.acked, await second.acked]).toEqual(['applied', 'durable'])
    expect(replica.status.acked).toBe('durable')
  })

  test.each(levels)('where the Ack got lost, for what the next hub greets with: %s', async (durability) => {
    const { replica, hub, line, clock } = await live()
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
    const { replica, line } = await live()
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
    const { replica, line } = await live(store)
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
    const { replica, line } = await live()
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
