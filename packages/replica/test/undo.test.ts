// Undo and redo of one's own commits: key by key, never over what others wrote, and in step with everything else.
import { limits, SyncError } from '@rejoin/core'
import type { Replica } from '@rejoin/replica'
import { MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { describe, expect, test } from 'vitest'
import { HubbedWorld, seenBy } from './hubbed.ts'
import {
  ack,
  bytesOf,
  caughtUp,
  cursor,
  itemSet,
  listAdded,
  listRemoved,
  openTodo,
  Peer,
  refused,
  ScriptedHub,
  tail,
  titled,
  until,
  welcome,
  type Todo,
  type TodoOp,
} from './support.ts'

const blue = (id: string): TodoOp => ({ type: 'BlueOnly', id })

async function pair() {
  const world = new HubbedWorld(1)
  const [near, far] = [await world.open(), await world.open()]
  near.apply([listAdded('a', 'A'), itemSet('a', 'x', 'milk')])
  await world.sync(near, far)
  return { world, near, far }
}

const title = ({ tables }: Replica<Todo>, id = 'a') => tables.lists.get(id)?.title

describe('undo', () => {
  test('gives back values, fields, and removed rows with what stood under them', async () => {
    const replica = await openTodo()
    replica.apply([listAdded('a', 'A'), blue('a'), itemSet('a', 'x', 'milk')])
    const before = seenBy(replica)
    const heard: unknown[][] = []
    replica.subscribe((changes) => heard.push([...changes]))
    replica.apply([itemSet('a', 'x', 'bread'), titled('a', 'B'), { type: 'OwnerNamed', owner: 'ada' }])
    expect(replica.undo()).toMatchObject({ kind: 'commit', id: { counter: 3 } })
    expect(seenBy(replica)).toEqual(before)
    replica.apply(listRemoved('a'))
    expect(replica.tables.items.size).toBe(0)
    replica.undo()
    expect(seenBy(replica)).toEqual(before)
    expect(heard.map((changes) => changes.length)).toEqual([3, 3, 4, 4])
    expect(replica.outbox.at(-1)?.ops).toMatchObject([{ type: 'Restored' }])
  })

  test('goes back commit by commit over the same key, and redo forth again', async () => {
    const replica = await openTodo()
    replica.apply(listAdded('a', '0'))
    for (const name of ['1', '2', '3']) replica.apply(titled('a', name))
    const seen = [title(replica)]
    while (replica.canUndo) {
      replica.undo()
      seen.push(title(replica))
    }
    while (replica.canRedo) {
      replica.redo()
      seen.push(title(replica))
    }
    replica.undo()
    replica.undo()
    seen.push(title(replica))
    expect(seen).toEqual(['3', '2', '1', '0', undefined, '0', '1', '2', '3', '1'])
  })

  test('of nothing is unchanged, and not a byte is written', async () => {
    const store = new MapReplicaStore()
    const replica = await openTodo({ store })
    expect(replica.canUndo).toBe(false)
    const bytes = bytesOf(replica)
    expect(replica.undo()).toMatchObject({ kind: 'unchanged' })
    expect(replica.redo()).toMatchObject({ kind: 'unchanged' })
    expect([bytesOf(replica), replica.outbox.length]).toEqual([bytes, 0])
    // Of an earlier run nothing is known.
    await replica.apply(listAdded('a')).saved
    const again = await openTodo({ store: store.crash() })
    expect(again.canUndo).toBe(false)
    expect(again.undo()).toMatchObject({ kind: 'unchanged' })
  })

  test('of a commit that changed nothing does not stand in the way', async () => {
    const replica = await openTodo()
    replica.apply(listAdded('a', 'A'))
    expect(replica.apply(titled('a', 'A')).kind).toBe('unchanged')
    replica.undo()
    expect(replica.tables.lists.size).toBe(0)
  })

  test('a new commit ends redo, a refused op does not', async () => {
    const replica = await openTodo()
    replica.apply(listAdded('a', '0'))
    replica.apply(titled('a', '1'))
    replica.undo()
    expect(() => replica.apply(itemSet('nowhere', 'x'))).toThrow(SyncError)
    expect(replica.apply(titled('a', '0')).kind).toBe('unchanged')
    expect(replica.canRedo).toBe(true)
    replica.apply(titled('a', '2'))
    expect(replica.canRedo).toBe(false)
    expect(replica.redo().kind).toBe('unchanged')
    replica.undo()
    expect(title(replica)).toBe('0')
  })

  test('leaves alone what others wrote since, and gives back the rest', async () => {
    const { world, near, far } = await pair()
    near.apply([titled('a', 'B'), itemSet('a', 'x', 'bread'), itemSet('a', 'y', 'new')])
    await world.sync(near, far)
    far.apply(itemSet('a', 'x', 'theirs'))
    await world.sync(far, near)
    near.undo()
    expect(seenBy(near)).toMatchObject({ lists: [['a', { title: 'A' }]], items: [[['a', 'x'], 'theirs']] })
    near.redo()
    expect(seenBy(near)).toMatchObject({
      lists: [['a', { title: 'B' }]],
      items: [
        [['a', 'x'], 'theirs'],
        [['a', 'y'], 'new'],
      ],
    })
    await world.settle(near, far)
    expect(seenBy(far)).toEqual(seenBy(near))
  })

  test('leaves alone what others wrote at the same time, equal values too', async () => {
    const { world, near, far } = await pair()
    far.apply([titled('a', 'B'), itemSet('a', 'x', 'other')])
    near.apply([titled('a', 'B'), itemSet('a', 'x', 'mine')])
    await world.settle(near, far)
    const conflicts = near.conflicts()
    expect(conflicts).toHaveLength(1)
    expect(near.canUndo).toBe(true)
    // What it can still give back is what the first commit made, and the title is not among it.
    near.undo()
    expect(near.conflicts()).toMatchObject([{ kind: 'orphan' }, { kind: 'orphan' }])
    expect(near.tables.lists.has('a')).toBe(false)
  })

  test('passes over a commit of which nothing is left', async () => {
    const { world, near, far } = await pair()
    near.apply(titled('a', 'B'))
    near.apply(itemSet('a', 'x', 'bread'))
    await world.sync(near, far)
    far.apply(itemSet('a', 'x', 'theirs'))
    await world.sync(far, near)
    near.undo()
    expect([title(near), near.tables.items.get(['a', 'x'])]).toEqual(['A', 'theirs'])
  })

  test('brings back a row whose parent somebody removed, as an orphan', async () => {
    const { world, near, far } = await pair()
    near.apply({ type: 'ItemRemoved', list: 'a', item: 'x' })
    await world.sync(near, far)
    far.apply(listRemoved('a'))
    await world.sync(far, near)
    near.undo()
    expect(near.tables.items.size).toBe(0)
    expect(near.conflicts()).toMatchObject([{ kind: 'orphan', table: 'items', key: ['a', 'x'] }])
    await world.settle(near, far)
    expect(far.conflicts()).toEqual(near.conflicts())
  })

  test('of a choice in a conflict gives back the value that was read, not the conflict', async () => {
    const { world, near, far } = await pair()
    far.apply(itemSet('a', 'x', 'theirs'))
    world.clock.advance(5)
    near.apply(itemSet('a', 'x', 'mine'))
    await world.settle(near, far)
    const [conflict] = near.conflicts()
    if (conflict === undefined) throw new Error('no conflict')
    near.resolve(conflict, { kind: 'choose', value: 'theirs' })
    near.undo()
    expect([near.tables.items.get(['a', 'x']), near.conflicts()]).toEqual(['mine', []])
    near.redo()
    expect(near.tables.items.get(['a', 'x'])).toBe('theirs')
  })

  test.each(['drop', 'restore'] as const)(
    'of what became of an orphan makes it one again: %s',
    async (kind) => {
      const { world, near, far } = await pair()
      near.apply(itemSet('a', 'y', 'new'))
      far.apply(listRemoved('a'))
      await world.settle(near, far)
      const conflicts = near.conflicts()
      const [orphan] = conflicts
      if (orphan === undefined) throw new Error('no orphan')
      near.resolve(orphan, { kind })
      expect(near.conflicts()).toEqual([])
      near.undo()
      expect(near.conflicts()).toMatchObject(
        conflicts.map(({ table, key }) => ({ kind: 'orphan', table, key })),
      )
      await world.settle(near, far)
      expect(far.conflicts()).toEqual(near.conflicts())
      near.redo()
      expect(near.conflicts()).toEqual([])
    },
  )

  test('works live, and is acknowledged like any other commit', async () => {
    const { world, near, far } = await pair()
    near.connect()
    far.connect()
    await until('live', () => near.status.state === 'live' && far.status.state === 'live')
    await world.finish(near.apply(titled('a', 'B')).acked)
    await world.finish(near.undo().acked)
    await until('there', () => far.status.cursor?.seq === near.status.cursor?.seq)
    expect([title(near), title(far)]).toEqual(['A', 'A'])
    for (const replica of [near, far]) replica.disconnect()
    await world.settle(near, far)
  })

  test('replicates, and goes on through a rebuild of the document', async () => {
    const { world, near, far } = await pair()
    near.apply([titled('a', 'B'), itemSet('a', 'x', 'bread')])
    near.apply(titled('a', 'C'))
    await world.sync(near, far)
    near.undo()
    await world.rebuild()
    far.apply(itemSet('a', 'far', '1'))
    await world.settle(near, far)
    near.undo()
    expect([title(near), near.tables.items.get(['a', 'x'])]).toEqual(['A', 'milk'])
    near.redo()
    near.redo()
    expect([title(near), near.tables.items.get(['a', 'x'])]).toEqual(['C', 'bread'])
    await world.settle(near, far)
    expect(seenBy(far)).toEqual(seenBy(near))
  })

  test('is bounded: the oldest commits can no longer be undone', async () => {
    const replica = await openTodo()
    replica.apply(listAdded('a', 'first'))
    for (let i = 0; i < limits.undoCommitsMax + 5; i++) replica.apply(titled('a', `${i}`))
    let undone = 0
    for (; replica.canUndo; undone++) replica.undo()
    expect([undone, title(replica)]).toEqual([limits.undoCommitsMax, '4'])
  })
})

describe('a refused commit', () => {
  async function live() {
    const clock = new VirtualClock(1)
    const hub = new ScriptedHub(clock)
    const replica = await openTodo({ clock, dial: hub.dial })
    const line = await hub.line(0)
    const peer = new Peer(clock)
    line.say(welcome('tail'), tail(cursor(1), peer.commit(listAdded('x', 'theirs'))), caughtUp(cursor(1)))
    await until('live', () => replica.status.cursor?.seq === 1)
    return { replica, line }
  }

  test('cannot be undone, and the commit after it goes back to what was there before both', async () => {
    const { replica, line } = await live()
    replica.apply(titled('x', 'refused'))
    replica.apply(titled('x', 'kept'))
    await line.next('Push')
    line.say(refused(1, 'ENTRY_UNEXPLAINED'), refused(2, 'PUSH_GAP'))
    await until('rejected', () => replica.rejected.length === 1)
    expect(title(replica, 'x')).toBe('kept')
    replica.undo()
    expect(title(replica, 'x')).toBe('theirs')
    expect(replica.canUndo).toBe(false)
    replica.redo()
    expect(title(replica, 'x')).toBe('kept')
  })

  test('that undid something is submitted again as it was, also where its parent is gone by now', async () => {
    const clock = new VirtualClock(1)
    const hub = new ScriptedHub(clock)
    const replica = await openTodo({ clock, dial: hub.dial })
    const line = await hub.line(0)
    const peer = new Peer(clock)
    line.say(welcome('tail'), tail(cursor(1), peer.commit(listAdded('x'))), caughtUp(cursor(1)))
    await until('live', () => replica.status.cursor?.seq === 1)
    replica.apply(itemSet('x', 'i', 'milk'))
    replica.apply({ type: 'ItemRemoved', list: 'x', item: 'i' })
    replica.undo()
    await line.next('Push')
    line.say(tail(cursor(2), peer.commit(listRemoved('x'))))
    line.say(ack(1), ack(2), refused(3, 'ENTRY_UNEXPLAINED'))
    await until('rejected', () => replica.rejected.length === 1 && !replica.tables.lists.has('x'))
    expect(replica.conflicts()).toEqual([])
    const told: unknown[] = []
    replica.onOps((each) => told.push(each))
    expect(replica.resubmit(3).kind).toBe('commit')
    expect(replica.conflicts()).toMatchObject([{ kind: 'orphan', key: ['x', 'i'] }])
    // Readers see nothing of it.
    expect([replica.rejected, told]).toEqual([[], []])
    // An op of the app still belongs under a row, in place of a rejected one too.
    expect(() => replica.apply(itemSet('x', 'i'))).toThrow(
      expect.objectContaining({ code: 'PARENT_MISSING' }),
    )
  })

  test('alone leaves nothing to undo', async () => {
    const { replica, line } = await live()
    replica.apply([titled('x', 'refused'), listAdded('y')])
    await line.next('Push')
    line.say(refused(1, 'ENTRY_UNEXPLAINED'))
    await until('rejected', () => replica.rejected.length === 1)
    expect([replica.canUndo, replica.undo().kind]).toEqual([false, 'unchanged'])
    expect(replica.resubmit(1, titled('x', 'better')).kind).toBe('commit')
    replica.undo()
    expect(title(replica, 'x')).toBe('theirs')
  })
})

test('[14] what no one commit could give back ends the history, and what is done after it can be undone', async () => {
  const replica = await openTodo()
  replica.apply(listAdded('a', 'one'))
  replica.apply(listAdded('big'))
  for (let i = 0; i < 45; i++) replica.apply(itemSet('big', `i${i}`, 'x'.repeat(99_000)))
  replica.apply(listRemoved('big'))
  const bytes = bytesOf(replica)
  expect(replica.canUndo).toBe(false)
  expect(replica.undo().kind).toBe('unchanged')
  expect(bytesOf(replica)).toBe(bytes)
  replica.apply(titled('a', 'two'))
  replica.undo()
  expect(title(replica)).toBe('one')
})
