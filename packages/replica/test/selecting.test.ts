// Subscribing to parts of the tables and to values selected from them: who is told, how often, and what it costs.
import { type Crdt, type CrdtDocument, type SyncError } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import type { Change, ChangeIn, Replica } from '@rejoin/replica'
import { VirtualClock } from '@rejoin/testkit'
import { describe, expect, expectTypeOf, test } from 'vitest'
import {
  caughtUp,
  cursor,
  itemSet,
  listAdded,
  listRemoved,
  openTodo,
  Peer,
  refused,
  tail,
  titled,
  until,
  welcome,
  type Options,
  type Todo,
  type TodoOp,
} from './support.ts'
import { live } from './live.ts'

const itemRemoved = (list: string, item: string): TodoOp => ({ type: 'ItemRemoved', list, item })

async function withLists(options: Options = {}): Promise<Replica<Todo>> {
  const replica = await openTodo(options)
  replica.apply([listAdded('a'), listAdded('b'), itemSet('a', 'x'), itemSet('a', 'y'), itemSet('b', 'x')])
  return replica
}

/** A list with an item, and somebody who has seen the list alone: when they remove it, no register of the item changes. */
async function withItemUnseen() {
  const { replica, line, peer } = await live()
  const tomorrow = new VirtualClock(7, Date.UTC(2026, 0, 2))
  const early = new Peer(tomorrow, 'E', 9000, [peer.document.encode()])
  line.say(tail(cursor(2), peer.commit(itemSet('x', 'i', 'milk'))))
  await until('there', () => replica.tables.items.size === 1)
  return { replica, line, early }
}

/** Counts what is read of documents, key by key and row by row. */
function counting() {
  const count = { reads: 0, yielded: 0 }
  const counted = (document: CrdtDocument): CrdtDocument =>
    new Proxy(document, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => {
          if (name === 'read') count.reads++
          const result: unknown = value.apply(target, args)
          return name === 'scan' ? countedRows(result as Iterable<unknown>) : result
        }
      },
    })
  function* countedRows(rows: Iterable<unknown>): Iterable<unknown> {
    for (const row of rows) {
      count.yielded++
      yield row
    }
  }
  const crdt: Crdt = { ...yjsCrdt, open: (clientId, updates) => counted(yjsCrdt.open(clientId, updates)) }
  return {
    crdt,
    /** Reads and rows of what `work` does. */
    of(work: () => void): number {
      const before = count.reads + count.yielded
      work()
      return count.reads + count.yielded - before
    },
  }
}

/** What the app's code threw, taken before it ends the process. */
async function uncaughtIn(work: () => Promise<void> | void): Promise<readonly unknown[]> {
  const usual = process.listeners('uncaughtException')
  const thrown: unknown[] = []
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => thrown.push(error))
  try {
    await work()
    await new Promise((resolve) => setImmediate(resolve))
  } finally {
    process.removeAllListeners('uncaughtException')
    for (const listener of usual) process.on('uncaughtException', listener)
  }
  return thrown
}

describe('a part', () => {
  test.each([
    ['a table', { table: 'items' }, ['a/x', 'a/z', 'b/x']],
    ['a row', { table: 'items', key: ['a', 'x'] }, ['a/x']],
    ['the rows under a prefix', { table: 'items', prefix: ['a'] }, ['a/x', 'a/z']],
    ['a row that is not there yet', { table: 'items', key: ['a', 'z'] }, ['a/z']],
    ['a row that nobody writes', { table: 'items', key: ['a', 'y'] }, []],
    ['a row with its fields', { table: 'lists', key: 'a' }, ['a.title']],
    ['a field', { table: 'lists', key: 'a', field: 'title' }, ['a.title']],
    ['another field', { table: 'lists', key: 'a', field: 'color' }, []],
    ['a singleton', { table: 'settings' }, ['.owner']],
    ['a field of a singleton', { table: 'settings', field: 'owner' }, ['.owner']],
  ] as const)(
    '%s: its listener hears its changes, once a transaction, and no others',
    async (_, part, told) => {
      const replica = await withLists()
      const heard: string[] = []
      let calls = 0
      replica.subscribe(part, (changes) => {
        calls++
        for (const { key, field } of changes) {
          heard.push(`${String(key ?? '').replace(',', '/')}${field === null ? '' : `.${field}`}`)
        }
      })
      replica.apply([
        itemSet('a', 'x', 'new'),
        itemSet('a', 'z', 'new'),
        titled('a', 'new'),
        itemSet('b', 'x', 'new'),
        { type: 'OwnerNamed', owner: 'ada' },
      ])
      expect(heard.sort()).toEqual(told)
      expect(calls).toBe(told.length > 0 ? 1 : 0)
    },
  )

  test('of rows under a parent hears that they are hidden and seen again', async () => {
    const { replica, line, early } = await withItemUnseen()
    const heard: unknown[] = []
    replica.subscribe({ table: 'items', prefix: ['x'] }, (changes) => {
      heard.push(changes.map(({ before, after }) => [before, after]))
    })
    line.say(tail(cursor(3), early.commit(listRemoved('x'))))
    await until('hidden', () => !replica.tables.lists.has('x'))
    line.say(tail(cursor(4), early.commit(listAdded('x'))))
    await until('seen', () => replica.tables.lists.has('x'))
    expect(heard).toEqual([[['milk', undefined]], [[undefined, 'milk']]])
  })

  test.each([
    [{ table: 'nope' }, 'TABLE_UNKNOWN'],
    [{ table: 'items', key: ['a'] }, 'KEY_INVALID'],
    [{ table: 'lists', key: ['a', 'title'] }, 'KEY_INVALID'],
    [{ table: 'lists', key: 'a', field: 'size' }, 'KEY_INVALID'],
    [{ table: 'lists', key: [] }, 'KEY_INVALID'],
    [{ table: 'lists', key: 7 }, 'KEY_INVALID'],
    [{ table: 'items', key: ['a', 7] }, 'KEY_INVALID'],
    [{ table: 'items', key: ['a\u0000x'] }, 'KEY_INVALID'],
    [{ table: 'items', key: ['a', 'x'], field: 'text' }, 'KEY_INVALID'],
    [{ table: 'settings', key: 'owner' }, 'KEY_INVALID'],
    [{ table: 'items', prefix: ['a', 'x', 'y'] }, 'KEY_INVALID'],
    [{ table: 'items', prefix: ['a\u0000x'] }, 'KEY_INVALID'],
    [{ table: 'settings', prefix: ['owner'] }, 'KEY_INVALID'],
    [{ table: 'items', key: ['a', 'x'], prefix: ['a'] }, 'INPUT_INVALID'],
    // It would be the row with the key "title".
    [{ table: 'lists', field: 'title' }, 'INPUT_INVALID'],
    [{ table: 'lists', key: ['a', 'title'], field: 'title' }, 'KEY_INVALID'],
    [{ table: 'lists', prefix: ['a'], field: 'title' }, 'INPUT_INVALID'],
    [{ table: 'lists', key: 'a', field: 7 }, 'INPUT_INVALID'],
    [{ table: 'lists', keys: 'a' }, 'INPUT_INVALID'],
    [{}, 'INPUT_INVALID'],
    [{ table: 7 }, 'INPUT_INVALID'],
    ['lists', 'INPUT_INVALID'],
    [null, 'INPUT_INVALID'],
    [undefined, 'INPUT_INVALID'],
    [['lists'], 'INPUT_INVALID'],
  ])('that the domain does not have is refused: %j', async (part, code) => {
    const replica = await openTodo()
    expect(() => replica.subscribe(part as never, () => {})).toThrow(
      expect.objectContaining<Partial<SyncError>>({ name: 'SyncError', code: code as SyncError['code'] }),
    )
  })

  test('that throws when it is read is refused, and one whose names are undefined is a table', async () => {
    const replica = await openTodo()
    const hostile = {
      get table(): string {
        throw new TypeError('no')
      },
    }
    const { proxy, revoke } = Proxy.revocable({ table: 'lists' }, {})
    revoke()
    for (const part of [hostile, proxy]) {
      expect(() => replica.subscribe(part as never, () => {})).toThrow(
        expect.objectContaining({ code: 'INPUT_INVALID' }),
      )
    }
    let heard = 0
    replica.subscribe({ table: 'lists', key: undefined, field: undefined } as never, () => heard++)
    replica.apply(listAdded('a'))
    expect(heard).toBe(1)
  })

  test('has a type that knows the table', async () => {
    const replica = await openTodo()
    replica.subscribe({ table: 'items', prefix: ['a'] }, (changes) => {
      expectTypeOf(changes).toEqualTypeOf<readonly ChangeIn<Todo, { table: 'items'; prefix: ['a'] }>[]>()
      expectTypeOf(changes[0]?.after).toEqualTypeOf<string | undefined>()
      expectTypeOf(changes[0]?.key).toEqualTypeOf<[string, string] | undefined>()
    })
    replica.subscribe({ table: 'lists', key: 'a', field: 'color' }, (changes) => {
      expectTypeOf(changes[0]?.after).toEqualTypeOf<'red' | 'blue' | undefined>()
      expectTypeOf(changes[0]?.field).toEqualTypeOf<'color' | undefined>()
    })
    replica.subscribe({ table: 'lists' }, (changes) => {
      expectTypeOf(changes[0]?.field).toEqualTypeOf<'title' | 'color' | null | undefined>()
    })
    replica.subscribe({ table: 'settings', field: 'owner' }, (changes) => {
      expectTypeOf(changes[0]?.key).toEqualTypeOf<null | undefined>()
    })
    replica.subscribe((changes) => expectTypeOf(changes).toEqualTypeOf<readonly Change<Todo>[]>())
    const wrong = () => {
      // @ts-expect-error a table that is not there
      replica.subscribe({ table: 'nope' }, () => {})
      // @ts-expect-error a key of another table
      replica.subscribe({ table: 'items', key: 'a' }, () => {})
      // @ts-expect-error a field that is not there
      replica.subscribe({ table: 'lists', key: 'a', field: 'size' }, () => {})
      // @ts-expect-error a map has no fields
      replica.subscribe({ table: 'items', key: ['a', 'x'], field: 'text' }, () => {})
      // @ts-expect-error a plain key has no first parts
      replica.subscribe({ table: 'lists', prefix: ['a'] }, () => {})
    }
    expect(wrong).toBeTypeOf('function')
  })
})

describe('a selected value', () => {
  test('is told with the one before, only when it is another', async () => {
    const replica = await withLists()
    const heard: unknown[] = []
    let runs = 0
    replica.subscribe(
      (tables) => {
        runs++
        return { rows: [...tables.items.entries(['a'])], title: tables.lists.get('a')?.title }
      },
      (value, before) => {
        expectTypeOf(value).toEqualTypeOf<{ rows: [[string, string], string][]; title: string | undefined }>()
        heard.push([before.rows.length, value.rows.length, value.title])
      },
    )
    expect(runs).toBe(1)
    replica.apply([itemSet('a', 'z'), itemSet('a', 'q')])
    expect([runs, heard]).toEqual([2, [[2, 4, 'a']]])
    // Not what it reads.
    replica.apply([itemSet('b', 'z'), titled('b', 'new'), { type: 'OwnerNamed', owner: 'ada' }])
    expect(runs).toBe(2)
    // What it reads, and nothing else comes of it.
    replica.apply([itemSet('a', 'z', 'other'), itemSet('a', 'z')])
    expect([runs, heard.length]).toEqual([2, 1])
    replica.apply(titled('a', 'new'))
    expect([runs, heard]).toEqual([
      3,
      [
        [2, 4, 'a'],
        [4, 4, 'new'],
      ],
    ])
  })

  test('that comes out the same is not told, however its objects are built', async () => {
    const replica = await withLists()
    const heard: unknown[] = []
    let turn = 0
    replica.subscribe(
      (tables) => {
        const big = tables.lists.size > 1
        return turn++ % 2 === 0 ? { big, list: [1], none: undefined } : { list: [1], big }
      },
      (value) => heard.push(value),
    )
    replica.apply(listAdded('c'))
    replica.apply(listAdded('d'))
    expect([turn, heard]).toEqual([3, []])
    replica.apply([listRemoved('b'), listRemoved('c'), listRemoved('d')])
    expect(heard).toEqual([{ list: [1], big: false }])
  })

  test('that reads under a parent runs again when the parent comes or goes', async () => {
    const { replica, line, early } = await withItemUnseen()
    const heard: unknown[] = []
    let runs = 0
    replica.subscribe(
      (tables) => {
        runs++
        return tables.items.get(['x', 'i'])
      },
      (value, before) => {
        expectTypeOf(value).toEqualTypeOf<string | undefined>()
        heard.push([before, value])
      },
    )
    line.say(tail(cursor(3), early.commit(titled('x', 'other'))))
    await until('titled', () => replica.tables.lists.get('x')?.title === 'other')
    expect(runs).toBe(1)
    line.say(tail(cursor(4), early.commit(listRemoved('x'))))
    await until('gone', () => !replica.tables.lists.has('x'))
    line.say(tail(cursor(5), early.commit(listAdded('x'))))
    await until('back', () => replica.tables.lists.has('x'))
    expect(heard).toEqual([
      ['milk', undefined],
      [undefined, 'milk'],
    ])
  })

  test('reads what its last run needed, not what an earlier one did', async () => {
    const replica = await withLists()
    let runs = 0
    replica.subscribe(
      (tables) => {
        runs++
        return tables.lists.get('a')?.title === 'look' ? tables.items.get(['b', 'x']) : null
      },
      () => {},
    )
    replica.apply(itemSet('b', 'x', '1'))
    expect(runs).toBe(1)
    replica.apply(titled('a', 'look'))
    replica.apply(itemSet('b', 'x', '2'))
    expect(runs).toBe(3)
    replica.apply(titled('a', 'away'))
    replica.apply(itemSet('b', 'x', '3'))
    expect(runs).toBe(4)
  })

  test('costs what changed and what it reads, not what there is nor who else listens', async () => {
    const costOf = async (rows: number) => {
      const counted = counting()
      const replica = await openTodo({ crdt: counted.crdt })
      const items = Array.from({ length: rows }, (_, i) => itemSet('a', `i${i}`))
      replica.apply([listAdded('a'), listAdded('b'), itemSet('b', 'x'), ...items])
      let told = 0
      let others = 0
      for (let i = 0; i < 50; i++) {
        replica.subscribe({ table: 'items', key: ['a', `i${i}`] }, () => others++)
        replica.subscribe(
          (tables) => (others++, tables.items.get(['a', `i${i}`])),
          () => {},
        )
      }
      replica.subscribe(
        (tables) => [...tables.items.entries(['b'])],
        () => told++,
      )
      replica.subscribe({ table: 'items', prefix: ['b'] }, () => told++)
      others = 0
      const cost = counted.of(() => replica.apply(itemSet('b', 'x', 'new')))
      expect([told, others]).toEqual([2, 0])
      return cost
    }
    const [few, many] = [await costOf(100), await costOf(3_000)]
    expect(many).toBe(few)
    expect(many).toBeLessThan(40)
  })

  test('of a prefix reads the rows of the prefix, of tables with a parent too', async () => {
    const counted = counting()
    const replica = await openTodo({ crdt: counted.crdt })
    const rows = Array.from({ length: 500 }, (_, i) => itemSet('a', `i${i}`))
    replica.apply([listAdded('a'), listAdded('b'), ...rows, itemSet('b', 'x'), itemSet('b', 'y')])
    // Two rows and one look at their parent.
    expect(counted.of(() => void [...replica.tables.items.entries(['b'])])).toBe(3)
    expect(counted.of(() => void replica.tables.items.get(['a', 'i7']))).toBeLessThan(5)
  })

  test('after a reset is told once, with the net difference, and not run where it is the same', async () => {
    const { replica, line } = await live()
    replica.apply([listAdded('mine'), itemSet('mine', 'i')])
    const heard: unknown[] = []
    let idle = 0
    replica.subscribe(
      (tables) => [...tables.lists.entries()].map(([id, { title }]) => [id, title].join(' ')),
      (value, before) => heard.push([before, value]),
    )
    replica.subscribe({ table: 'lists', key: 'x' }, (changes) => heard.push(changes.length))
    replica.subscribe(
      (tables) => (idle++, tables.items.get(['mine', 'i'])),
      () => heard.push('never'),
    )
    const other = new Peer(new VirtualClock(4), 'R', 6000)
    other.commit(listAdded('new'))
    line.say(
      welcome('reset'),
      { type: 'Snapshot', cursor: cursor(5, 8), snapshot: other.document.encode() },
      caughtUp(cursor(5, 8)),
    )
    await until('reset', () => replica.tables.lists.has('new'))
    expect(heard).toEqual([
      [
        ['mine mine', 'x x'],
        ['mine mine', 'new new'],
      ],
      2,
    ])
    expect(idle).toBe(1)
  })

  test('after a refusal is told once, with the net difference', async () => {
    const { replica, line } = await live()
    replica.apply(titled('x', 'refused'))
    replica.apply(listAdded('kept'))
    const heard: unknown[] = []
    replica.subscribe(
      (tables) => tables.lists.get('x')?.title,
      (value, before) => heard.push([before, value]),
    )
    replica.subscribe({ table: 'lists', key: 'kept' }, () => heard.push('never'))
    await line.next('Push')
    line.say(refused(1, 'ENTRY_UNEXPLAINED'), refused(2, 'PUSH_GAP'))
    await until('rejected', () => replica.rejected.length === 1)
    expect(heard).toEqual([['refused', 'x']])
  })

  test('throws its first error to who subscribes, later ones like those of listeners, and goes on', async () => {
    const replica = await withLists()
    expect(() =>
      replica.subscribe(
        () => {
          throw new Error('at once')
        },
        () => {},
      ),
    ).toThrow('at once')
    const heard: unknown[] = []
    const read = (key: string) => (tables: Replica<Todo>['tables']) => {
      const title = tables.lists.get(key)?.title
      if (title === 'bad') throw new Error(`${key} is bad`)
      return title
    }
    replica.subscribe(read('a'), (value, before) => heard.push([before, value]))
    replica.subscribe(
      (tables) => tables.lists.get('a')?.title,
      () => {
        throw new Error('listener')
      },
    )
    replica.subscribe({ table: 'lists' }, () => heard.push('after'))
    const thrown = await uncaughtIn(() => {
      replica.apply(titled('a', 'bad'))
      replica.apply(titled('b', 'other'))
      replica.apply(titled('a', 'good'))
    })
    expect(thrown.map(String)).toEqual(['Error: a is bad', 'Error: listener', 'Error: listener'])
    expect(heard).toEqual(['after', 'after', ['a', 'good'], 'after'])
  })

  test('that is an iterator is refused, since it would be read unseen', async () => {
    const replica = await withLists()
    expect(() =>
      replica.subscribe(
        (tables) => tables.items.entries(['a']),
        () => {},
      ),
    ).toThrow(/return \[\.\.\.rows\]/)
  })
})

describe('a listener', () => {
  test.each<[string, (replica: Untyped) => unknown]>([
    ['of a part', (replica) => replica.subscribe({ table: 'lists' })],
    ['of a part, a number', (replica) => replica.subscribe({ table: 'lists' }, 7)],
    ['of a value', (replica) => replica.subscribe(() => 1, undefined)],
    ['of everything', (replica) => replica.subscribe()],
    ['of everything, a number', (replica) => replica.subscribe(7)],
    ['of ops', (replica) => replica.onOps()],
    ['of everything, an object', (replica) => replica.subscribe(() => 1, Object.create(null))],
    ['of the status', (replica) => replica.onStatus()],
  ])('that is none is refused at once, not when there is something to tell: %s', async (_, subscribe) => {
    const replica = await openTodo()
    const thrown = await uncaughtIn(() => {
      expect(() => subscribe(replica as unknown as Untyped)).toThrow(
        expect.objectContaining({ name: 'SyncError', code: 'INPUT_INVALID' }),
      )
      replica.apply(listAdded('a'))
    })
    expect(thrown).toEqual([])
  })
})

/** As an app without types calls it. */
type Untyped = Record<'subscribe' | 'onOps' | 'onStatus', (...args: unknown[]) => unknown>

describe('while it is told', () => {
  test('a listener may end its own and others’ subscriptions', async () => {
    const replica = await withLists()
    const heard: string[] = []
    const stops: (() => void)[] = []
    stops.push(
      replica.subscribe({ table: 'lists' }, () => {
        heard.push('first')
        for (const stop of stops) stop()
        for (const stop of stops) stop()
      }),
      replica.subscribe(() => heard.push('all')),
      replica.subscribe({ table: 'lists', key: 'a' }, () => heard.push('part')),
      replica.subscribe(
        (tables) => tables.lists.get('a')?.title,
        () => heard.push('value'),
      ),
      replica.onOps(() => heard.push('ops')),
    )
    replica.apply(titled('a', 'new'))
    replica.apply(titled('a', 'newer'))
    expect(heard).toEqual(['first'])
  })

  test('a listener that subscribes hears of what comes after that, not of what was there', async () => {
    const replica = await withLists()
    const heard: string[] = []
    let once = true
    replica.subscribe({ table: 'lists', key: 'a' }, () => {
      if (!once) return
      once = false
      // Waits to be told, but is part of what those read who come now.
      replica.apply(titled('b', 'inner'))
      replica.subscribe({ table: 'lists', key: 'b' }, (changes) => heard.push(`part ${changes[0]?.after}`))
      replica.subscribe((changes) => heard.push(`all ${changes[0]?.after}`))
      replica.subscribe(
        (tables) => tables.lists.get('b')?.title,
        (value, before) => heard.push(`value ${before} ${value}`),
      )
    })
    replica.apply(titled('a', 'new'))
    expect(heard).toEqual([])
    replica.apply(titled('b', 'later'))
    expect(heard).toEqual(['part later', 'all later', 'value inner later'])
  })

  test('a listener that applies is told of it after everybody was told of the first', async () => {
    const replica = await withLists()
    const heard: string[] = []
    let runs = 0
    replica.subscribe({ table: 'lists', key: 'a' }, (changes) => {
      heard.push(`a ${changes[0]?.after}`)
      if (changes[0]?.after === 'one') replica.apply([titled('a', 'two'), itemRemoved('b', 'x')])
    })
    replica.subscribe({ table: 'items' }, () => heard.push('items'))
    replica.subscribe(
      (tables) => (runs++, tables.lists.get('a')?.title),
      (value, before) => heard.push(`value ${before} ${value}`),
    )
    replica.apply(titled('a', 'one'))
    // The value was read when both were there: it is told once, and not read again for the second.
    expect(heard).toEqual(['a one', 'value a two', 'a two', 'items'])
    expect(runs).toBe(2)
  })

  test('a listener that throws keeps nobody from being told', async () => {
    const replica = await withLists()
    const heard: string[] = []
    const stop = replica.subscribe({ table: 'lists' }, () => {
      throw new Error('part')
    })
    replica.subscribe(() => heard.push('all'))
    const thrown = await uncaughtIn(() => void replica.apply(titled('a', 'new')))
    expect(thrown.map(String)).toEqual(['Error: part'])
    stop()
    replica.apply(titled('a', 'newer'))
    expect(heard).toEqual(['all', 'all'])
  })
})
