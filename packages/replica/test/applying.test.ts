import { SyncError } from '@rejoin/core'
import { MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { describe, expect, test } from 'vitest'
import type { Change } from '@rejoin/replica'
import {
  bytesOf,
  codeOf,
  itemSet,
  listAdded,
  listRemoved,
  openTodo,
  ShakyStore,
  titled,
  todo,
  turn,
  until,
  type Todo,
  type TodoOp,
} from './support.ts'

describe('applying ops', () => {
  test('shows them at once and saves them', async () => {
    const replica = await openTodo()
    const receipt = replica.apply([listAdded('a', 'Shopping'), itemSet('a', 'x', 'milk')])
    expect(replica.tables.lists.get('a')).toEqual({ title: 'Shopping' })
    expect(replica.tables.items.get(['a', 'x'])).toBe('milk')
    expect(receipt).toMatchObject({ kind: 'commit', id: { replica: replica.id, counter: 1 } })
    await receipt.saved
    expect(replica.status).toMatchObject({ state: 'offline', pending: 1, persistence: 'ok', cursor: null })
  })

  test('[2] of nothing new makes no commit, and moves neither counter nor clock nor a byte', async () => {
    const replica = await openTodo()
    replica.apply(listAdded('a'))
    const bytes = bytesOf(replica)
    const receipt = replica.apply(listAdded('a'))
    await receipt.saved
    expect(receipt).toMatchObject({ kind: 'unchanged', id: null })
    expect(bytesOf(replica)).toBe(bytes)
    expect(replica.apply(listAdded('b'))).toMatchObject({ id: { counter: 2 } })
    const [first, second] = replica.outbox
    // The virtual clock stands still: the stamps are neighbours.
    expect(second?.hlc.slice(0, 8)).toBe(first?.hlc.slice(0, 8))
    expect(second?.hlc.charAt(8)).toBe('0')
    expect(second?.prev).toBe(1)
  })

  test.each<[string, unknown, string]>([
    ['an unknown type', { type: 'Nope' }, 'OP_UNKNOWN'],
    ['a wrong payload', { type: 'ListAdded', id: 'b', title: 3 }, 'OP_INVALID'],
    ['a row without its parent', itemSet('nowhere', 'x'), 'PARENT_MISSING'],
    ['a value the table refuses', { type: 'ListAdded', id: 'b', title: 'x'.repeat(300) }, 'VALUE_INVALID'],
    ['more than a commit holds', hugeOps(), 'COMMIT_TOO_LARGE'],
    [
      'more ops than a commit holds',
      Array.from({ length: 10_001 }, () => listAdded('z')),
      'COMMIT_TOO_LARGE',
    ],
    ['no op', [], 'OP_INVALID'],
  ])('refuses %s and leaves the document as it was, to the byte', async (_, op, code) => {
    const replica = await openTodo()
    replica.apply(listAdded('a'))
    const bytes = bytesOf(replica)
    // A good op before the wrong one is not applied either.
    const ops = Array.isArray(op) ? op : [titled('a', 'changed'), op]
    expect(await codeOf(Promise.resolve().then(() => replica.apply(ops as TodoOp[])))).toBe(code)
    expect(bytesOf(replica)).toBe(bytes)
    expect(replica.outbox).toHaveLength(1)
    expect(replica.apply(listAdded('b'))).toMatchObject({ id: { counter: 2 } })
  })

  test('[4] a replica that is dropped without close has its commits when it is opened again', async () => {
    const store = new MapReplicaStore()
    const replica = await openTodo({ store })
    await replica.apply(listAdded('a', 'kept')).saved
    const again = await openTodo({ store: store.crash() })
    expect(again.id).toBe(replica.id)
    expect(again.tables.lists.get('a')).toEqual({ title: 'kept' })
    expect(again.outbox).toEqual(replica.outbox)
    expect(bytesOf(again)).toBe(bytesOf(replica))
    const next = again.apply(listAdded('b'))
    expect(next.id?.counter).toBe(2)
    expect((again.outbox[1]?.hlc ?? '') > (again.outbox[0]?.hlc ?? '')).toBe(true)
  })

  test('a closed replica refuses every call with one code', async () => {
    const replica = await openTodo()
    const receipt = replica.apply(listAdded('a'))
    await replica.close()
    await replica.close()
    await receipt.saved
    expect(await codeOf(receipt.acked)).toBe('REPLICA_CLOSED')
    expect(() => replica.apply(listAdded('b'))).toThrow(/closed/)
    expect(await codeOf(replica.syncOnce())).toBe('REPLICA_CLOSED')
    expect(replica.status.state).toBe('closed')
  })

  test('a store of another domain is not opened', async () => {
    const store = new MapReplicaStore()
    await openTodo({ store })
    expect(await codeOf(openTodo({ store, domain: { ...todo, name: 'other' } as Todo }))).toBe(
      'DOMAIN_MISMATCH',
    )
  })

  test('[13] a store that is damaged or closed rejects the opening', async () => {
    const fault = (call: string) => (call === 'load' ? new SyncError('STORE_CORRUPT', 'damaged') : undefined)
    expect(await codeOf(openTodo({ store: new MapReplicaStore({ fault }) }))).toBe('STORE_CORRUPT')
    const closed = new MapReplicaStore()
    await closed.close()
    expect(await codeOf(openTodo({ store: closed }))).toBe('STORE_CLOSED')
  })
})

describe('resolving', () => {
  const concurrent = { kind: 'concurrent', table: 'lists', key: ['a'], field: 'title', choices: [] } as const
  const orphan = { ...concurrent, kind: 'orphan', parent: { table: 'lists', key: ['a'] } } as const
  const hostile = {
    get kind(): never {
      throw new TypeError('no')
    },
  }

  test.each<[string, unknown, unknown, string]>([
    // It would remove the title.
    ['no choice', concurrent, { kind: 'choose', value: undefined }, 'INPUT_INVALID'],
    ['no choice at all', concurrent, { kind: 'choose' }, 'INPUT_INVALID'],
    ['a choice that the schema refuses', concurrent, { kind: 'choose', value: 7 }, 'VALUE_INVALID'],
    ['a choice that is no JSON', concurrent, { kind: 'choose', value: () => 'x' }, 'INPUT_INVALID'],
    ['no resolution', concurrent, undefined, 'INPUT_INVALID'],
    ['a resolution of no kind', concurrent, {}, 'INPUT_INVALID'],
    ['a resolution of another kind', concurrent, { kind: 'toString' }, 'INPUT_INVALID'],
    ['a resolution that throws', concurrent, hostile, 'INPUT_INVALID'],
    ['a resolution that does not fit', concurrent, { kind: 'drop' }, 'INPUT_INVALID'],
    ['no conflict', undefined, { kind: 'drop' }, 'INPUT_INVALID'],
    ['a conflict without a key', { kind: 'orphan', table: 'lists' }, { kind: 'drop' }, 'INPUT_INVALID'],
    ['a conflict of no kind', { ...orphan, kind: 'other' }, { kind: 'drop' }, 'INPUT_INVALID'],
    ['a conflict that throws', hostile, { kind: 'drop' }, 'INPUT_INVALID'],
    ['a conflict of no table', { ...orphan, table: 'nope' }, { kind: 'drop' }, 'INPUT_INVALID'],
    ['a conflict of no field', { ...orphan, field: 'size' }, { kind: 'drop' }, 'KEY_INVALID'],
    [
      'a conflict of a key in a field’s place',
      { ...orphan, key: ['a', 'title'], field: null },
      { kind: 'drop' },
      'INPUT_INVALID',
    ],
    ['a conflict of a longer key', { ...orphan, key: ['a', 'b'] }, { kind: 'drop' }, 'KEY_INVALID'],
    ['a conflict of no text', { ...orphan, key: [7] }, { kind: 'drop' }, 'INPUT_INVALID'],
  ])('with %s is refused, and nothing is written', async (_, conflict, resolution, code) => {
    const replica = await openTodo()
    replica.apply(listAdded('a'))
    const bytes = bytesOf(replica)
    expect(() => replica.resolve(conflict as never, resolution as never)).toThrow(
      expect.objectContaining({ name: 'SyncError', code }),
    )
    expect(bytesOf(replica)).toBe(bytes)
    expect(replica.outbox).toHaveLength(1)
  })

  test('with a value of one’s own that the schema allows sets it', async () => {
    const replica = await openTodo()
    replica.apply(listAdded('a'))
    replica.resolve(concurrent, { kind: 'choose', value: 'mine' })
    expect(replica.tables.lists.get('a')).toEqual({ title: 'mine' })
  })
})

describe('while the store fails', () => {
  test('memory stays the truth, status says so, and everything is written in one batch later', async () => {
    const store = new ShakyStore()
    const clock = new VirtualClock(1)
    const replica = await openTodo({ store, clock })
    store.failing = new SyncError('STORE_FULL', 'the disk is full')
    const first = replica.apply(listAdded('a'))
    expect(await codeOf(first.saved)).toBe('STORE_FULL')
    replica.apply(listAdded('b'))
    expect(await codeOf(replica.flush())).toBe('STORE_FULL')
    expect(replica.tables.lists.size).toBe(2)
    // Two commits, and the version of the domain that the first of them brings.
    expect(replica.status.persistence).toEqual({
      state: 'degraded',
      cause: { code: 'STORE_FULL', message: 'the disk is full' },
      count: 3,
    })
    store.failing = null
    const before = store.batches
    const third = replica.apply(listAdded('c'))
    await third.saved
    expect(store.batches).toBe(before + 1)
    expect(replica.status.persistence).toBe('ok')
    expect((await openTodo({ store: store.crash() })).tables.lists.size).toBe(3)
  })

  test('it is tried again by the clock alone', async () => {
    const store = new ShakyStore()
    const clock = new VirtualClock(1)
    const replica = await openTodo({ store, clock })
    store.failing = new SyncError('STORE_UNAVAILABLE', 'away')
    expect(await codeOf(replica.apply(listAdded('a')).saved)).toBe('STORE_UNAVAILABLE')
    store.failing = null
    await until(
      'saved by the timer',
      () => replica.status.persistence === 'ok',
      () => clock.advance(1000),
    )
    expect((await store.load())?.outbox).toHaveLength(1)
  })

  test('what is written while a record is in flight is not taken for recorded', async () => {
    const store = new ShakyStore()
    const replica = await openTodo({ store })
    const [first] = [replica.apply(listAdded('a'))]
    await Promise.resolve()
    await Promise.resolve()
    // The first record has begun; this one must go into the next.
    const second = replica.apply(listAdded('b'))
    await first.saved
    await second.saved
    expect((await store.load())?.outbox.map(({ id }) => id.counter)).toEqual([1, 2])
  })

  test('what failed is written before what came after it', async () => {
    const store = new ShakyStore()
    const replica = await openTodo({ store })
    store.slow = true
    const first = replica.apply(listAdded('a'))
    await turn()
    replica.apply(listAdded('b'))
    store.failing = new SyncError('STORE_UNAVAILABLE', 'away')
    store.slow = false
    store.letRecord()
    expect(await codeOf(first.saved)).toBe('STORE_UNAVAILABLE')
    store.failing = null
    await replica.flush()
    expect(store.recorded).toEqual(['create', 'domainVersion', 'local 1', 'local 2'])
  })
})

describe('change events', () => {
  async function listening() {
    const replica = await openTodo()
    const heard: Pick<Change<Todo>, 'table' | 'key' | 'field' | 'before' | 'after' | 'origin'>[][] = []
    replica.subscribe((changes) => heard.push([...changes]))
    return { replica, heard }
  }

  test('come once per transaction, with what was visible before and after', async () => {
    const { replica, heard } = await listening()
    replica.apply([listAdded('a', 'one'), itemSet('a', 'x', 'milk')])
    replica.apply(titled('a', 'two'))
    expect(heard).toEqual([
      [
        { table: 'lists', key: 'a', field: null, before: undefined, after: true, origin: 'local' },
        { table: 'lists', key: 'a', field: 'title', before: undefined, after: 'one', origin: 'local' },
        { table: 'items', key: ['a', 'x'], field: null, before: undefined, after: 'milk', origin: 'local' },
      ],
      [{ table: 'lists', key: 'a', field: 'title', before: 'one', after: 'two', origin: 'local' }],
    ])
  })

  test('of a singleton carry no key', async () => {
    const { replica, heard } = await listening()
    replica.apply({ type: 'OwnerNamed', owner: 'ada' })
    expect(heard).toEqual([
      [{ table: 'settings', key: null, field: 'owner', before: undefined, after: 'ada', origin: 'local' }],
    ])
  })

  test('reach a listener that applies, in order', async () => {
    const replica = await openTodo()
    const heard: string[] = []
    replica.subscribe((changes) => {
      if (changes.some(({ table, key }) => table === 'lists' && key === 'a')) replica.apply(listAdded('b'))
    })
    replica.subscribe((changes) => heard.push(String(changes[0]?.key)))
    replica.apply(listAdded('a'))
    expect(heard).toEqual(['a', 'b'])
    expect(replica.outbox.map(({ ops }) => ops[0]?.['id'])).toEqual(['a', 'b'])
  })

  test('end with the subscription', async () => {
    const replica = await openTodo()
    let count = 0
    const stop = replica.subscribe(() => count++)
    replica.apply(listAdded('a'))
    stop()
    replica.apply(listRemoved('a'))
    await turn()
    expect(count).toBe(1)
  })
})

function hugeOps(): TodoOp[] {
  return [
    listAdded('big'),
    ...Array.from({ length: 60 }, (_, i) => itemSet('big', `i${i}`, 'x'.repeat(90_000))),
  ]
}
