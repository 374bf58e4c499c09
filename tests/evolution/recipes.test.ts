// Each recipe of docs/evolving-your-domain.md with real engines: both versions of the app, both versions of the hub, and
// devices that were away while everything was updated.
import { describe, expect, test } from 'vitest'
import type { AnyDomain, AnyOp } from '@rejoin/core'
import * as field from '@rejoin/examples/evolution/add-a-field'
import * as name from '@rejoin/examples/evolution/rename-an-op'
import * as table from '@rejoin/examples/evolution/retire-a-table'
import { Device, EvolvingWorld, thrownBy } from './world.ts'

interface Recipe {
  readonly before: AnyDomain
  readonly after: AnyDomain
  /** What the old app wrote while it was away, as one commit, and what readers of version 2 see of it. */
  readonly old: readonly AnyOp[]
  readonly oldRow: object
  /** The same where the commit had to be made anew by version 2. */
  readonly oldRowAnew: object
  /** What the new app writes, and what an old app sees of it. */
  readonly fresh: readonly AnyOp[]
  readonly freshRow: object
  readonly freshSeenByOld: object
  /** The old commit once version 2 has made it anew. */
  readonly anew: { readonly domainVersion: number; readonly ops: readonly AnyOp[] }
}

const added = (id: string): AnyOp => ({ type: 'TaskAdded', id, title: id })
const recipes: readonly (Recipe & { readonly name: string })[] = [
  {
    name: 'add a field',
    ...field,
    old: [added('old')],
    oldRow: { title: 'old' },
    oldRowAnew: { title: 'old', due: null },
    fresh: [{ ...added('new'), due: '2027-01-31' }],
    freshRow: { title: 'new', due: '2027-01-31' },
    freshSeenByOld: { title: 'new' },
    anew: { domainVersion: 2, ops: [{ ...added('old'), due: null }] },
  },
  {
    name: 'rename an op',
    ...name,
    old: [added('old'), { type: 'TaskDone', id: 'old' }],
    oldRow: { title: 'old', done: true },
    oldRowAnew: { title: 'old', done: true },
    fresh: [added('new'), { type: 'TaskClosed', id: 'new', done: true }],
    freshRow: { title: 'new', done: true },
    freshSeenByOld: { title: 'new', done: true },
    anew: { domainVersion: 2, ops: [added('old'), { type: 'TaskClosed', id: 'old', done: true }] },
  },
  {
    name: 'retire a table',
    ...table,
    old: [added('old'), { type: 'Labelled', id: 'old', label: 'urgent', color: 'red' }],
    oldRow: { title: 'old' },
    oldRowAnew: { title: 'old' },
    fresh: [added('new')],
    freshRow: { title: 'new' },
    freshSeenByOld: { title: 'new' },
    // It set what the new version has no table for: so it stays as it was.
    anew: {
      domainVersion: 1,
      ops: [added('old'), { type: 'Labelled', id: 'old', label: 'urgent', color: 'red' }],
    },
  },
]

describe.each(recipes)('to $name', (recipe) => {
  const { before, after, old, oldRow, oldRowAnew, fresh, freshRow, freshSeenByOld } = recipe

  test('[16] [17] the hub goes first, the apps follow, and what was written offline goes out as it was', async () => {
    const world = new EvolvingWorld(before)
    const phone = await Device.open(world, before)
    phone.apply(added('first'))
    expect(await phone.sync()).toBeNull()
    phone.apply(...old)

    await world.serve(after)
    const tablet = await Device.open(world, after)
    tablet.apply(...fresh)
    expect(await tablet.sync()).toBeNull()

    // The old app: reads on, writes nothing, loses nothing.
    expect(await phone.sync()).toBe('DOMAIN_TOO_NEW')
    expect(phone.rows('tasks')).toMatchObject({ first: {}, old: {}, new: freshSeenByOld })
    expect(Object.keys(phone.rows('tasks')['new'] as object)).toEqual(Object.keys(freshSeenByOld))
    expect(phone.replica.status).toMatchObject({
      domainTooNew: 2,
      pending: 1,
      lastError: { code: 'DOMAIN_TOO_NEW' },
    })
    expect(await world.log()).toHaveLength(2)
    expect(thrownBy(() => phone.apply(added('refused')))).toBe('DOMAIN_TOO_NEW')
    expect(phone.rows('tasks')).not.toHaveProperty('refused')

    await phone.update(after)
    expect(phone.replica.status.domainTooNew).toBeNull()
    expect(await phone.sync()).toBeNull()
    expect(await tablet.sync()).toBeNull()
    expect(tablet.rows('tasks')).toEqual({ first: { title: 'first' }, old: oldRow, new: freshRow })
    expect(phone.rows('tasks')).toEqual(tablet.rows('tasks'))
    expect(phone.digest).toBe(tablet.digest)
    expect(phone.replica.status).toMatchObject({ pending: 0, lastError: null })
    const logged = (await world.log()).find(({ ops }) => ops[0]?.['id'] === 'old')
    expect(logged).toMatchObject({ domainVersion: 1, ops: old })
  })

  test('[9] [17] [18] what was written offline before a rebuild is made anew as the new version says it, where it can', async () => {
    const world = new EvolvingWorld(before)
    const phone = await Device.open(world, before)
    phone.apply(added('first'))
    await phone.sync()
    phone.apply(...old)
    await world.serve(after)
    await world.rebuild()
    await phone.update(after)
    expect(await phone.sync()).toBeNull()
    expect(phone.rows('tasks')).toEqual({ first: { title: 'first' }, old: oldRowAnew })
    const logged = (await world.log()).find(({ id }) => id.counter === 2)
    expect(logged).toMatchObject(recipe.anew)
    const tablet = await Device.open(world, after)
    await tablet.sync()
    expect(tablet.rows('tasks')).toEqual(phone.rows('tasks'))
    // It says without a hub whether it has written what the old version does not know.
    await phone.update(before)
    const domainTooNew = recipe.anew.domainVersion === 2 ? 2 : null
    expect(phone.replica.status).toMatchObject({ domainTooNew, pending: 0 })
  })

  test('[16] an app that is updated before its hub reads on, keeps what it writes, and sends it later', async () => {
    const world = new EvolvingWorld(before)
    const phone = await Device.open(world, before)
    phone.apply(...old)
    await phone.sync()
    const tablet = await Device.open(world, after)
    tablet.apply(...fresh)
    expect(await tablet.sync()).toBe('DOMAIN_TOO_NEW')
    expect(tablet.rows('tasks')).toEqual({ old: oldRow, new: freshRow })
    expect(tablet.replica.status).toMatchObject({
      domainTooNew: null,
      pending: 1,
      rejected: 0,
      lastError: { code: 'DOMAIN_TOO_NEW' },
    })
    // Others go on as before.
    phone.apply(added('second'))
    expect(await phone.sync()).toBeNull()
    await world.serve(after)
    expect(await tablet.sync()).toBeNull()
    expect(tablet.rows('tasks')).toHaveProperty('second')
    expect(tablet.replica.status).toMatchObject({ pending: 0, lastError: null })
  })

  test('[18] a device that comes back years later finds everything, what it does not know included', async () => {
    const world = new EvolvingWorld(before)
    const phone = await Device.open(world, before)
    phone.apply(...old)
    await phone.sync()
    await world.serve(after)
    const tablet = await Device.open(world, after)
    tablet.apply(...fresh)
    await tablet.sync()
    await world.checkpoint()
    await world.rebuild()
    world.clock.advance(5 * 365 * 24 * 3_600_000)
    expect(await phone.sync()).toBeNull()
    expect(phone.replica.status).toMatchObject({ domainTooNew: 2, pending: 0 })
    await phone.update(before)
    expect(phone.replica.status.domainTooNew).toBe(2)
    expect(phone.rows('tasks')).toMatchObject({ new: freshSeenByOld })
    await phone.update(after)
    expect(await phone.sync()).toBeNull()
    await tablet.sync()
    expect(phone.rows('tasks')).toEqual({ old: oldRow, new: freshRow })
    expect(phone.digest).toBe(tablet.digest)
  })
})

test('[9] [17] [18] what an old outbox set in a retired table is kept when it is made anew, and those after it go on', async () => {
  const { before, after } = table
  const world = new EvolvingWorld(before)
  const phone = await Device.open(world, before)
  phone.apply(added('a'))
  await phone.sync()
  const labelled = { type: 'Labelled', id: 'a', label: 'urgent', color: 'red' }
  phone.apply(labelled)
  phone.apply(added('b'))
  await world.serve(after)
  await world.rebuild()
  await phone.update(after)
  expect(await phone.sync()).toBeNull()
  expect(phone.replica.status).toMatchObject({ pending: 0, rejected: 0 })
  expect(phone.rows('tasks')).toEqual({ a: { title: 'a' }, b: { title: 'b' } })
  expect(await world.log()).toMatchObject([
    { id: { counter: 2 }, domainVersion: 1, ops: [labelled] },
    { id: { counter: 3 }, domainVersion: 2, ops: [added('b')] },
  ])
  // Whoever still knows the table reads it.
  const old = await Device.open(world, before)
  await old.sync()
  expect(Object.keys(old.rows('labels'))).toEqual(['a,urgent'])
})

test('[18] what is in a retired table stays in every document, through a checkpoint, a rebuild and a restart', async () => {
  const { before, after } = table
  const world = new EvolvingWorld(before)
  const phone = await Device.open(world, before)
  phone.apply(added('a'), { type: 'Labelled', id: 'a', label: 'urgent', color: 'red' })
  await phone.sync()
  await world.serve(after)
  const tablet = await Device.open(world, after)
  const heard: unknown[] = []
  tablet.replica.subscribe((changes) => heard.push(...changes.map((change) => change.table)))
  await tablet.sync()
  expect(new Set(heard)).toEqual(new Set(['tasks']))
  tablet.apply({ type: 'TaskRemoved', id: 'a' })
  await tablet.sync()
  expect(tablet.replica.conflicts()).toEqual([])
  await world.checkpoint()
  await world.rebuild()
  await tablet.sync()
  await tablet.update(after)
  expect([...tablet.replica.registers.tableNames()]).toEqual(['labels'])
  // Whoever reads it again finds what was left.
  await phone.sync()
  expect(phone.replica.conflicts()).toMatchObject([{ kind: 'orphan', table: 'labels', key: ['a', 'urgent'] }])
})
