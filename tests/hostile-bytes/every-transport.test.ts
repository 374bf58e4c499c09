// What a stranger sends in place of a commit is refused with a documented code before anything is stored, over every transport and
// in every message that carries an update, also where its sender may only read: log, document and disk stay as they were.
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import {
  HlcClock,
  isErrorCode,
  replicaIdOf,
  type Cursor,
  type Dial,
  type DownMessage,
  type Hlc,
  type UpMessage,
} from '@rejoin/core'
import { anyone } from '@rejoin/hub'
import { httpDialer, webSocketDialer } from '@rejoin/transport'
import { tokenOf } from '@rejoin/transport/server'
import { systemClock, type HubOptions } from 'rejoin'
import { RawClient } from '../plain-yjs/raw-client.ts'
import {
  NAMESPACE,
  titlesOf,
  traceOf,
  withPlainWorld,
  type Native,
  type PlainWorld,
} from '../plain-yjs/world.ts'
import { until } from '../support/until.ts'
import { hostileUpdates, rowOf, type HostileUpdate } from './hostile-updates.ts'

const hlc = new HlcClock(replicaIdOf(new Uint8Array(16)), null).tick(Date.now())

/** Who shows `reads` may only read. */
const signedIn: Partial<HubOptions> = {
  authenticate: ({ headers }) => {
    const token = tokenOf(headers)
    if (token === 'reads') return { ...anyone, id: 'reads', name: 'reads', canWrite: () => false }
    return token === 'writes' ? { ...anyone, id: 'writes', name: 'writes' } : null
  },
}

interface Scene {
  readonly world: PlainWorld
  readonly inputs: readonly HostileUpdate[]
  readonly cursor: Cursor
  /** Nothing has changed, and a member goes on. */
  readonly check: () => Promise<void>
}

async function withScene(use: (scene: Scene) => Promise<void>): Promise<void> {
  await withPlainWorld(async (world) => {
    const member: Native = await world.native({ token: 'writes' })
    await member.apply({ type: 'ListAdded', id: 'mine', title: 'mine' }).acked
    await member.apply([
      { type: 'ListAdded', id: 'a', title: 'A' },
      { type: 'ListAdded', id: 'b', title: 'B' },
    ]).acked
    await member.apply({ type: 'ListRemoved', id: 'a' }).acked
    await until('its tail is recorded', () => member.status.cursor?.seq === 3)
    const { cursor } = member.status
    if (cursor === null) throw new Error('the member has a cursor')
    const doc = new Y.Doc()
    Y.applyUpdate(doc, member.encode())
    const [victim] = Y.decodeStateVector(Y.encodeStateVector(doc))
    if (victim === undefined) throw new Error('the member has written')
    const inputs = hostileUpdates(hlc, { client: victim[0], clock: victim[1] })
    const before = await traceOf(world)
    await use({
      world,
      inputs,
      cursor,
      check: async () => {
        expect(await traceOf(world)).toEqual(before)
        expect(member.status.state).toBe('live')
        await member.apply({ type: 'ListAdded', id: 'last', title: 'last' }).acked
        expect(Object.keys(titlesOf(member)).toSorted()).toEqual(['b', 'last', 'mine'])
      },
    })
  }, signedIn)
}

type WayName = 'websocket' | 'http'

/** Says all of it on a channel of its own, and hears everything that is answered until one of `types` came. */
async function exchange(
  dial: Dial,
  says: readonly UpMessage[],
  types: readonly DownMessage['type'][],
): Promise<readonly DownMessage[]> {
  const channel = await dial(new AbortController().signal)
  for (const message of says) channel.send(message)
  if (channel.oneShot) channel.end()
  const heard: DownMessage[] = []
  for (let next = await channel.receive(); next !== null; next = await channel.receive()) {
    heard.push(next)
    if (types.includes(next.type)) break
  }
  channel.close()
  return heard
}

function dialerOf(
  way: WayName,
  url: string,
  token: string,
): { readonly dial: Dial; readonly close: () => Promise<void> } {
  const options = { url, token: () => token, clock: systemClock }
  if (way === 'websocket') {
    const socket = webSocketDialer(options)
    return { dial: socket.dial, close: () => socket.close() }
  }
  return { dial: httpDialer(options).dial, close: () => Promise.resolve() }
}

let strangers = 0

/** Of a replica that nobody has heard of. */
function helloAt(cursor: Cursor | null): UpMessage & { type: 'Hello' } {
  const bytes = new Uint8Array(16)
  new DataView(bytes.buffer).setUint32(0, ++strangers)
  return {
    type: 'Hello',
    namespace: NAMESPACE,
    domain: 'todo',
    domainVersion: 1,
    replica: replicaIdOf(bytes),
    cursor,
    ackedCounter: 0,
    capabilities: ['delta', 'heal'],
  }
}

function pushOf(epoch: number, update: Uint8Array, stamp: Hlc): UpMessage {
  const ops = [{ type: 'ListAdded', id: 'k', title: 'title' }]
  const commit = { counter: 1, prev: 0, hlc: stamp, domainVersion: 1, ops, update }
  return { type: 'Push', epoch, commits: [commit] }
}

describe.each<WayName>(['websocket', 'http'])('over %s', (way) => {
  test('[11] [12] every row of the hazards is refused with its code as a commit', async () => {
    await withScene(async ({ world, inputs, cursor, check }) => {
      const { dial, close } = dialerOf(way, world.hub.url, 'writes')
      for (const { name, bytes, commit } of inputs) {
        const says = [helloAt(cursor), pushOf(cursor.epoch, bytes, hlc)]
        // A commit without bytes changes nothing, and its ops have to say so.
        if (bytes.length === 0) continue
        const heard = await exchange(dial, says, ['Refused', 'Ack'])
        const refused = heard.filter(({ type }) => type === 'Refused' || type === 'Ack')
        expect([name, refused]).toEqual([
          name,
          [
            expect.objectContaining({
              type: 'Refused',
              counter: 1,
              code: expect.stringMatching(commit) as string,
            }),
          ],
        ])
      }
      await close()
      await check()
    })
  }, 120_000)

  test('[11] and of who may only read each is refused as such', async () => {
    await withScene(async ({ world, inputs, cursor, check }) => {
      const { dial, close } = dialerOf(way, world.hub.url, 'reads')
      for (const { name, bytes } of inputs) {
        const heard = await exchange(
          dial,
          [helloAt(cursor), pushOf(cursor.epoch, bytes, hlc)],
          ['Refused', 'Ack'],
        )
        const codes = heard.flatMap((message) => (message.type === 'Refused' ? [message.code] : []))
        expect([name, codes]).toEqual([name, ['FORBIDDEN']])
      }
      await close()
      await check()
    })
  }, 120_000)

  test('[11] nor is any of it taken for history that the hub has lost', async () => {
    await withScene(async ({ world, inputs, cursor, check }) => {
      const { dial, close } = dialerOf(way, world.hub.url, 'writes')
      // At once: before a hub believes that it has lost something it looks again for a while.
      const tries = oneOfEachRow(inputs).map(async ({ name, bytes, plain }) => {
        // What says nothing wrong but whose it is may be history: a heal brings back what others wrote.
        if (!plain.test('UPDATE_MALFORMED') && !plain.test('UPDATE_UNKNOWN_ITEM')) return
        const ahead = { ...cursor, seq: cursor.seq + 1_000 }
        const says: UpMessage[] = [
          helloAt(ahead),
          { type: 'Heal', counter: 0, domainVersion: 1, update: bytes },
        ]
        const heard = await exchange(dial, says, ['Refused', 'Closing', 'CaughtUp'])
        const codes = heard.flatMap((message) =>
          message.type === 'Refused' || message.type === 'Closing' ? [message.code ?? 'none'] : [],
        )
        expect([name, codes.length]).toEqual([name, 1])
        expect([name, codes.every((code) => isErrorCode(code) && code !== 'HUB_INTERNAL')]).toEqual([
          name,
          true,
        ])
      })
      await Promise.all(tries)
      await close()
      await check()
    })
  }, 120_000)
})

test('[11] a plain client that may only read is told so, whatever it sends', async () => {
  await withScene(async ({ world, inputs, check }) => {
    const headers = { authorization: 'Bearer reads' }
    for (const { name, bytes } of inputs) {
      const client = await (await RawClient.open(world.hub.url, { headers })).greet(new Y.Doc())
      client.update(bytes)
      await until(`${name} is answered`, () => client.closed !== null || client.of('denied').length > 0)
      const [denied] = client.of('denied')
      const reason = denied?.type === 'denied' ? denied.reason : (client.closed?.reason ?? '')
      expect([name, isErrorCode(reason.split(':')[0] ?? '')]).toEqual([name, true])
      client.socket.close()
    }
    await check()
  })
}, 120_000)

test('[11] B3 other content under an id that is known already changes nothing', async () => {
  await withScene(async ({ world, cursor }) => {
    const { dial, close } = dialerOf('websocket', world.hub.url, 'writes')
    const write = (title: string): Uint8Array => {
      const doc = new Y.Doc()
      doc.clientID = 4_242
      doc.getArray('entries').insert(0, [['lists', 'mine', 'title', title, hlc]])
      return Y.encodeStateAsUpdate(doc)
    }
    const headers = { authorization: 'Bearer writes' }
    const [page, reader] = [
      await RawClient.open(world.hub.url, { headers }),
      await RawClient.open(world.hub.url, { headers }),
    ]
    await page.greet(new Y.Doc())
    await reader.greet(new Y.Doc())
    const heardBefore = reader.of('update').length
    page.update(write('first'))
    await until('it is logged, and others hear of it', () => reader.of('update').length > heardBefore)
    const after = await traceOf(world)
    page.update(write('second'))
    // What is known is passed over; so that it was looked at, something follows that is not.
    page.update(Uint8Array.from([0xff]))
    expect((await page.whenClosed()).reason).toMatch(/^UPDATE_MALFORMED/)
    const heard = await exchange(
      dial,
      [helloAt(cursor), pushOf(cursor.epoch, write('third'), hlc)],
      ['Refused', 'Ack'],
    )
    expect(heard.find(({ type }) => type === 'Refused')).toMatchObject({ code: 'CLIENT_TAKEN' })
    expect(await traceOf(world)).toEqual(after)
    reader.socket.close()
    await close()
  })
}, 60_000)

/** The first input of each row. */
function oneOfEachRow(inputs: readonly HostileUpdate[]): readonly HostileUpdate[] {
  return inputs.filter(({ name }, i) => inputs.findIndex((each) => rowOf(each) === rowOf({ name })) === i)
}
