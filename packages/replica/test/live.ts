/** Replicas in touch with a scripted hub, at the two points where most tests begin. */
import { MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import {
  caughtUp,
  cursor,
  listAdded,
  openTodo,
  Peer,
  ScriptedHub,
  tail,
  until,
  welcome,
  type Options,
  type TodoOp,
} from './support.ts'

/** It has greeted, and nobody has answered yet. */
export async function greeting(store: MapReplicaStore = new MapReplicaStore(), options: Options = {}) {
  const clock = new VirtualClock(1)
  const hub = new ScriptedHub(clock)
  const replica = await openTodo({ store, clock, dial: hub.dial, ...options })
  return { clock, hub, replica, line: await hub.line(0), store }
}

/** It is live at seq 1, with what a peer has written: a commit each, the list x by default. */
export async function live(
  store?: MapReplicaStore,
  commits: readonly (readonly TodoOp[])[] = [[listAdded('x')]],
  options?: Options,
) {
  const found = await greeting(store, options)
  const peer = new Peer(found.clock)
  found.line.say(
    welcome('tail'),
    tail(cursor(1), ...commits.map((ops) => peer.commit(...ops))),
    caughtUp(cursor(1)),
  )
  await until('live', () => found.replica.status.cursor?.seq === 1)
  return { ...found, peer }
}
