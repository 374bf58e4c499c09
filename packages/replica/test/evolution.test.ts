import { expect, test } from 'vitest'
import { VirtualClock } from '@rejoin/testkit'
import {
  ack,
  caughtUp,
  codeOf,
  cursor,
  listAdded,
  openTodo,
  refused,
  ScriptedHub,
  tail,
  turn,
  welcome,
} from './support.ts'

const newer = { type: 'NewerDomain' as const, domainVersion: 3 }

test('[8] [16] what was pushed before a newer version was heard of is waited for, and what comes after it stays', async () => {
  const clock = new VirtualClock(1)
  const hub = new ScriptedHub(clock)
  const replica = await openTodo({ clock, dial: hub.dial, live: false })
  replica.apply(listAdded('a'))
  const synced = codeOf(replica.syncOnce())
  const line = await hub.line(0)
  line.say(welcome('unknown'), caughtUp(null))
  await line.next('Push')
  line.say(newer, ack(1))
  await turn()
  expect(replica.status).toMatchObject({ pending: 1, domainTooNew: 3, lastError: { code: 'DOMAIN_TOO_NEW' } })
  line.say(tail(cursor(1), { replica: replica.id, counter: 1, update: null }))
  expect(await synced).toBe('no error')
  expect(replica.status).toMatchObject({ pending: 0, domainTooNew: 3, lastError: { code: 'DOMAIN_TOO_NEW' } })
})

test('[10] [16] a commit that the hub is too old for waits, also where another one is rejected', async () => {
  const clock = new VirtualClock(1)
  const hub = new ScriptedHub(clock)
  const replica = await openTodo({ clock, dial: hub.dial })
  for (const id of ['a', 'b', 'c']) replica.apply(listAdded(id))
  const line = await hub.line(0)
  line.say(welcome('unknown'), caughtUp(null))
  await line.next('Push')
  line.say(refused(1, 'ENTRY_INVALID'), refused(2, 'DOMAIN_TOO_NEW'), refused(3, 'PUSH_GAP'))
  await turn()
  expect(replica.rejected.map(({ commit }) => commit.id.counter)).toEqual([1])
  expect(replica.status).toMatchObject({ state: 'live', pending: 2, lastError: { code: 'DOMAIN_TOO_NEW' } })
  expect(await line.pushes()).toEqual([])
  await replica.close()
})

test('[16] an old hub that refuses the whole room is asked again when the app says so, and nothing is lost', async () => {
  const clock = new VirtualClock(1)
  const hub = new ScriptedHub(clock)
  const replica = await openTodo({ clock, dial: hub.dial })
  replica.apply(listAdded('a'))
  const line = await hub.line(0)
  line.say(refused(null, 'DOMAIN_TOO_NEW'))
  await turn()
  expect(replica.status).toMatchObject({
    state: 'refused',
    pending: 1,
    lastError: { code: 'DOMAIN_TOO_NEW' },
  })
  replica.connect()
  const next = await hub.line(1)
  next.say(welcome('unknown'), caughtUp(null))
  expect((await next.next('Push')).commits).toHaveLength(1)
  await replica.close()
})
