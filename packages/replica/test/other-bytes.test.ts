// A late push of a dead connection has put other bytes of a commit in the log than the replica has by now: its document is to be
// made anew, and what asks for that is said once, by a tail that does not come again.
import { SyncError } from '@rejoin/core'
import { MapReplicaStore } from '@rejoin/testkit'
import { expect, test } from 'vitest'
import { greeting } from './live.ts'
import {
  bytesOf,
  caughtUp,
  cursor,
  listAdded,
  listRemoved,
  Peer,
  refused,
  ShakyStore,
  tail,
  turn,
  until,
  welcome,
  type HubLine,
} from './support.ts'

/** Made anew since its old bytes were refused, which then come by the tail of another channel. */
async function foundOther(store: MapReplicaStore = new MapReplicaStore()) {
  const { replica, line, clock, hub } = await greeting(store)
  const peer = new Peer(clock)
  line.say(welcome('tail'), tail(cursor(1), peer.commit(listAdded('x'))), caughtUp(cursor(1)))
  replica.apply(listAdded('a', 'mine'))
  const [old] = (await line.next('Push')).commits
  if (old === undefined) throw new Error('nothing was pushed')
  line.say(refused(1, 'CLIENT_TAKEN'))
  await line.next('Push')
  line.cut()
  const next = async (index: number): Promise<HubLine> => {
    await until(
      'another channel',
      () => hub.lines.length > index,
      () => clock.advance(500),
    )
    return hub.line(index)
  }
  peer.document.apply([old.update])
  const again = await next(1)
  again.say(welcome('tail'), tail(cursor(2), { replica: replica.id, counter: 1, update: old.update }))
  await until('settled', () => replica.status.pending === 0)
  return { replica, peer, line: again, next, hlc: old.hlc }
}

test('[1] other bytes in the log make the replica rebuild, in the next exchange where that one was cut short', async () => {
  const { replica, peer, line, next, hlc } = await foundOther()
  line.cut()
  const third = await next(2)
  third.say(welcome('live'), caughtUp(cursor(2), 1, hlc))
  third.say(tail(cursor(3), peer.commit(listRemoved('a'))))
  await until('it is told', () => replica.status.cursor?.seq === 3)
  expect(Array.from(replica.tables.lists.entries(), ([id]) => id)).toEqual(['x'])
  expect(bytesOf(replica)).toBe(Buffer.from(peer.document.encode()).toString('hex'))
})

test('[1] other bytes in the log make the replica rebuild, when its store is there again where it failed amid that', async () => {
  const store = new ShakyStore()
  const { replica, peer, line, next, hlc } = await foundOther(store)
  store.failing = new SyncError('STORE_FULL', 'no room')
  line.say(caughtUp(cursor(2), 1, hlc))
  await until('it fails', () => replica.status.persistence !== 'ok')
  store.failing = null
  const third = await next(2)
  third.say(welcome('live'), caughtUp(cursor(2), 1, hlc))
  await until('live', () => replica.status.state === 'live')
  await turn()
  expect(bytesOf(replica)).toBe(Buffer.from(peer.document.encode()).toString('hex'))
})
