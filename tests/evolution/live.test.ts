// Apps and hubs of two versions that stay connected: who hears of it, what waits, and when it goes out.
import { expect, test } from 'vitest'
import { limits, type AnyDomain, type Dial, type ReplicaChannel } from '@rejoin/core'
import { after, before } from '@rejoin/examples/evolution/rename-an-op'
import * as retire from '@rejoin/examples/evolution/retire-a-table'
import { codeOf, Device, EvolvingWorld, thrownBy } from './world.ts'

const added = (id: string) => ({ type: 'TaskAdded', id, title: id })

async function settle(): Promise<void> {
  for (let i = 0; i < 30; i++) await new Promise((resolve) => setImmediate(resolve))
}

async function pass(world: EvolvingWorld, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 1_000) {
    await settle()
    world.clock.advance(1_000)
  }
  await settle()
}

async function connected(world: EvolvingWorld, domain: AnyDomain): Promise<Device> {
  const device = await Device.open(world, domain)
  device.replica.connect()
  await settle()
  return device
}

const refusals = ({ hub }: EvolvingWorld) => hub.metrics().refusals['DOMAIN_TOO_NEW'] ?? 0

test('[16] an app that stays connected hears that others are newer, reads on and writes nothing any more', async () => {
  const world = new EvolvingWorld(after)
  const phone = await connected(world, before)
  const heard: (number | null)[] = []
  phone.replica.onStatus(({ domainTooNew }) => heard.push(domainTooNew))
  phone.apply(added('old'))
  await settle()
  expect(phone.replica.status).toMatchObject({ state: 'live', pending: 0, domainTooNew: null })
  const tablet = await connected(world, after)
  tablet.apply(added('new'))
  await settle()
  expect(heard.at(-1)).toBe(2)
  expect(phone.replica.status).toMatchObject({ state: 'live', lastError: { code: 'DOMAIN_TOO_NEW' } })
  tablet.apply(added('newer'))
  await settle()
  expect(Object.keys(phone.rows('tasks'))).toEqual(['new', 'newer', 'old'])
  expect(thrownBy(() => phone.apply(added('refused')))).toBe('DOMAIN_TOO_NEW')
  // Nothing waits, so an exchange is a success.
  expect(await phone.sync()).toBeNull()
})

test('[16] an app that is newer than its hub stays connected, reads on, and tries again after a bounded wait', async () => {
  const world = new EvolvingWorld(before)
  const [phone, tablet] = [await connected(world, before), await connected(world, after)]
  const receipt = tablet.apply(added('new'))
  tablet.apply(added('newer'))
  await settle()
  expect(refusals(world)).toBe(2)
  const held = { state: 'live', pending: 2, rejected: 0, lastError: { code: 'DOMAIN_TOO_NEW' } }
  expect(tablet.replica.status).toMatchObject(held)
  phone.apply(added('old'))
  await settle()
  expect(tablet.rows('tasks')).toHaveProperty('old')
  expect(await tablet.sync()).toBe('DOMAIN_TOO_NEW')
  await pass(world, limits.reconnectMsMax - 2_000)
  expect(refusals(world)).toBe(2)
  await pass(world, 4_000)
  expect(refusals(world)).toBe(4)
  expect(tablet.replica.status).toMatchObject(held)

  await world.serve(after)
  await pass(world, limits.reconnectMsMax)
  await receipt.acked
  expect(tablet.replica.status).toMatchObject({ state: 'live', pending: 0, lastError: null })
  expect(phone.replica.status).toMatchObject({ state: 'live', domainTooNew: 2 })
  expect(phone.rows('tasks')).toEqual(tablet.rows('tasks'))
})

test('[16] over a channel that carries one exchange, it is said at once and once', async () => {
  const world = new EvolvingWorld(before)
  const [phone, tablet] = [await Device.open(world, before), await Device.open(world, after)]
  const once = (device: Device) => device.replica.syncOnce(oneShot(world.dial)).then(() => null, codeOf)
  tablet.apply(added('new'))
  expect(await once(tablet)).toBe('DOMAIN_TOO_NEW')
  expect(refusals(world)).toBe(1)
  expect(tablet.replica.status).toMatchObject({
    pending: 1,
    rejected: 0,
    lastError: { code: 'DOMAIN_TOO_NEW' },
  })
  await world.serve(after)
  expect(await once(tablet)).toBeNull()
  phone.apply(added('old'))
  // It is sent before the answer is heard, and not let in: what does not know everything in a document writes nothing to it.
  expect(await once(phone)).toBe('DOMAIN_TOO_NEW')
  expect(phone.replica.status).toMatchObject({ pending: 1, rejected: 0, domainTooNew: 2 })
  expect(Object.keys(phone.rows('tasks'))).toEqual(['new', 'old'])
  expect((await world.log()).length).toBe(1)
  await phone.update(after)
  expect(await once(phone)).toBeNull()
  expect(phone.replica.status).toMatchObject({ pending: 0, domainTooNew: null })
  expect((await world.log()).length).toBe(2)
})

test('[4] [16] an app that was set back keeps what its newer version wrote, through a rebuild', async () => {
  const world = new EvolvingWorld(after)
  const phone = await Device.open(world, after)
  phone.apply(added('a'), added('b'))
  await phone.sync()
  phone.apply({ type: 'TaskClosed', id: 'a', done: true })
  phone.apply({ type: 'TaskClosed', id: 'a', done: false }, added('c'))
  await phone.update(before)
  await world.rebuild()
  expect(await phone.sync()).toBe('DOMAIN_TOO_NEW')
  const rows = { a: { title: 'a', done: false }, b: { title: 'b' }, c: { title: 'c' } }
  expect(phone.rows('tasks')).toEqual(rows)
  expect(phone.replica.status).toMatchObject({ pending: 2, rejected: 0, domainTooNew: 2 })
  await phone.update(after)
  expect(await phone.sync()).toBeNull()
  expect(phone.rows('tasks')).toEqual(rows)
  expect(phone.replica.conflicts()).toEqual([])
  const tablet = await Device.open(world, after)
  await tablet.sync()
  expect(tablet.rows('tasks')).toEqual(rows)
  expect((await world.log()).map(({ domainVersion }) => domainVersion)).toEqual([2, 2])
})

test('[4] [16] what a newer version removed stays removed when the app is set back, through a rebuild', async () => {
  const world = new EvolvingWorld(retire.after)
  const phone = await Device.open(world, retire.after)
  phone.apply(added('a'), added('b'))
  await phone.sync()
  phone.apply({ type: 'TaskRemoved', id: 'a' })
  await phone.update(retire.before)
  await world.rebuild()
  expect(await phone.sync()).toBe('DOMAIN_TOO_NEW')
  expect(Object.keys(phone.rows('tasks'))).toEqual(['b'])
  await phone.update(retire.after)
  expect(await phone.sync()).toBeNull()
  const tablet = await Device.open(world, retire.after)
  await tablet.sync()
  expect(Object.keys(tablet.rows('tasks'))).toEqual(['b'])
})

test('[17] a rejected commit of an older version is brought up to date when it is resubmitted', async () => {
  const strict = { ...before, layouts: new Map([...before.layouts].filter(([table]) => table !== 'tasks')) }
  const world = new EvolvingWorld(strict as AnyDomain)
  const phone = await Device.open(world, before)
  phone.apply(added('a'), { type: 'TaskDone', id: 'a' })
  await phone.sync()
  expect(phone.replica.rejected).toHaveLength(1)
  await world.serve(after)
  await phone.update(after)
  const receipt = phone.replica.resubmit(1)
  expect(receipt.kind).toBe('commit')
  expect(phone.replica.rejected).toEqual([])
  expect(await phone.sync()).toBeNull()
  const closed = { type: 'TaskClosed', id: 'a', done: true }
  expect(await world.log()).toMatchObject([{ domainVersion: 2, ops: [added('a'), closed] }])
})

test('[16] a new app that has written nothing yet may be set back, and one that has reads on', async () => {
  const world = new EvolvingWorld(after)
  const phone = await Device.open(world, after)
  await phone.update(before)
  expect(phone.replica.status.domainTooNew).toBeNull()
  expect(phone.apply(added('a')).kind).toBe('commit')
  await phone.update(after)
  phone.apply({ type: 'TaskClosed', id: 'a', done: true })
  expect(await phone.sync()).toBeNull()
  await phone.update(before)
  expect(phone.replica.status).toMatchObject({ domainTooNew: 2, pending: 0 })
  expect(phone.rows('tasks')).toEqual({ a: { title: 'a', done: true } })
})

/** The dial's channels, as HTTP has them: everything is said before an answer is heard. */
function oneShot(dial: Dial): Dial {
  return async (signal) => {
    const channel = await dial(signal)
    return new Proxy<ReplicaChannel>(channel, {
      get: (target, name) => {
        if (name === 'oneShot') return true
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
  }
}
