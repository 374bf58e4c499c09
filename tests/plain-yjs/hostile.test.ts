// What a stranger sends on `/yjs` is refused with a documented code before anything is stored: log, document and disk stay as
// they were, its socket alone is closed, and whoever else is there goes on.
import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { HlcClock, isErrorCode, limits, replicaIdOf } from '@rejoin/core'
import { Seeded } from '../support/seeded.ts'
import { until } from '../support/until.ts'
import { hostileUpdates } from '../hostile-bytes/hostile-updates.ts'
import { followedBy, RawClient, sync } from './raw-client.ts'
import { titlesOf, traceOf, withPlainWorld, type Page, type PlainWorld } from './world.ts'

const hlc = new HlcClock(replicaIdOf(new Uint8Array(16)), null).tick(Date.now())

/** Something to look after, and somebody who goes on. */
async function settled(world: PlainWorld): Promise<{ page: Page; check: () => Promise<void> }> {
  const page = world.page()
  await page.synced()
  const native = await world.native()
  await native.apply({ type: 'ListAdded', id: 'mine', title: 'mine' }).acked
  page.add('a').add('b').remove('a')
  await until('it is logged', () => 'b' in titlesOf(native))
  const before = await traceOf(world)
  return {
    page,
    check: async () => {
      expect(await traceOf(world)).toEqual(before)
      expect(page.closed).toEqual([])
      page.add('last')
      await until('others go on', () => 'last' in titlesOf(native))
    },
  }
}

/** Native client ids are another's: of the one who wrote `mine`. */
function victimOf(doc: Y.Doc): { client: number; clock: number } {
  for (const [client, clock] of Y.decodeStateVector(Y.encodeStateVector(doc)))
    if (client !== doc.clientID && client >= 1_024) return { client, clock }
  throw new Error('there is somebody else')
}

test('[11] [12] every row of the hazards is refused with its code, as an update and as what a document holds', async () => {
  await withPlainWorld(async (world) => {
    const { page, check } = await settled(world)
    await until('the native is in the page', () => 'mine' in page.titles)
    for (const { name, bytes, plain } of hostileUpdates(hlc, victimOf(page.doc))) {
      const live = await (await RawClient.open(world.hub.url)).greet(new Y.Doc())
      live.update(bytes)
      const bringing = await RawClient.open(world.hub.url)
      bringing.step1(Uint8Array.of(0))
      await until('the hub has asked', () => bringing.of('step1').length > 0)
      bringing.step2(bytes)
      for (const client of [live, bringing]) {
        const { code: status, reason } = await client.whenClosed()
        expect([name, status >= 4400 && status < 4500]).toEqual([name, true])
        expect(isErrorCode(reason.split(':')[0] ?? '')).toBe(true)
        expect(client.of('denied').length).toBe(1)
      }
      // What holds no epoch's filler is refused for that, where nothing else was found first.
      expect([name, live.closed?.reason]).toEqual([name, expect.stringMatching(plain)])
    }
    await check()
  })
}, 120_000)

test('[11] damaged updates of an honest document leave no trace, or are honest still', async () => {
  const random = new Seeded(Math.floor(Date.now() / 1000))
  await withPlainWorld(async (world) => {
    const { check } = await settled(world)
    const doc = new Y.Doc()
    doc.clientID = 4_242
    doc.getArray('entries').insert(0, [
      ['lists', 'x', true, hlc],
      ['lists', 'x', 'title', 'X', hlc],
    ])
    const honest = Y.encodeStateAsUpdate(doc)
    for (let i = 0; i < 100; i++) {
      const damaged = honest.slice(0, random.chance(0.2) ? random.whole(0, honest.length - 1) : honest.length)
      // Where it is still well-formed it must not be taken for an honest one: so all of it is of another table.
      if (damaged.length > 0) damaged[random.whole(0, damaged.length - 1)] = random.whole(0, 255)
      const text = Buffer.from(damaged).toString('latin1').replaceAll('lists', 'nopes')
      const client = await (await RawClient.open(world.hub.url)).greet(new Y.Doc())
      client.update(new Uint8Array(Buffer.from(text, 'latin1')))
      expect([random.seed, (await client.whenClosed()).code]).toEqual([random.seed, expect.any(Number)])
    }
    await check()
  })
}, 120_000)

test('[11] messages that do not read close their socket with a code', async () => {
  await withPlainWorld(async (world) => {
    const { check } = await settled(world)
    const empty = Uint8Array.of(0, 0)
    const messages: readonly (readonly [string, Uint8Array, RegExp])[] = [
      ['no bytes', new Uint8Array(0), /^MESSAGE_MALFORMED/],
      ['an unknown type', Uint8Array.of(9), /^MESSAGE_UNKNOWN/],
      ['a denial', Uint8Array.of(2, 0, 0), /^MESSAGE_UNKNOWN/],
      ['an unknown step', sync(7, empty), /^MESSAGE_UNKNOWN/],
      ['a cut message', sync(2, empty).slice(0, -1), /^MESSAGE_MALFORMED/],
      ['more behind it', followedBy(sync(2, empty), empty), /^MESSAGE_MALFORMED/],
      ['a length beyond the bytes', Uint8Array.of(0, 0, 0xff, 0x7f), /^MESSAGE_MALFORMED/],
      ['A10 a state vector that ends too early', sync(0, Uint8Array.of(3, 1, 1)), /^UPDATE_MALFORMED/],
      ['A10 a client twice', sync(0, Uint8Array.of(2, 1, 1, 1, 2)), /^UPDATE_MALFORMED/],
      [
        'A10 a clock that reads as NaN',
        sync(0, Uint8Array.from([1, 1, ...Array(160).fill(0x80), 1])),
        /^UPDATE_/,
      ],
      ['A10 a million clients', sync(0, manyClients(1_000_000)), /^UPDATE_/],
      ['A10 more clients than are here', sync(0, manyClients(limits.healClientsMax + 100)), /^UPDATE_/],
      ['a filler of no epoch', sync(0, Uint8Array.of(1, 7, 5)), /^EPOCH_CHANGED/],
      ['a rebuilt document of nobody', sync(0, Uint8Array.of(1, 1, 5)), /^EPOCH_CHANGED/],
    ]
    for (const [name, bytes, reason] of messages) {
      const client = await RawClient.open(world.hub.url)
      client.send(bytes)
      const closed = await client.whenClosed()
      expect([name, closed.reason]).toEqual([name, expect.stringMatching(reason)])
      expect(closed.code).toBeGreaterThanOrEqual(4400)
    }
    const texting = await RawClient.open(world.hub.url)
    texting.socket.send('hello')
    expect((await texting.whenClosed()).code).toBe(1003)
    const large = await RawClient.open(world.hub.url)
    large.send(new Uint8Array(limits.messageUpBytesMax + 1))
    expect((await large.whenClosed()).code).toBe(1009)
    await check()
  })
}, 120_000)

function manyClients(count: number): Uint8Array {
  const bytes: number[] = []
  const uint = (value: number): void => {
    let rest = value
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
    bytes.push(rest)
  }
  uint(count)
  for (let i = 0; i < count; i++) {
    uint(2_000 + i)
    uint(1)
  }
  return Uint8Array.from(bytes)
}
