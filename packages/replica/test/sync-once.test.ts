import { limits } from '@rejoin/core'
import { VirtualClock, MapReplicaStore } from '@rejoin/testkit'
import { describe, expect, test } from 'vitest'
import {
  ack,
  caughtUp,
  codeOf,
  cursor,
  itemSet,
  listAdded,
  openTodo,
  Peer,
  refused,
  ScriptedHub,
  tail,
  turn,
  until,
  welcome,
} from './support.ts'

async function offline(oneShot: boolean) {
  const clock = new VirtualClock(1)
  const hub = new ScriptedHub(clock, { oneShot })
  const store = new MapReplicaStore()
  const replica = await openTodo({ clock, store, dial: hub.dial, live: false })
  return { clock, hub, replica, store, peer: new Peer(clock) }
}

describe('one exchange', () => {
  test('over a lasting channel catches up, pushes, waits for the tail, says goodbye and reports', async () => {
    const { hub, replica, peer } = await offline(false)
    await turn()
    expect(hub.lines).toHaveLength(0)
    replica.apply(listAdded('a'))
    const report = replica.syncOnce()
    const line = await hub.line(0)
    line.say(welcome('tail'), tail(cursor(1), peer.commit(listAdded('x'))), caughtUp(cursor(1)))
    await line.next('Push')
    line.say(ack(1))
    line.say(tail(cursor(2), { replica: replica.id, counter: 1, update: null }))
    const { bytesUp, bytesDown, paths, ...counts } = await report
    const path = { path: 'tail', why: 'tail it is', divergence: null }
    const whole = { snapshotBytes: 0, healedBytes: 0 }
    expect(counts).toEqual({ pulled: 2, applied: 1, pushed: 1, ...whole, ...path })
    expect(bytesUp).toBeGreaterThan(50)
    expect(bytesDown).toBeGreaterThan(50)
    // What was pushed and came back after that is not catching up.
    expect(paths.tail?.bytesDown).toBeLessThan(bytesDown)
    expect(paths.tail).toMatchObject({ times: 1, ms: 0 })
    await line.next('Bye')
    expect(replica.status).toMatchObject({ state: 'offline', pending: 0, cursor: cursor(2) })
  })

  test('over a one-shot channel sends everything with the greeting', async () => {
    const { hub, replica, peer } = await offline(true)
    replica.apply(listAdded('a'))
    const report = replica.syncOnce()
    const line = await hub.line(0)
    expect((await line.next('Push')).commits).toMatchObject([{ counter: 1, prev: 0 }])
    await until('the end', () => line.ended)
    line.say(welcome('tail'), tail(cursor(1), peer.commit(listAdded('x'))), caughtUp(cursor(1)), ack(1))
    line.say(tail(cursor(2), { replica: replica.id, counter: 1, update: null }))
    line.close()
    expect(await report).toMatchObject({ pulled: 2, applied: 1, pushed: 1, path: 'tail' })
    expect(replica.status.pending).toBe(0)
    expect(hub.lines).toHaveLength(1)
  })

  test('over a one-shot channel takes another round after a reset', async () => {
    const { hub, replica, peer } = await offline(true)
    let report = replica.syncOnce()
    const first = await hub.line(0)
    first.say(welcome('tail'), tail(cursor(1), peer.commit(listAdded('x'))), caughtUp(cursor(1)))
    first.close()
    await report
    replica.apply(listAdded('a'))
    report = replica.syncOnce()
    const second = await hub.line(1)
    await second.next('Push')
    const rebuilt = new Peer(new VirtualClock(3), 'R', 6000)
    rebuilt.commit(listAdded('x'))
    second.say(
      welcome('reset'),
      { type: 'Snapshot', cursor: cursor(5, 8), snapshot: rebuilt.document.encode() },
      caughtUp(cursor(5, 8)),
      refused(1, 'EPOCH_CHANGED'),
    )
    second.close()
    const third = await hub.line(2)
    expect(await third.next('Push')).toMatchObject({ epoch: 8, commits: [{ counter: 1 }] })
    third.say(welcome('live'), caughtUp(cursor(5, 8)), ack(1))
    third.say(tail(cursor(6, 8), { replica: replica.id, counter: 1, update: null }))
    third.close()
    expect(await report).toMatchObject({ pushed: 1, path: 'reset' })
    expect(replica.status).toMatchObject({ pending: 0, cursor: cursor(6, 8) })
  })

  test('tries a bounded number of rounds while the hub says later', async () => {
    const { hub, replica, clock } = await offline(true)
    replica.apply(listAdded('a'))
    const report = codeOf(replica.syncOnce())
    for (let i = 0; i < 4; i++) {
      await until(
        'a channel',
        () => hub.lines.length > i,
        () => clock.advance(1_000),
      )
      const line = await hub.line(i)
      await line.next('Push')
      line.say(welcome('unknown'), caughtUp(null), refused(1, 'RATE_LIMITED'))
      line.close()
    }
    expect(await report).toBe('RATE_LIMITED')
    expect(hub.lines).toHaveLength(4)
    expect(replica.status.pending).toBe(1)
  })

  test('says when the hub cannot be reached, is cut off, or refuses', async () => {
    const { hub, replica } = await offline(false)
    hub.reachable = false
    expect(await codeOf(replica.syncOnce())).toBe('HUB_UNREACHABLE')
    hub.reachable = true
    let report = codeOf(replica.syncOnce())
    ;(await hub.line(0)).cut()
    expect(await report).toMatch(/CHANNEL_CLOSED|HUB_UNREACHABLE/)
    report = codeOf(replica.syncOnce())
    ;(await hub.line(1)).say(refused(null, 'FORBIDDEN'))
    expect(await report).toBe('FORBIDDEN')
    expect(replica.status.state).toBe('refused')
    report = codeOf(replica.syncOnce())
    ;(await hub.line(2)).say(welcome('unknown'), caughtUp(null))
    expect(await report).toBe('no error')
  })

  test('is shared by calls that overlap', async () => {
    const { hub, replica } = await offline(false)
    const reports = [replica.syncOnce(), replica.syncOnce()]
    const line = await hub.line(0)
    line.say(welcome('unknown'), caughtUp(null))
    const [one, two] = await Promise.all(reports)
    expect(one).toBe(two)
    expect(hub.lines).toHaveLength(1)
  })

  test('while live waits for the live session instead of opening a second one', async () => {
    const { hub, replica, clock, peer } = await offline(false)
    replica.connect()
    const line = await hub.line(0)
    line.cut()
    await until('offline', () => replica.status.state === 'offline')
    replica.apply(listAdded('a'))
    // Does not sit out the wait before the next attempt.
    const report = replica.syncOnce()
    const again = await hub.line(1)
    again.say(welcome('tail'), tail(cursor(1), peer.commit(listAdded('x'))), caughtUp(cursor(1)))
    await again.next('Push')
    again.say(ack(1), tail(cursor(2), { replica: replica.id, counter: 1, update: null }))
    expect(await report).toMatchObject({ pulled: 2, applied: 1, pushed: 1, path: 'tail' })
    expect(replica.status.state).toBe('live')
    expect(hub.lines).toHaveLength(2)
    // And a hub that goes silent is not waited for for ever.
    replica.apply(listAdded('b'))
    const silent = codeOf(replica.syncOnce())
    await again.next('Push')
    let code: string | null = null
    void silent.then((result) => (code = result))
    await until(
      'given up',
      () => code !== null,
      () => clock.advance(10_000),
    )
    expect(code).toBe('TIMED_OUT')
  })

  test('while live and caught up greets anew, so that what others have pushed is here when it resolves', async () => {
    const { hub, replica, peer } = await offline(false)
    replica.connect()
    const line = await hub.line(0)
    line.say(welcome('unknown'), caughtUp(null))
    await until('live', () => replica.status.state === 'live')
    const report = replica.syncOnce()
    const again = await hub.line(1)
    again.say(welcome('tail'), tail(cursor(1), peer.commit(listAdded('x'))), caughtUp(cursor(1)))
    expect(await report).toMatchObject({ pulled: 1, applied: 1, path: 'tail' })
    expect(replica.tables.lists.has('x')).toBe(true)
    expect(replica.status.state).toBe('live')
    expect(hub.lines).toHaveLength(2)
  })

  test('while live ends when live mode does', async () => {
    const { hub, replica } = await offline(false)
    replica.connect()
    await hub.line(0)
    const report = codeOf(replica.syncOnce())
    await turn()
    await replica.close()
    expect(await report).toBe('CHANNEL_CLOSED')
  })

  test('[14] what is under way stays within the limits of a push and of a session', async () => {
    const { hub, replica } = await offline(false)
    replica.apply(listAdded('l'))
    for (let i = 0; i < 120; i++) replica.apply(itemSet('l', `i${i}`, String(i).padEnd(99_000, '.')))
    for (let i = 0; i < 600; i++) replica.apply(listAdded(`n${i}`))
    const report = replica.syncOnce()
    const line = await hub.line(0)
    line.say(welcome('unknown'), caughtUp(null))
    const sizes: number[] = []
    const taken: number[] = []
    let seq = 0
    while (taken.length < 721) {
      const pushes = await line.pushes()
      let unanswered = 0
      for (const { commits } of pushes) {
        sizes.push(commits.length)
        const bytes = commits.reduce(
          (sum, { ops, update }) => sum + JSON.stringify(ops).length + update.length,
          0,
        )
        expect(bytes).toBeLessThanOrEqual(limits.pushBytesMax)
        unanswered += bytes
        for (const { counter } of commits) taken.push(counter)
      }
      expect(unanswered).toBeLessThanOrEqual(limits.pushUnansweredBytesMax)
      expect(pushes.length).toBeGreaterThan(0)
      for (const { commits } of pushes) {
        line.say(...commits.map(({ counter }) => ack(counter)))
        const own = commits.map(({ counter }) => ({ replica: replica.id, counter, update: null }))
        line.say(tail(cursor(++seq), ...own))
      }
    }
    expect(taken).toEqual(taken.map((_, i) => i + 1))
    expect(Math.max(...sizes)).toBe(limits.pushCommitsMax)
    expect(await report).toMatchObject({ pushed: 721 })
  })

  test('[4] [5] a replica killed with unsent commits sends them after a restart, once', async () => {
    const { hub, replica, clock, store } = await offline(false)
    await replica.apply(listAdded('a')).saved
    await replica.apply(listAdded('b')).saved
    const again = await openTodo({ clock, store: store.crash(), dial: hub.dial, live: false })
    const report = again.syncOnce()
    const line = await hub.line(0)
    line.say(welcome('unknown'), caughtUp(null))
    expect((await line.next('Push')).commits.map(({ counter, prev }) => [counter, prev])).toEqual([
      [1, 0],
      [2, 1],
    ])
    line.say(ack(1), ack(2))
    line.say(
      tail(
        cursor(1),
        { replica: replica.id, counter: 1, update: null },
        { replica: replica.id, counter: 2, update: null },
      ),
    )
    expect(await report).toMatchObject({ pushed: 2 })
    expect(await line.pushes()).toEqual([])
  })
})
