// [14] How many commits may wait for the hub: one more is refused before anything is touched, until some are acknowledged.
import { limits, SyncError } from '@rejoin/core'
import { expect, test } from 'vitest'
import {
  ack,
  bytesOf,
  caughtUp,
  cursor,
  listAdded,
  openTodo,
  ScriptedHub,
  tail,
  turn,
  welcome,
} from './support.ts'
import { MapReplicaStore, VirtualClock } from '@rejoin/testkit'

const codeOf = (act: () => unknown): string => {
  try {
    act()
    return 'passes'
  } catch (error) {
    if (error instanceof SyncError) return error.code
    throw error
  }
}

test.each([
  [2, 'passes'],
  [3, 'passes'],
  [4, 'OUTBOX_FULL'],
])('[14] of at most 3 commits that wait, commit %i', async (count, expected) => {
  const replica = await openTodo({ outboxCommitsMax: 3 })
  for (let i = 1; i < count; i++) replica.apply(listAdded(`list-${i}`))
  const before = bytesOf(replica)
  expect(codeOf(() => replica.apply(listAdded('last')))).toBe(expected)
  expect(replica.status.pending).toBe(Math.min(count, 3))
  expect(bytesOf(replica) === before).toBe(expected !== 'passes')
  expect(replica.tables.lists.has('last')).toBe(expected === 'passes')
  // Undoing makes a commit, too.
  expect(codeOf(() => replica.undo())).toBe(count < 3 ? 'passes' : 'OUTBOX_FULL')
  expect(codeOf(() => replica.resubmit(1))).toBe('INPUT_INVALID')
})

test('[14] it is full after it is opened again, and takes more once the hub has some', async () => {
  const [clock, store] = [new VirtualClock(1), new MapReplicaStore()]
  const first = await openTodo({ clock, store, outboxCommitsMax: 2 })
  const commits = [first.apply(listAdded('a')), first.apply(listAdded('b'))]
  for (const { saved } of commits) await saved
  const hub = new ScriptedHub(clock)
  const replica = await openTodo({ clock, store: store.crash(), dial: hub.dial, outboxCommitsMax: 2 })
  expect(codeOf(() => replica.apply(listAdded('c')))).toBe('OUTBOX_FULL')
  const line = await hub.line(0)
  line.say(welcome('unknown'), caughtUp(null))
  const { commits: pushed } = await line.next('Push')
  line.say(ack(1), ack(2))
  // In the log, and not back yet: they are still held here.
  await turn()
  expect(codeOf(() => replica.apply(listAdded('c')))).toBe('OUTBOX_FULL')
  const updates = pushed.map(({ counter, update }) => ({ replica: replica.id, counter, update }))
  line.say(tail(cursor(1), ...updates))
  await turn()
  expect(codeOf(() => replica.apply(listAdded('c')))).toBe('passes')
  await replica.close()
})

test('[14] by default as many may wait as the limits say', async () => {
  expect(limits.outboxCommitsMax).toBe(100_000)
  const replica = await openTodo()
  for (let i = 0; i < 10; i++) replica.apply(listAdded(`list-${i}`))
  expect(replica.status.pending).toBe(10)
})
