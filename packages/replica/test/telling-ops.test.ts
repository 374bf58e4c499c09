// Changes told as ops: what somebody gets who hears nothing but these.
import { limits, SyncError } from '@rejoin/core'
import type { OpOf } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import type { Replica, ToldOps } from '@rejoin/replica'
import { VirtualClock } from '@rejoin/testkit'
import fc from 'fast-check'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { anyOp, HubbedWorld, seenBy } from './hubbed.ts'
import {
  caughtUp,
  cursor,
  itemSet,
  listAdded,
  openTodo,
  Peer,
  ScriptedHub,
  tail,
  until,
  welcome,
  type Todo,
} from './support.ts'

/** A replica that applies what another one is told, and nothing else. */
async function mirrorOf(replica: Replica<Todo>): Promise<Replica<Todo>> {
  const mirror = await openTodo({ clock: new VirtualClock(99) })
  replica.onOps(({ ops }) => mirror.apply(ops))
  return mirror
}

describe('changes told as ops', () => {
  test('are the very ops of a commit made here, with its id', async () => {
    const replica = await openTodo()
    const told: ToldOps<Todo>[] = []
    replica.onOps((each) => told.push(each))
    const ops = [itemSet('a', 'x'), listAdded('a')]
    const receipt = replica.apply(ops)
    replica.apply(listAdded('a'))
    expect(told).toEqual([{ ops, origin: 'local', id: receipt.id }])
    expectTypeOf(told[0]?.ops).toEqualTypeOf<readonly OpOf<Todo>[] | undefined>()
  })

  test('say of others what readers see now', async () => {
    const clock = new VirtualClock(1)
    const hub = new ScriptedHub(clock)
    const replica = await openTodo({ clock, dial: hub.dial })
    const told: ToldOps<Todo>[] = []
    replica.onOps((each) => told.push(each))
    const line = await hub.line(0)
    const peer = new Peer(clock)
    line.say(welcome('tail'), tail(cursor(1), peer.commit(itemSet('l', 'i', 'milk'), listAdded('l', 'L'))))
    await until('there', () => told.length > 0)
    line.say(tail(cursor(2), peer.commit({ type: 'ListRemoved', id: 'l' })), caughtUp(cursor(2)))
    await until('gone', () => told.length > 1)
    expect(told).toEqual([
      {
        origin: 'remote',
        id: null,
        ops: [
          {
            type: 'Restored',
            entries: [
              { table: 'lists', key: ['l'], value: true },
              { table: 'lists', key: ['l', 'title'], value: 'L' },
              { table: 'items', key: ['l', 'i'], value: 'milk' },
            ],
          },
        ],
      },
      {
        origin: 'remote',
        id: null,
        ops: [
          {
            type: 'Restored',
            entries: [
              { table: 'lists', key: ['l'] },
              { table: 'lists', key: ['l', 'title'] },
              { table: 'items', key: ['l', 'i'] },
            ],
          },
        ],
      },
    ])
  })

  test('fit into commits, however much comes at once', async () => {
    const world = new HubbedWorld(1)
    const far = await world.open()
    const near = await world.open()
    const mirror = await mirrorOf(near)
    let told = 0
    near.onOps(() => told++)
    far.apply(listAdded('big'))
    const count = limits.toldOpEntriesMax + 10
    for (let i = 0; i < count; i += 5_000) {
      const rows = Array.from({ length: Math.min(5_000, count - i) }, (_, j) => itemSet('big', `i${i + j}`))
      far.apply(rows)
    }
    for (let i = 0; i < 30; i++) far.apply(itemSet('big', `long${i}`, 'é'.repeat(50_000)))
    await world.sync(far, near)
    expect(seenBy(near)).toEqual(seenBy(far))
    expect(seenBy(mirror)).toEqual(seenBy(near))
    expect(told).toBeGreaterThanOrEqual(4)
  })

  test('tell rows that a commit brings to light', async () => {
    const world = new HubbedWorld(1)
    const [near, far] = [await world.open(), await world.open()]
    const mirror = await mirrorOf(near)
    near.apply([listAdded('a'), listAdded('b')])
    await world.sync(near, far)
    near.apply({ type: 'ListRemoved', id: 'a' })
    far.apply(itemSet('a', 'orphan'))
    await world.settle(near, far)
    expect(near.conflicts()).toHaveLength(1)
    near.apply(listAdded('a', 'again'))
    expect([...near.tables.items.entries()]).toEqual([[['a', 'orphan'], 'orphan']])
    expect(seenBy(mirror)).toEqual(seenBy(near))
  })

  test('a listener that ends its subscription in the middle hears no more', async () => {
    const world = new HubbedWorld(1)
    const [near, far] = [await world.open(), await world.open()]
    let told = 0
    const stop = near.onOps(() => {
      told++
      stop()
    })
    far.apply(listAdded('big'))
    for (let i = 0; i < 12; i++) far.apply(itemSet('big', `i${i}`, 'é'.repeat(50_000)))
    await world.sync(far, near)
    expect(told).toBe(1)
  })

  test('give an empty replica that applies them in order the same reads, after every transaction', async () => {
    const who = fc.nat({ max: 1 })
    const step = fc.oneof(
      {
        weight: 12,
        arbitrary: fc.tuple(
          fc.constant('apply' as const),
          who,
          fc.array(anyOp, { minLength: 1, maxLength: 3 }),
        ),
      },
      { weight: 5, arbitrary: fc.tuple(fc.constant('sync' as const), who) },
      {
        weight: 3,
        arbitrary: fc.tuple(fc.constantFrom('undo' as const, 'redo' as const, 'resolve' as const), who),
      },
      { weight: 1, arbitrary: fc.tuple(fc.constantFrom('withdraw' as const, 'rebuild' as const), who) },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const world = new HubbedWorld(7)
        const replicas = [await world.open(), await world.open()]
        const mirrors = await Promise.all(replicas.map(mirrorOf))
        const agree = () => {
          for (const [i, replica] of replicas.entries()) {
            expect(seenBy(mirrors[i] ?? replica)).toEqual(seenBy(replica))
          }
        }
        replicas[0]?.apply(['a', 'b', 'c'].map((id) => listAdded(id)))
        await world.settle(...replicas)
        for (const [kind, at, ops] of steps) {
          const replica = replicas[at]
          if (replica === undefined) continue
          try {
            if (kind === 'apply') replica.apply(ops ?? [])
            else if (kind === 'sync') await world.sync(replica)
            else if (kind === 'undo') replica.undo()
            else if (kind === 'redo') replica.redo()
            else if (kind === 'rebuild') await world.rebuild()
            else if (kind === 'withdraw') await replica.withdraw(replica.outbox.at(-1)?.id.counter ?? 0)
            else {
              const [conflict] = replica.conflicts()
              if (conflict?.kind === 'orphan') replica.resolve(conflict, { kind: 'restore' })
              else if (conflict !== undefined) {
                replica.resolve(conflict, { kind: 'choose', value: conflict.choices.at(-1)?.value ?? null })
              }
            }
          } catch (error) {
            // A parent that is not there, a commit that was sent, a hub that knows nothing yet.
            if (!(error instanceof SyncError)) throw error
          }
          agree()
        }
        await world.settle(...replicas)
        agree()
        expect(replicas.map((replica) => replica.status.rejected)).toEqual([0, 0])
        expect(Buffer.from(yjsCrdt.updates.compact([replicas[0]?.encode() ?? new Uint8Array(0)]))).toEqual(
          Buffer.from(yjsCrdt.updates.compact([replicas[1]?.encode() ?? new Uint8Array(0)])),
        )
      }),
      { numRuns: Number(process.env['RUNS'] ?? 60) },
    )
  }, 300_000)
})
