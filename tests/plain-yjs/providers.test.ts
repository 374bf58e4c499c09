// The real `y-websocket` provider on documents of our tables: what it writes passes admission and is logged without ops, what
// others write arrives, and nothing is logged twice.
import { expect, test } from 'vitest'
import { until } from '../support/until.ts'
import { titlesOf, withPlainWorld } from './world.ts'

test('two providers and one native replica see what each of them writes', async () => {
  await withPlainWorld(async (world) => {
    const [ada, bob] = [world.page(), world.page()]
    const native = await world.native()
    await ada.synced()
    await bob.synced()
    ada.add('a')
    await until('bob sees a', () => 'a' in bob.titles)
    bob.add('b')
    await native.apply({ type: 'ListAdded', id: 'c', title: 'title of c' }).acked
    const all = { a: 'title of a', b: 'title of b', c: 'title of c' }
    for (const page of [ada, bob]) await until('a page sees all', () => Object.keys(page.titles).length === 3)
    await until('the native sees all', () => Object.keys(titlesOf(native)).length === 3)
    bob.remove('a')
    await until('a is gone', () => !('a' in titlesOf(native)) && !('a' in ada.titles))
    expect(ada.titles).toEqual({ b: all.b, c: all.c })
    expect(bob.titles).toEqual(ada.titles)
    const commits = await world.log()
    expect(commits.map(({ ops }) => ops.length)).toEqual(expect.arrayContaining([0, 1]))
    expect(commits.filter(({ ops }) => ops.length === 0)).toHaveLength(3)
    const own = commits.filter(({ ops }) => ops.length === 0).map(({ id }) => id.counter)
    expect(own).toEqual([1, 2, 3])
  })
}, 60_000)

test('reconnecting a hundred times adds nothing to the log', async () => {
  await withPlainWorld(async (world) => {
    const ada = world.page()
    await ada.synced()
    for (let i = 0; i < 20; i++) ada.add(`l${i}`)
    for (let i = 0; i < 10; i++) ada.remove(`l${i}`)
    const reader = world.page()
    await until('all is there', () => Object.keys(reader.titles).length === 10)
    const before = await world.records()
    for (let i = 0; i < 100; i++) {
      ada.provider.disconnect()
      ada.provider.connect()
      await ada.synced()
    }
    ada.add('last')
    await until('the last one is there', () => 'last' in reader.titles)
    expect(await world.records()).toBe(before + 1)
  })
}, 60_000)

test('what was written offline comes with the next connection, deletions too, and once', async () => {
  await withPlainWorld(async (world) => {
    const [ada, bob] = [world.page(), world.page()]
    await ada.synced()
    await bob.synced()
    ada.add('a').add('b')
    await until('bob sees both', () => 'b' in bob.titles)
    bob.provider.disconnect()
    bob.remove('a').add('c').add('d').remove('d')
    ada.add('e')
    bob.provider.connect()
    await until('ada sees what bob did', () => 'c' in ada.titles && !('a' in ada.titles))
    await until('bob sees e', () => 'e' in bob.titles)
    expect(Object.keys(ada.titles).toSorted()).toEqual(['b', 'c', 'e'])
    expect(bob.titles).toEqual(ada.titles)
    expect((await world.hub.verify('home')).faults).toEqual([])
  })
}, 60_000)

test('a document that was written before its namespace existed creates it, with an epoch before its first bytes', async () => {
  await withPlainWorld(async (world) => {
    const ada = world.page(undefined, { connect: false })
    ada.add('a').add('b').remove('a')
    ada.provider.connect()
    const native = await world.native()
    await until('the native sees it', () => 'b' in titlesOf(native))
    expect(titlesOf(native)).toEqual({ b: 'title of b' })
    expect(ada.titles).toEqual({ b: 'title of b' })
    const commits = await world.log()
    expect(commits).toHaveLength(1)
    expect(commits[0]).toMatchObject({ ops: [], id: { counter: 1 }, principal: 'anyone' })
  })
}, 60_000)
