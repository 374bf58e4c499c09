// A document that was made anew: a plain client cannot follow, so it is told, and nothing of the old one comes back.
import { expect, test } from 'vitest'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import * as Y from 'yjs'
import { until } from '../support/until.ts'
import { RawClient } from './raw-client.ts'
import { NAMESPACE, titlesOf, withPlainWorld, type PlainWorld } from './world.ts'

const final = { code: 4409, reason: expect.stringMatching(/^EPOCH_CHANGED: /) as string }

/** What the hub holds, as a new page reads it. */
async function freshTitles(world: PlainWorld, count: number): Promise<Record<string, string | undefined>> {
  const page = world.page()
  await page.synced()
  await until('the new page has all', () => Object.keys(page.titles).length === count)
  return page.titles
}

test('[7] a connected provider is closed for good, and its app hears why', async () => {
  await withPlainWorld(async (world) => {
    const ada = world.page()
    const native = await world.native()
    await ada.synced()
    ada.add('a').add('b')
    await until('it is there', () => 'b' in titlesOf(native))
    await world.hub.rebuild(NAMESPACE)
    await until('ada hears', () => ada.closed.length > 0)
    expect(ada.closed).toEqual([final])
    expect(ada.provider.shouldConnect).toBe(false)
    expect(await freshTitles(world, 2)).toEqual(ada.titles)
    await native.apply({ type: 'ListAdded', id: 'c', title: 'C' }).acked
    expect(await freshTitles(world, 3)).toEqual(titlesOf(native))
  })
}, 60_000)

test('[7] one that was away is refused however often it comes, and what it holds stays out', async () => {
  await withPlainWorld(async (world) => {
    const ada = world.page()
    const native = await world.native()
    await ada.synced()
    ada.add('a').add('b')
    await until('it is there', () => 'b' in titlesOf(native))
    ada.provider.disconnect()
    ada.add('offline')
    await native.apply({ type: 'ListRemoved', id: 'a' }).acked
    await world.hub.rebuild(NAMESPACE)
    const { records } = await world.hub.verify(NAMESPACE)
    for (let times = 1; times <= 3; times++) {
      ada.provider.connect()
      await until('ada is refused', () => ada.closed.length === times)
    }
    expect(ada.closed).toEqual([final, final, final])
    expect(ada.titles).toMatchObject({ a: 'title of a', offline: 'title of offline' })
    expect(await freshTitles(world, 1)).toEqual({ b: 'title of b' })
    expect((await world.hub.verify(NAMESPACE)).records).toBe(records)
  })
}, 60_000)

test('[7] a document whose every item was its own is known all the same, and so is one that only read', async () => {
  await withPlainWorld(async (world) => {
    const writer = world.page()
    await writer.synced()
    writer.add('a')
    const reader = world.page()
    await until('it is there', () => 'a' in reader.titles)
    for (const page of [writer, reader]) page.provider.disconnect()
    // Twice: the reserved client id has as many items in either.
    await world.hub.rebuild(NAMESPACE)
    const second = world.page()
    await second.synced()
    second.provider.disconnect()
    await world.hub.rebuild(NAMESPACE)
    for (const page of [writer, reader, second]) {
      page.provider.connect()
      await until(
        `page ${[writer, reader, second].indexOf(page)} is refused`,
        () => page.closed.length > 0,
        5000,
      )
      expect(page.closed).toEqual([final])
    }
    expect(await freshTitles(world, 1)).toEqual({ a: 'title of a' })
  })
}, 60_000)

test('[7] updates that a document sends before it shows its epoch are not taken, whoever says them', async () => {
  await withPlainWorld(async (world) => {
    const ada = world.page()
    await ada.synced()
    ada.add('a')
    const reader = world.page()
    await until('it is there', () => 'a' in reader.titles)
    ada.provider.disconnect()
    await world.hub.rebuild(NAMESPACE)
    const { records } = await world.hub.verify(NAMESPACE)
    // As it would answer whoever holds nothing but its filler: that stands among its deletions.
    const filler = [...Y.decodeStateVector(Y.encodeStateVector(ada.doc))].filter(([client]) => client < 1_024)
    expect(filler).toHaveLength(1)
    const old = Y.encodeStateAsUpdate(ada.doc, yjsCrdt.updates.stateVector(new Map(filler)))
    // Says that it holds nothing, and brings an old document all the same.
    const client = await RawClient.open(world.hub.url)
    client.update(old).step1(Uint8Array.of(0)).update(old).step2(old)
    expect((await client.whenClosed()).code).toBe(4409)
    // The same without what would show it.
    const bare = new Y.Doc()
    bare.clientID = 77_777
    const again = await RawClient.open(world.hub.url)
    again.step1(Uint8Array.of(0)).step2(Y.encodeStateAsUpdate(bare))
    expect(await again.whenClosed()).toMatchObject({ code: 4400 })
    expect((await world.hub.verify(NAMESPACE)).records).toBe(records)
  })
}, 60_000)

test('a document of one namespace is refused by another that was never it', async () => {
  await withPlainWorld(async (world) => {
    const ada = world.page()
    await ada.synced()
    ada.add('a')
    const other = world.page(undefined, { namespace: 'office' })
    await other.synced()
    other.add('b')
    const reader = world.page(undefined, { namespace: 'office' })
    await until('it is there', () => 'b' in reader.titles)
    ada.provider.destroy()
    const moved = world.page(ada.doc, { namespace: 'office' })
    await until('it is refused', () => moved.closed.length > 0)
    expect(moved.closed).toEqual([final])
    expect(reader.titles).toEqual({ b: 'title of b' })
  })
}, 60_000)
