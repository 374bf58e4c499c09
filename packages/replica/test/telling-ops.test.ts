// Changes told as ops: what somebody gets who hears nothing but these.
import { limits, SyncError } from '@rejoin/core'
import type { Conflict, OpOf } from '@rejoin/core'
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
  listRemoved,
  openTodo,
  Peer,
  ScriptedHub,
  tail,
  titled,
  until,
  welcome,
  type Todo,
} from './support.ts'

/** A replica that applies what another one is told, and nothing else. */
async function mirrorOf(replica: Replica<Todo>, failures: unknown[] = []): Promise<Replica<Todo>> {
  const mirror = await openTodo({ clock: new VirtualClock(99) })
  replica.onOps(({ ops }) => {
    try {
      mirror.apply(ops)
    } catch (error) {
      failures.push(error)
    }
  })
  return mirror
}

/** Two replicas that know a list with an item, and a mirror of the first. */
async function mirrored() {
  const world = new HubbedWorld(1)
  const [near, far] = [await world.open(), await world.open()]
  const failures: unknown[] = []
  const mirror = await mirrorOf(near, failures)
  near.apply([listAdded('a'), itemSet('a', 'x', 'milk')])
  await world.sync(near, far)
  return { world, near, far, mirror, failures }
}

/** The two write different things at the same place. */
async function meet(world: HubbedWorld, one: Replica<Todo>, other: Replica<Todo>, list: string) {
  one.apply([listAdded(list), itemSet(list, 'a', 'x')])
  await world.settle(one, other)
  one.apply([itemSet(list, 'a', 'y'), titled(list, 'y')])
  other.apply([itemSet(list, 'a', 'z'), titled(list, 'z')])
  await world.settle(one, other)
}

/** One writes under a list that the other removes, and elsewhere in the same commit. */
async function cross(world: HubbedWorld, one: Replica<Todo>, other: Replica<Todo>, list: string) {
  one.apply([listAdded(list), itemSet(list, 'a', 'before')])
  await world.settle(one, other)
  one.apply([itemSet(list, 'a', 'after'), itemSet(list, 'b'), listAdded('d'), itemSet('d', 'a')])
  other.apply(listRemoved(list))
  await world.settle(one, other)
}

const countOf = (replica: Replica<Todo>, kind: Conflict['kind']): number =>
  replica.conflicts().filter((conflict) => conflict.kind === kind).length

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

  test('of an undo under a row that somebody removed can be applied elsewhere', async () => {
    const { world, near, far, mirror, failures } = await mirrored()
    near.apply([itemSet('a', 'x', 'bread'), listAdded('other')])
    far.apply(listRemoved('a'))
    await world.settle(near, far)
    const told: ToldOps<Todo>[] = []
    near.onOps((each) => told.push(each))
    // Gives back what stood under a list that is gone, and takes back the other list.
    near.undo()
    expect(near.outbox.at(-1)?.ops[0]?.['entries']).toContainEqual(
      expect.objectContaining({ key: ['a', 'x'], value: 'milk' }),
    )
    expect([failures, seenBy(mirror)]).toEqual([[], seenBy(near)])
    expect(near.tables.lists.size).toBe(0)
    // Not the commit's own ops.
    expect(told).toMatchObject([{ origin: 'local', id: null, ops: [{ type: 'Restored' }] }])
    near.redo()
    expect([failures, seenBy(mirror)]).toEqual([[], seenBy(near)])
  })

  test.each(['restore', 'drop'] as const)(
    'of what became of an orphan can be applied elsewhere: %s, undone and redone',
    async (kind) => {
      const { world, near, far, mirror, failures } = await mirrored()
      near.apply(itemSet('a', 'x', 'bread'))
      far.apply(listRemoved('a'))
      await world.settle(near, far)
      const [orphan] = near.conflicts()
      if (orphan === undefined) throw new Error('no orphan')
      near.resolve(orphan, { kind })
      expect([failures, seenBy(mirror)]).toEqual([[], seenBy(near)])
      near.undo()
      expect([failures, seenBy(mirror)]).toEqual([[], seenBy(near)])
      near.redo()
      expect([failures, seenBy(mirror)]).toEqual([[], seenBy(near)])
      expect(near.tables.items.size).toBe(kind === 'restore' ? 1 : 0)
    },
  )

  test('give an empty replica that applies them in order the same reads, after every transaction', async () => {
    const at = fc.nat({ max: 1 })
    const list = fc.constantFrom('a', 'b', 'c')
    const kindOf = <K extends string>(...kinds: K[]) => fc.constantFrom(...kinds)
    const step = fc.oneof(
      {
        weight: 12,
        arbitrary: fc.record({
          kind: kindOf('apply'),
          at,
          ops: fc.array(anyOp, { minLength: 1, maxLength: 3 }),
        }),
      },
      { weight: 5, arbitrary: fc.record({ kind: kindOf('sync'), at }) },
      { weight: 6, arbitrary: fc.record({ kind: kindOf('undo', 'redo', 'back and forth'), at }) },
      {
        weight: 4,
        arbitrary: fc.record({
          kind: kindOf('resolve'),
          at,
          list,
          pick: fc.nat({ max: 5 }),
          way: fc.constantFrom('choose', 'own', 'restore', 'drop'),
        }),
      },
      { weight: 3, arbitrary: fc.record({ kind: kindOf('cross'), at, list }) },
      { weight: 1, arbitrary: fc.record({ kind: kindOf('withdraw', 'rebuild'), at }) },
    )
    const reached = { undo: 0, redo: 0, choose: 0, own: 0, restore: 0, drop: 0, orphaned: 0 }
    const turnBack = (replica: Replica<Todo>, way: 'undo' | 'redo') => {
      const orphans = countOf(replica, 'orphan')
      if (replica[way]().kind === 'commit') reached[way]++
      if (countOf(replica, 'orphan') > orphans) reached.orphaned++
    }
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const world = new HubbedWorld(7)
        const replicas = [await world.open(), await world.open()]
        const failures: unknown[] = []
        const mirrors = await Promise.all(replicas.map((replica) => mirrorOf(replica, failures)))
        const agree = () => {
          expect(failures).toEqual([])
          for (const [i, replica] of replicas.entries()) {
            expect(seenBy(mirrors[i] ?? replica)).toEqual(seenBy(replica))
          }
        }
        replicas[0]?.apply(['a', 'b', 'c'].map((id) => listAdded(id)))
        await world.settle(...replicas)
        for (const each of steps) {
          const [replica, other] = [replicas[each.at], replicas[1 - each.at]]
          if (replica === undefined || other === undefined) continue
          try {
            switch (each.kind) {
              case 'apply':
                replica.apply(each.ops)
                break
              case 'sync':
                await world.sync(replica)
                break
              case 'undo':
              case 'redo':
                turnBack(replica, each.kind)
                break
              case 'back and forth':
                turnBack(replica, 'undo')
                agree()
                turnBack(replica, 'redo')
                break
              case 'resolve': {
                const kind = each.way === 'own' ? 'choose' : each.way
                const fitting = kind === 'choose' ? 'concurrent' : 'orphan'
                if (countOf(replica, fitting) === 0)
                  await (kind === 'choose' ? meet : cross)(world, replica, other, each.list)
                const conflicts = replica.conflicts().filter((one) => one.kind === fitting)
                const conflict = conflicts[each.pick % conflicts.length]
                if (conflict === undefined) break
                const value = each.way === 'own' ? 'z' : (conflict.choices.at(-1)?.value ?? null)
                replica.resolve(conflict, kind === 'choose' ? { kind, value } : { kind })
                reached[each.way]++
                break
              }
              case 'cross':
                await cross(world, replica, other, each.list)
                break
              case 'rebuild':
                await world.rebuild()
                break
              case 'withdraw':
                await replica.withdraw(replica.outbox.at(-1)?.id.counter ?? 0)
                break
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
    // The stories tell what they are for.
    expect(Object.entries(reached).filter(([, times]) => times === 0)).toEqual([])
  }, 300_000)
})
