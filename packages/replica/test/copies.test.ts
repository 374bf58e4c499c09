// A folder that was copied and noticed it: the copy takes an identity of its own, what both hold is in the log once, all agree.
import { commitName, planWrites, SyncError, type CommitId, type Dial } from '@rejoin/core'
import { digestOf, yjsCrdt } from '@rejoin/crdt-adapter'
import type { Replica } from '@rejoin/replica'
import { MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { describe, expect, test } from 'vitest'
import { HubbedWorld } from './hubbed.ts'
import {
  asOneShot,
  caughtUp,
  codeOf,
  cursor,
  itemSet,
  listAdded,
  listRemoved,
  openTodo,
  ScriptedHub,
  strictTodo,
  tail,
  titled,
  todo,
  turn,
  until,
  welcome,
  type Todo,
} from './support.ts'

const ways = [
  ['a lasting channel', false],
  ['a one-shot channel', true],
] as const

/** A hub, an original whose first commit it has, and others that exchange over the same kind of channel. */
class Copying {
  readonly world: HubbedWorld
  readonly store = new MapReplicaStore()
  readonly made = new Set<string>()
  readonly #oneShot: boolean
  readonly #replicas: Replica<Todo>[] = []

  constructor(oneShot: boolean, domain = todo) {
    this.#oneShot = oneShot
    this.world = new HubbedWorld(7, domain)
  }

  readonly dial: Dial = async (signal) => {
    const channel = await this.world.dial(signal)
    return this.#oneShot ? asOneShot(channel) : channel
  }

  async open(store: MapReplicaStore, live = false): Promise<Replica<Todo>> {
    const replica = await openTodo({ clock: this.world.clock, store, dial: this.dial, live })
    this.#replicas.push(replica)
    return replica
  }

  async original(): Promise<Replica<Todo>> {
    const original = await this.open(this.store)
    await this.write(original, listAdded('a'))
    await this.sync(original)
    return original
  }

  async write(replica: Replica<Todo>, ...ops: Parameters<Replica<Todo>['apply']>[0][]): Promise<CommitId[]> {
    const ids: CommitId[] = []
    for (const op of ops) {
      this.world.clock.advance(1)
      const { id } = replica.apply(op)
      if (id !== null) ids.push(id)
    }
    await replica.flush()
    for (const id of ids) this.made.add(commitName(id))
    return ids
  }

  async sync(...replicas: readonly Replica<Todo>[]): Promise<void> {
    for (const replica of replicas) await this.world.finish(replica.syncOnce())
  }
}

/** Everybody has everything, agrees on it, and was refused nothing. */
async function expectConverged(world: Copying, ...replicas: readonly Replica<Todo>[]): Promise<void> {
  for (let round = 0; round < 2; round++) await world.sync(...replicas)
  const newcomer = await world.open(new MapReplicaStore())
  await world.sync(newcomer)
  const views = [newcomer, ...replicas].map(viewOf)
  for (const view of views) expect(view).toEqual(views[0])
  expect(views[0]).toMatchObject({ unplaced: 0, pending: 0, rejected: [] })
}

/** Each commit that was made once, for a log that was not folded. */
async function expectLogged(world: Copying, ...except: readonly CommitId[]): Promise<void> {
  const names = (await world.world.log()).map(({ id }) => commitName(id))
  const left = new Set(except.map(commitName))
  expect(names.sort()).toEqual([...world.made].filter((name) => !left.has(name)).sort())
}

function viewOf(replica: Replica<Todo>) {
  return {
    digest: digestOf(replica.registers),
    conflicts: replica.conflicts(),
    document: Buffer.from(yjsCrdt.updates.compact([replica.encode()])).toString('hex'),
    unplaced: replica.unplaced,
    pending: replica.status.pending,
    rejected: replica.rejected,
  }
}

const countersOf = (replica: Replica<Todo>) => replica.outbox.map(({ id, prev }) => [id.counter, prev])

const idsOf = (rejected: Replica<Todo>['rejected']) => rejected.map(({ commit }) => commitName(commit.id))

describe.each(ways)('over %s', (_, oneShot) => {
  test('[4] [5] [26] a copy with an empty outbox writes under an id of its own, and both go on', async () => {
    const world = new Copying(oneShot)
    const original = await world.original()
    const copy = await world.open(world.store.noticedCopy())
    expect(copy.id).not.toBe(original.id)
    expect(copy.clientId).not.toBe(original.clientId)
    expect(copy.status.copyOf).toBe(original.id)
    expect(original.status.copyOf).toBe(null)
    for (let n = 0; n < 3; n++) {
      await world.write(original, itemSet('a', 'b', `original ${n}`))
      await world.write(copy, itemSet('a', 'c', `copy ${n}`), titled('a', `${n}`))
    }
    // Counters rise on, and the first of the copy follows none.
    expect(countersOf(copy).slice(0, 2)).toEqual([
      [2, 0],
      [3, 2],
    ])
    await expectConverged(world, copy, original)
    await expectLogged(world)
  })

  describe.each(['original', 'copy'] as const)(
    'what waits in both is in the log once: the %s first',
    (who) => {
      async function copied() {
        const world = new Copying(oneShot)
        const original = await world.original()
        const shared = await world.write(original, itemSet('a', 'b'), titled('a', 'shared'), listAdded('c'))
        const copy = await world.open(world.store.noticedCopy())
        expect(copy.outbox.map(({ id, stage }) => [id, stage])).toEqual(shared.map((id) => [id, 'sent']))
        const order = who === 'original' ? [original, copy] : [copy, original]
        return { world, original, copy, shared, order }
      }

      test('[4] [5] with nothing written after it', async () => {
        const { world, order } = await copied()
        await expectConverged(world, ...order)
        await expectLogged(world)
      })

      test('[4] [5] [26] with commits of both after it, in one exchange each', async () => {
        const { world, original, copy, order } = await copied()
        await world.write(original, titled('a', 'original'), listRemoved('c'))
        await world.write(copy, titled('a', 'copy'), itemSet('c', 'd'))
        expect(countersOf(copy)).toEqual([
          [2, 1],
          [3, 2],
          [4, 3],
          [5, 0],
          [6, 5],
        ])
        await world.sync(...order)
        for (const { status } of order) expect(status).toMatchObject({ pending: 0, lastError: null })
        await expectConverged(world, ...order)
        await expectLogged(world)
      })

      test('[7] [10] where the document is rebuilt before the second comes', async () => {
        const { world, original, copy, order } = await copied()
        await world.write(original, titled('a', 'original'))
        await world.write(copy, titled('a', 'copy'), itemSet('c', 'd'))
        const [first, second] = order
        if (first === undefined || second === undefined) throw new Error('there are two')
        await world.sync(first)
        await world.world.rebuild()
        await expectConverged(world, second, first)
      })

      test('[7] [10] where the document was rebuilt before either came, the log has each of their commits once', async () => {
        const { world, original, copy, order } = await copied()
        const other = await world.open(new MapReplicaStore())
        await world.sync(other)
        await world.world.rebuild()
        await world.write(original, titled('a', 'original'))
        await world.write(copy, titled('a', 'copy'), itemSet('c', 'd'))
        await expectConverged(world, ...order, other)
        const names = (await world.world.log()).map(({ id }) => commitName(id))
        expect(new Set(names).size).toBe(names.length)
        world.made.delete(`${original.id}:1`)
        expect(names).toEqual(expect.arrayContaining([...world.made]))
      })

      test('[10] where the log no longer reaches back to what both had', async () => {
        const { world, original, copy, order } = await copied()
        await world.write(original, titled('a', 'original'))
        await world.write(copy, titled('a', 'copy'), itemSet('c', 'd'))
        const [first, second] = order
        if (first === undefined || second === undefined) throw new Error('there are two')
        await world.sync(first)
        await world.write(first, itemSet('a', 'e'), itemSet('a', 'f'))
        await world.sync(first)
        await world.world.checkpoint()
        await expectConverged(world, second, first)
      })

      test('[11] [10] a commit of both that is refused stays visible in both, and the rest goes on', async () => {
        const world = new Copying(oneShot, strictTodo)
        const original = await world.original()
        const [, refused] = await world.write(
          original,
          itemSet('a', 'b'),
          titled('a', 'much too long'),
          listAdded('c'),
        )
        const copy = await world.open(world.store.noticedCopy())
        const order = who === 'original' ? [original, copy] : [copy, original]
        if (refused === undefined) throw new Error('it was made')
        await world.write(original, itemSet('c', 'o'))
        await world.write(copy, itemSet('c', 'p'))
        await world.sync(...order, ...order)
        for (const each of order) {
          expect(each.rejected.map(({ commit }) => commit.id)).toEqual([refused])
          expect(each.tables.lists.get('a')?.title).toBe('a')
          expect(each.status).toMatchObject({ pending: 0, state: 'offline' })
        }
        expect(order.map(({ rejected }) => rejected[0]?.code)).toEqual(['ENTRY_INVALID', 'WITHDRAWN'])
        await expectLogged(world, refused)
        // The app deals with it in one of them.
        copy.resubmit(refused.counter, titled('a', 'short'))
        await original.discard(refused.counter)
        await expectConverged(world, original, copy)
      })

      test.each(['checkpoint', 'rebuild'] as const)(
        '[11] it stays visible also where the second hears of it by the whole document alone: %s',
        async (change) => {
          const world = new Copying(oneShot, strictTodo)
          const original = await world.original()
          const [refused] = await world.write(
            original,
            titled('a', 'much too long'),
            itemSet('a', 'b'),
            listAdded('c'),
          )
          const copy = await world.open(world.store.noticedCopy())
          const [first, second] = who === 'original' ? [original, copy] : [copy, original]
          await world.sync(first)
          await world.write(first, itemSet('a', 'e'))
          await world.sync(first)
          await world.world[change]()
          // Of what was in the log nothing is told as missing: nor what others have replaced since.
          await world.write(first, itemSet('a', 'b', 'newer'))
          await world.sync(first, second)
          for (const each of [first, second]) {
            expect(each.rejected.map(({ commit }) => commit.id)).toEqual([refused])
            await each.discard(refused?.counter ?? 0)
          }
          await expectConverged(world, first, second)
        },
      )

      test('[4] a copy of the copy', async () => {
        const { world, original, copy, order } = await copied()
        const store = world.store.noticedCopy()
        const middle = await world.open(store)
        const between = await world.write(middle, itemSet('c', 'middle'), titled('c', 'middle'))
        const last = await world.open(store.noticedCopy())
        expect(new Set([original.id, copy.id, middle.id, last.id]).size).toBe(4)
        await world.write(last, titled('c', 'last'))
        expect(countersOf(last).slice(3)).toEqual([
          [5, 0],
          [6, 5],
          [7, 0],
        ])
        expect(last.outbox.slice(3, 5).map(({ id }) => id)).toEqual(between)
        await world.write(original, titled('a', 'original'))
        await world.write(middle, itemSet('a', 'more'))
        await world.sync(last)
        expect(last.status.pending).toBe(0)
        await expectConverged(world, ...order, middle, last)
        await expectLogged(world)
      })
    },
  )

  describe.each(['checkpoint', 'rebuild'] as const)(
    'a copy of the copy hears by the whole document, in the first of three names: %s',
    (change) => {
      /** @param between what the copy does before it is the first to exchange. */
      async function copiedTwice(between: (copy: Replica<Todo>, own: readonly CommitId[]) => Promise<void>) {
        const world = new Copying(oneShot)
        const original = await world.original()
        await world.write(original, itemSet('a', 'shared'))
        const store = world.store.noticedCopy()
        const copy = await world.open(store)
        const own = await world.write(copy, itemSet('a', 'one'), itemSet('a', 'two'), itemSet('a', 'three'))
        const last = store.noticedCopy()
        await between(copy, own)
        await world.sync(copy)
        return { world, original, copy, own, last }
      }

      test('[4] [11] what came with it under the other name is in the log, and not rejected', async () => {
        const { world, original, copy, last } = await copiedTwice(() => Promise.resolve())
        await world.write(original, itemSet('a', 'more'))
        await world.sync(original)
        await world.world[change]()
        const third = await world.open(last)
        const { path } = await world.world.finish(third.syncOnce())
        expect(path).toBe(change === 'checkpoint' ? 'snapshot' : 'reset')
        expect(idsOf(third.rejected)).toEqual([])
        await expectConverged(world, third, copy, original)
      })

      test('[4] [11] also where newer values stand in its place since', async () => {
        const { world, original, copy, last } = await copiedTwice(() => Promise.resolve())
        await world.write(copy, itemSet('a', 'one', 'newer'), itemSet('a', 'two', 'newer'))
        await world.sync(copy)
        await world.world[change]()
        const third = await world.open(last)
        const { path } = await world.world.finish(third.syncOnce())
        expect(path).toBe(change === 'checkpoint' ? 'snapshot' : 'reset')
        expect(idsOf(third.rejected)).toEqual([])
        await expectConverged(world, third, copy, original)
        expect(third.tables.items.get(['a', 'one'])).toBe('newer')
      })

      test('[4] [11] also where it is restarted before it greets in the other name', async () => {
        const { world, original, copy, last } = await copiedTwice(() => Promise.resolve())
        await world.write(copy, itemSet('a', 'one', 'newer'))
        await world.sync(copy)
        await world.world[change]()
        let dials = 0
        const dial: Dial = (signal) => {
          if (dials++ === 0) return world.dial(signal)
          throw new SyncError('HUB_UNREACHABLE', 'it is gone')
        }
        const third = await openTodo({ clock: world.world.clock, store: last, dial, live: false })
        expect(await codeOf(world.sync(third))).toBe('HUB_UNREACHABLE')
        // What was made in the first name is settled, and nothing else.
        expect(countersOf(third)).toEqual([
          [3, 0],
          [4, 3],
          [5, 4],
        ])
        const again = await world.open(last.crash())
        await world.sync(again)
        expect(idsOf(again.rejected)).toEqual([])
        await expectConverged(world, again, copy, original)
      })

      test('[11] what was withdrawn under the other name is told', async () => {
        const { world, original, copy, own, last } = await copiedTwice((copy, [one]) =>
          copy.withdraw(one?.counter ?? 0),
        )
        await world.write(original, itemSet('a', 'more'))
        await world.sync(original)
        await world.world[change]()
        const third = await world.open(last)
        await world.sync(third)
        expect(third.rejected.map(({ commit, code }) => [commit.id, code])).toEqual([[own[0], 'WITHDRAWN']])
        third.resubmit(own[0]?.counter ?? 0)
        await expectConverged(world, third, copy, original)
        expect(copy.tables.items.get(['a', 'one'])).toBe('one')
      })

      test('[6] [11] where the store fails to tell what came, nothing is rejected and it is tried again', async () => {
        const { world, original, copy, last } = await copiedTwice(() => Promise.resolve())
        await world.write(original, itemSet('a', 'more'))
        await world.sync(original)
        await world.world[change]()
        let opened = false
        let fails = true
        const shaky = last.crash((call) => {
          if (call !== 'load' || !opened || !fails) return undefined
          return new SyncError('STORE_UNAVAILABLE', 'not now')
        })
        const third = await world.open(shaky)
        opened = true
        expect(await codeOf(world.sync(third))).toBe('STORE_UNAVAILABLE')
        expect(idsOf(third.rejected)).toEqual([])
        fails = false
        await world.sync(third)
        expect(idsOf(third.rejected)).toEqual([])
        await expectConverged(world, third, copy, original)
      })
    },
  )

  test('[11] where the tail alone tells it, what was withdrawn is told also where something newer stands in its place', async () => {
    const world = new Copying(oneShot)
    const original = await world.original()
    await world.write(original, itemSet('a', 'shared'))
    const store = world.store.noticedCopy()
    const copy = await world.open(store)
    const [one] = await world.write(copy, itemSet('a', 'one'), itemSet('a', 'two'))
    const last = store.noticedCopy()
    await copy.withdraw(one?.counter ?? 0)
    await world.write(copy, itemSet('a', 'one', 'newer'))
    await world.sync(copy)
    const third = await world.open(last)
    await world.sync(third)
    expect(third.rejected.map(({ commit }) => commit.id)).toEqual([one])
    await third.discard(one?.counter ?? 0)
    await expectConverged(world, third, copy, original)
  })

  test('[4] [5] the original is gone for good: the copy brings what waited', async () => {
    const world = new Copying(oneShot)
    const original = await world.original()
    await world.write(original, itemSet('a', 'b'), listAdded('c'))
    const copy = await world.open(world.store.noticedCopy())
    await world.write(copy, titled('c', 'copy'))
    await expectConverged(world, copy)
    await expectLogged(world)
  })

  test('[3] [4] a folder put back from an older backup gets what it had sent since, and is refused nothing', async () => {
    const world = new Copying(oneShot)
    const original = await world.original()
    await world.write(original, titled('a', 'waits'))
    const backup = world.store.noticedCopy()
    await world.write(original, itemSet('a', 'since'), titled('a', 'since'))
    await world.sync(original)
    await original.close()
    const restored = await world.open(backup)
    await world.write(restored, itemSet('a', 'restored'))
    await world.sync(restored)
    expect(restored.tables.items.get(['a', 'since'])).toBe('since')
    expect(restored.status).toMatchObject({ pending: 0, lastError: null, rejected: 0 })
    await expectConverged(world, restored)
    await expectLogged(world)
  })

  test('[11] what the original withdrew is told by the copy, not lost; the copy itself cannot withdraw it', async () => {
    const world = new Copying(oneShot)
    const original = await world.original()
    const [one, two] = await world.write(original, itemSet('a', 'b'), itemSet('a', 'c'))
    const copy = await world.open(world.store.noticedCopy())
    if (one === undefined || two === undefined) throw new Error('they were made')
    expect(await codeOf(copy.withdraw(one.counter))).toBe('INPUT_INVALID')
    await original.withdraw(one.counter)
    await world.sync(original, copy)
    expect(copy.rejected).toMatchObject([{ commit: { id: one }, code: 'WITHDRAWN' }])
    expect(copy.tables.items.get(['a', 'b'])).toBeUndefined()
    expect(copy.tables.items.get(['a', 'c'])).toBe('c')
    copy.resubmit(one.counter)
    await expectConverged(world, original, copy)
    expect(original.tables.items.get(['a', 'b'])).toBe('b')
    // Its own it can.
    const [own] = await world.write(copy, itemSet('a', 'own'))
    await copy.withdraw(own?.counter ?? 0)
    await expectConverged(world, copy, original)
    expect(copy.tables.items.get(['a', 'own'])).toBeUndefined()
  })

  test('[4] a commit of the copy is withdrawn while what both hold still waits', async () => {
    const world = new Copying(oneShot)
    const original = await world.original()
    await world.write(original, itemSet('a', 'b'), listAdded('c'))
    const copy = await world.open(world.store.noticedCopy())
    const [first] = await world.write(copy, itemSet('c', 'one'), itemSet('c', 'two'))
    if (first === undefined) throw new Error('it was made')
    await copy.withdraw(first.counter)
    world.made.delete(commitName(first))
    expect(countersOf(copy)).toEqual([
      [2, 1],
      [3, 2],
      [5, 0],
    ])
    await expectConverged(world, copy, original)
    await expectLogged(world)
  })

  test('undo gives back what the copy itself wrote', async () => {
    const world = new Copying(oneShot)
    const original = await world.original()
    await world.write(original, titled('a', 'shared'))
    const copy = await world.open(world.store.noticedCopy())
    expect(copy.canUndo).toBe(false)
    await world.write(copy, titled('a', 'copy'))
    copy.undo()
    await expectConverged(world, original, copy)
    expect(copy.tables.lists.get('a')?.title).toBe('shared')
  })

  test('[4] [5] a crash of the copy at any moment leaves one that opens, with one identity once it has one', async () => {
    for (let moment = 0, over = false; !over; moment++) {
      const world = new Copying(oneShot)
      const original = await world.original()
      await world.write(original, itemSet('a', 'b'), titled('a', 'shared'))
      await world.write(original, listAdded('c'))
      let calls = 0
      let after: MapReplicaStore | null = null
      const dying: MapReplicaStore = world.store.noticedCopy(() => {
        if (calls++ !== moment) return undefined
        after = dying.crash()
        return new SyncError('STORE_CLOSED', 'the process is gone')
      })
      const work = async (): Promise<void> => {
        const copy = await world.open(dying)
        await world.write(copy, titled('c', 'copy'), itemSet('c', 'd'))
        await world.sync(copy)
      }
      let ended = false
      void work().then(
        () => (ended = true),
        () => (ended = true),
      )
      await until(
        'it ends',
        () => ended || after !== null,
        () => world.world.clock.advance(10),
      )
      await turn()
      over = after === null
      const store = after ?? dying.crash()
      const own = (await store.load())?.isCopy === false ? (await store.load())?.identity.replica : null
      const copy = await world.open(store)
      expect([copy.id, null]).toContain(own)
      expect(copy.id).not.toBe(original.id)
      // What was saved is there; what was not may be.
      await world.write(copy, itemSet('a', 'after'))
      await world.write(original, titled('a', 'original'))
      await expectConverged(world, copy, original)
      const names = (await world.world.log()).map(({ id }) => commitName(id))
      expect(new Set(names).size).toBe(names.length)
      for (const name of world.made) expect(names).toContain(name)
      expect(moment).toBeLessThan(200)
    }
  })
})

test('[4] [26] an original that cannot tell any more whose a commit is goes on as a copy of itself', async () => {
  const world = new Copying(false)
  const original = await world.original()
  const [one] = await world.write(original, itemSet('a', 'b'))
  const copy = await world.open(world.store.noticedCopy())
  if (one === undefined) throw new Error('it was made')
  await original.withdraw(one.counter)
  const [kept] = await world.write(original, itemSet('a', 'c'))
  await original.close()
  await world.sync(copy)
  const again = await world.open(world.store.crash())
  expect(await codeOf(world.sync(again))).toBe('REPLICA_TAKEN')
  expect(again.outbox.map(({ id }) => id)).toEqual([kept])
  const renewed = await world.open(world.store.noticedCopy())
  expect(renewed.status.lastError).toBe(null)
  await world.write(renewed, itemSet('a', 'd'))
  await expectConverged(world, renewed, copy)
  expect([...renewed.tables.items.entries()].length).toBe(3)
  await expectLogged(world)
})

describe('live', () => {
  test('[4] [5] both at once, with what both hold and what each writes meanwhile', async () => {
    const world = new Copying(false)
    const original = await world.original()
    await world.write(original, itemSet('a', 'b'), titled('a', 'shared'))
    const copy = await world.open(world.store.noticedCopy())
    const both = [original, copy]
    for (const each of both) each.connect()
    for (let n = 0; n < 10; n++) {
      await world.write(original, itemSet('a', `o${n}`))
      await world.write(copy, itemSet('a', `c${n}`))
    }
    await until('all is settled', () => both.every(({ status }) => status.pending === 0))
    for (const { status } of both) expect(status).toMatchObject({ state: 'live', lastError: null })
    await until('all is there', () => both.every(({ tables }) => [...tables.items.entries()].length === 21))
    for (const each of both) each.disconnect()
    await turn()
    await expectConverged(world, ...both)
    await expectLogged(world)
  })

  test('[4] the copy sends under its own id as soon as the old one has said all, without a wait', async () => {
    const world = new Copying(false)
    const original = await world.original()
    const shared = await world.write(original, itemSet('a', 'b'), titled('a', 'shared'))
    const copy = await world.open(world.store.noticedCopy())
    const own = await world.write(copy, itemSet('a', 'c'))
    copy.connect()
    await until('all is settled', () => copy.status.pending === 0)
    const names = (await world.world.log()).map(({ id }) => commitName(id))
    expect(names.slice(1)).toEqual([...shared, ...own].map(commitName))
    const report = await world.world.finish(copy.syncOnce())
    expect(report.pushed).toBe(0)
    copy.disconnect()
    await turn()
  })
})

describe('what the hub is told', () => {
  test.each(ways)(
    'over %s: one name after the other, and of each its own commits alone',
    async (_, oneShot) => {
      const clock = new VirtualClock(1)
      const store = new MapReplicaStore()
      const original = await openTodo({ clock, store })
      await original.apply(listAdded('a')).saved
      const hub = new ScriptedHub(clock, { oneShot })
      const copy = await openTodo({ clock, store: store.noticedCopy(), dial: hub.dial, live: false })
      await copy.apply(listAdded('b')).saved
      const report = copy.syncOnce()
      await until('the first greeting', () => hub.lines.length === 1)
      const first = hub.lines[0]
      const [shared, own] = copy.outbox
      if (first === undefined || shared === undefined || own === undefined) throw new Error('they wait')
      expect(await first.next('Hello')).toMatchObject({ replica: original.id, ackedCounter: 0 })
      // The original has sent it, and another one since.
      const other = (await openTodo({ clock, store: store.copy() })).apply(listAdded('c'))
      expect(other.id?.counter).toBe(2)
      first.say(
        welcome('tail'),
        tail(cursor(1), { ...shared.id, update: shared.update }),
        tail(cursor(2), { replica: original.id, counter: 2, update: new Uint8Array(0) }),
        caughtUp(cursor(2), 2, own.hlc),
      )
      if (oneShot) first.close()
      await until('the second greeting', () => hub.lines.length === 2)
      expect((await first.pushes()).flatMap(({ commits }) => commits.map(({ counter }) => counter))).toEqual(
        oneShot ? [1] : [],
      )
      const second = hub.lines[1]
      if (second === undefined) throw new Error('it greets again')
      expect(await second.next('Hello')).toMatchObject({
        replica: copy.id,
        ackedCounter: 0,
        cursor: cursor(2),
      })
      second.say(welcome('live'), caughtUp(cursor(2), 0))
      const push = await second.next('Push')
      expect(push.commits).toMatchObject([{ counter: 2, prev: 0 }])
      second.say(
        { type: 'Ack', counter: 2, seq: 3, duplicate: false, durability: 'durable' },
        tail(cursor(3), { replica: copy.id, counter: 2, update: null }),
      )
      if (oneShot) second.close()
      expect(await report).toMatchObject({ pushed: 1 })
      expect(copy.status).toMatchObject({ pending: 0, ackedCounter: 2 })
    },
  )

  test.each(ways)('over %s: what is made anew is another client’s in each name', async (_, oneShot) => {
    const clock = new VirtualClock(1)
    const store = new MapReplicaStore()
    const original = await openTodo({ clock, store })
    await original.apply(listAdded('a')).saved
    const hub = new ScriptedHub(clock, { oneShot })
    const copy = await openTodo({ clock, store: store.noticedCopy(), dial: hub.dial, live: false })
    await copy.apply(listAdded('b')).saved
    void copy.syncOnce().catch(() => {})
    const line = await hub.line(0)
    line.say(
      welcome('reset'),
      { type: 'Snapshot', cursor: cursor(1), snapshot: yjsCrdt.open(9000, []).encode() },
      caughtUp(cursor(1)),
    )
    await until('it is reset', () => copy.status.cursor !== null)
    const clients = copy.outbox.map(({ update }) => yjsCrdt.updates.inspect(update).inserted?.client)
    expect(clients[1]).toBe(copy.clientId)
    expect(new Set([...clients, original.clientId]).size).toBe(3)
    expect(countersOf(copy)).toEqual([
      [1, 0],
      [2, 0],
    ])
  })

  test('[4] bytes of ours in the log that tell no stamp are settled by a mark above them, and told to nobody as missing', async () => {
    const clock = new VirtualClock(1)
    const store = new MapReplicaStore()
    const original = await openTodo({ clock, store })
    for (const op of [listAdded('a'), titled('a', 'b')]) await original.apply(op).saved
    const hub = new ScriptedHub(clock)
    const copy = await openTodo({ clock, store: store.noticedCopy(), dial: hub.dial, live: false })
    const [one, two] = copy.outbox
    if (one === undefined || two === undefined) throw new Error('they wait')
    const report = copy.syncOnce()
    const line = await hub.line(0)
    // Made anew by the other one, where there was nothing left to do.
    line.say(welcome('tail'), tail(cursor(1), { ...one.id, update: new Uint8Array(0) }))
    const anew = yjsCrdt.open(8000, [])
    const update = anew.write(planWrites(todo, two.ops, anew, two.hlc, 'optional'), two.hlc)
    line.say(tail(cursor(2), { ...two.id, update }), caughtUp(cursor(2), 2, two.hlc))
    await report
    expect(copy.status).toMatchObject({ pending: 0, rejected: 0, cursor: cursor(2) })
  })

  test('[4] a third one that uses the old id for another commit is still told', async () => {
    const clock = new VirtualClock(1)
    const store = new MapReplicaStore()
    const original = await openTodo({ clock, store })
    await original.flush()
    // An image of the disk, which nobody can tell from the original.
    const image = await openTodo({ clock, store: store.copy() })
    await original.apply(listAdded('a')).saved
    clock.advance(1000)
    const theirs = image.apply(listAdded('b'))
    await theirs.saved
    const hub = new ScriptedHub(clock)
    const copy = await openTodo({ clock, store: store.noticedCopy(), dial: hub.dial, live: false })
    const report = codeOf(copy.syncOnce())
    const line = await hub.line(0)
    const [logged] = image.outbox
    line.say(
      welcome('tail'),
      tail(cursor(1), { ...(logged?.id ?? { replica: '', counter: 0 }), update: logged?.update ?? null }),
    )
    line.say(caughtUp(cursor(1), 1, logged?.hlc))
    expect(await report).toBe('REPLICA_TAKEN')
    expect(copy.outbox).toHaveLength(1)
  })

  test('the log says once that it is a copy', async () => {
    const clock = new VirtualClock(1)
    const store = new MapReplicaStore()
    const original = await openTodo({ clock, store })
    await original.apply(listAdded('a')).saved
    const lines: string[] = []
    const copied = store.noticedCopy()
    const copy = await openTodo({ clock, store: copied, log: (line) => lines.push(line) })
    expect(lines).toEqual([
      `the folder of home is a copy of that of replica ${original.id}, or older than it was: ` +
        `its replica id is ${copy.id} from now on; ` +
        '1 commit that both hold is sent under the old id',
    ])
    const again = await openTodo({ clock, store: copied.crash(), log: (line) => lines.push(line) })
    expect(again.id).toBe(copy.id)
    expect(again.status.copyOf).toBe(null)
    expect(lines).toHaveLength(1)
  })
})
