import { describe, expect, test, vi } from 'vitest'
import * as Y from 'yjs'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import {
  allEntries,
  HlcClock,
  keyText,
  listConflicts,
  planWrites,
  readTables,
  type CrdtDocument,
  type RegisterChange,
} from '@rejoin/core'
import { lists, sameBytes, Writer, type Commit, type ListsOp } from './worlds.ts'

/** Two writers with one list that both know. */
function pair(...ops: ListsOp[]): { ann: Writer; bob: Writer; meet: () => void } {
  const ann = new Writer(0, 5_000)
  const bob = new Writer(1, 4_000_000_000)
  let annKnown = 0
  let bobKnown = 0
  const meet = (): void => {
    const forBob = ann.commits.slice(annKnown).map(({ update }) => update)
    const forAnn = bob.commits.slice(bobKnown).map(({ update }) => update)
    annKnown = ann.commits.length
    bobKnown = bob.commits.length
    bob.hear(forBob)
    ann.hear(forAnn)
  }
  if (ops.length > 0) ann.commit(ops, 1)
  meet()
  return { ann, bob, meet }
}

const groceries: ListsOp = { type: 'ListAdded', id: 'g', title: 'groceries' }
const title = (text: string): ListsOp => ({ type: 'ListAdded', id: 'g', title: text })
const milk = (text: string): ListsOp => ({ type: 'ItemSet', list: 'g', item: 'm', text })
const tables = (document: CrdtDocument) => readTables(lists, document)
const conflicts = (document: CrdtDocument) => listConflicts(lists, document)

describe('a register', () => {
  test('[1] reads the write with the greatest stamp, and lists the other as a conflict on both sides', () => {
    const { ann, bob, meet } = pair(groceries)
    ann.commit([title('by Ann')], 10)
    bob.commit([title('by Bob')], 20)
    meet()
    for (const { document } of [ann, bob]) {
      expect(tables(document).lists.get('g')).toEqual({ title: 'by Bob' })
      expect(conflicts(document)).toMatchObject([
        {
          kind: 'concurrent',
          table: 'lists',
          key: ['g'],
          field: 'title',
          choices: [{ value: 'by Bob' }, { value: 'by Ann' }],
        },
      ])
    }
    expect(conflicts(ann.document)).toEqual(conflicts(bob.document))
  })

  test('has no conflict any more once anyone writes it', () => {
    const { ann, bob, meet } = pair(groceries)
    ann.commit([title('by Ann')], 10)
    bob.commit([title('by Bob')], 20)
    meet()
    ann.commit([title('by Ann')], 30)
    meet()
    expect(conflicts(bob.document)).toEqual([])
    expect(tables(bob.document).lists.get('g')).toEqual({ title: 'by Ann' })
  })

  test('has no conflict where both wrote the same', () => {
    const { ann, bob, meet } = pair(groceries)
    ann.commit([title('same')], 10)
    bob.commit([title('same')], 20)
    meet()
    expect(conflicts(ann.document)).toEqual([])
    expect([...ann.document.contested()]).toHaveLength(1)
  })

  test('keeps a set that a concurrent remove has not seen', () => {
    const { ann, bob, meet } = pair(groceries, milk('milk'))
    ann.commit([{ type: 'ItemRemoved', list: 'g', item: 'm' }], 20)
    bob.commit([milk('oat milk')], 10)
    meet()
    for (const { document } of [ann, bob]) {
      expect(tables(document).items.get(['g', 'm'])).toEqual({ text: 'oat milk', done: false })
    }
  })

  test('[10] keeps an entry that is newer than the write, as when an old op is recommitted', () => {
    const { ann, bob, meet } = pair(groceries)
    const old = new HlcClock('B'.repeat(22), null).tick(5)
    bob.commit([title('new')], 50)
    meet()
    const writes = planWrites(lists, [title('old')], ann.document, old, 'optional')
    const update = ann.document.write(writes, old)
    expect(tables(ann.document).lists.get('g')).toEqual({ title: 'new' })
    expect(ann.document.read('lists', ['g', 'title']).map(({ value }) => value)).toEqual(['new', 'old'])
    expect(update).not.toBeNull()
    const removes = ann.document.write([{ kind: 'remove', table: 'lists', key: ['g', 'title'] }], old)
    expect(ann.document.read('lists', ['g', 'title']).map(({ value }) => value)).toEqual(['new'])
    expect(removes).not.toBeNull()
    expect(ann.document.write([{ kind: 'remove', table: 'lists', key: ['g', 'title'] }], old)).toBeNull()
  })

  test('merges concurrent values where its table says so, with nothing to list', () => {
    const { ann, bob, meet } = pair()
    ann.commit(
      [
        { type: 'Weighed', token: 'x', intent: 'i', weight: 0.5 },
        { type: 'Tagged', id: 't', tags: ['a'] },
      ],
      20,
    )
    bob.commit(
      [
        { type: 'Weighed', token: 'x', intent: 'i', weight: 0.75 },
        { type: 'Tagged', id: 't', tags: ['b'] },
      ],
      10,
    )
    meet()
    for (const { document } of [ann, bob]) {
      expect(tables(document).weights.get(['x', 'i'])).toBe(0.75)
      expect(tables(document).tags.get('t')).toEqual(['a', 'b'])
      expect(conflicts(document)).toEqual([])
    }
    bob.commit([{ type: 'Weighed', token: 'x', intent: 'i', weight: 0.25 }], 30)
    meet()
    expect(tables(ann.document).weights.get(['x', 'i'])).toBe(0.25)
  })

  test('of a child whose parent went is an orphan: hidden, listed, back with its parent', () => {
    const { ann, bob, meet } = pair(groceries)
    ann.commit([{ type: 'ListRemoved', id: 'g' }], 20)
    bob.commit([milk('milk')], 10)
    meet()
    for (const { document } of [ann, bob]) {
      expect(tables(document).items.get(['g', 'm'])).toBeUndefined()
      expect(conflicts(document)).toMatchObject([
        { kind: 'orphan', table: 'items', key: ['g', 'm'], parent: { table: 'lists', key: ['g'] } },
      ])
    }
    ann.commit([groceries], 30)
    meet()
    expect(tables(bob.document).items.get(['g', 'm'])).toEqual({ text: 'milk', done: false })
    expect(conflicts(bob.document)).toEqual([])
  })

  test.each(['__proto__', 'constructor', 'toString', ''])('may have the key %j', (key) => {
    const { ann, bob, meet } = pair()
    ann.document.write(
      [{ kind: 'set', table: '__proto__', key: [key, key], value: { constructor: 1 } }],
      stamp(9),
    )
    bob.hear([ann.document.encode()])
    meet()
    expect(bob.document.read('__proto__', [key, key])).toEqual([
      { table: '__proto__', key: [key, key], value: { constructor: 1 }, hlc: stamp(9) },
    ])
    expect([...bob.document.tableNames()]).toEqual(['__proto__'])
  })
})

describe('a write', () => {
  test('[2] applied twice changes nothing, not even a byte', () => {
    const { ann } = pair()
    const ops: ListsOp[] = [
      groceries,
      milk('milk'),
      { type: 'OwnerSet', owner: 'Ann' },
      { type: 'Tagged', id: 't', tags: ['a'] },
    ]
    expect(ann.commit(ops, 10)).not.toBeNull()
    const before = ann.document.encode()
    expect(ann.commit(ops, 20)).toBeNull()
    expect(sameBytes(before, ann.document.encode())).toBe(true)
  })

  test('that removes what is not there gives no update', () => {
    const { ann } = pair()
    expect(ann.document.write([], stamp(1))).toBeNull()
    expect(ann.document.write([{ kind: 'remove', table: 'lists', key: ['x'] }], stamp(1))).toBeNull()
    expect(ann.document.encode()).toEqual(yjsCrdt.open(9_000, []).encode())
  })

  test('gives one run right after the last item of its client, also when writers take turns', () => {
    const { ann, bob, meet } = pair(groceries)
    for (let turn = 0; turn < 20; turn++) {
      const writer = turn % 2 === 0 ? ann : bob
      const commit = writer.commit([milk(`milk ${turn}`), title(`title ${turn}`)], 100 + turn)
      expectOnItsChain(commit, writer.document.clientId, turn < 2)
      meet()
    }
    // What was overwritten is one run of deleted items per client, however often they took turns.
    expect(structsOf(ann.document)).toBeLessThanOrEqual(6)
  })
})

describe('reading in order', () => {
  const keys = [
    ['b'],
    ['a'],
    ['a', 'x'],
    ['a', 'é'],
    ['a', 'x', 'y'],
    ['ab', 'x'],
    ['é'],
    ['😀'],
    ['\uFFFF'],
    ['a', ''],
  ]

  test.each(['before', 'after'])(
    'gives keys in order, and by prefix, when first asked %s the writes',
    (when) => {
      const document = yjsCrdt.open(5_000, [])
      const scan = (prefix: readonly string[]) =>
        Array.from(document.scan('t', prefix), ([entry]) => entry?.key)
      document.write([{ kind: 'set', table: 't', key: ['zzz'], value: 0 }], stamp(1))
      expect(when === 'before' ? scan([]) : [['zzz']]).toEqual([['zzz']])
      document.write(
        keys.map((key) => ({ kind: 'set', table: 't', key, value: 1 })),
        stamp(2),
      )
      document.write([{ kind: 'remove', table: 't', key: ['zzz'] }], stamp(3))
      const sorted = [...keys].sort((a, b) => (keyText(a) < keyText(b) ? -1 : 1))
      expect(scan([])).toEqual(sorted)
      for (const prefix of [['a'], ['a', 'x'], ['ab'], ['none']]) {
        const under = sorted.filter(
          (key) => key.length > prefix.length && prefix.every((part, i) => part === key[i]),
        )
        expect(scan(prefix)).toEqual(under)
      }
    },
  )

  test('goes on in order while the table is written to', () => {
    const document = yjsCrdt.open(5_000, [])
    const at = (i: number): string[] => [String(i).padStart(4, '0')]
    const set = (i: number) => ({ kind: 'set', table: 't', key: at(i), value: i }) as const
    document.write(
      Array.from({ length: 500 }, (_, i) => set(i * 2)),
      stamp(1),
    )
    const seen: string[] = []
    for (const [entry] of document.scan('t', [])) {
      seen.push(entry?.key[0] ?? '')
      const here = Number(entry?.value)
      if (here % 100 === 0)
        document.write(
          [set(here + 301), { kind: 'remove', table: 't', key: at(here + 302) }],
          stamp(10 + here),
        )
    }
    expect(seen).toEqual([...seen].sort())
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen).toContain('0301')
    expect(seen).not.toContain('0302')
  })
})

describe('listeners', () => {
  test('hear a write as local and a commit of others as remote, with the registers before and after', () => {
    const { ann, bob, meet } = pair(groceries)
    const heard: [string, readonly RegisterChange[]][] = []
    bob.document.listen((changes, origin) => heard.push([origin, changes]))
    ann.commit([title('one')], 10)
    ann.commit([title('two')], 11)
    meet()
    expect(heard).toMatchObject([
      [
        'remote',
        [
          {
            table: 'lists',
            key: ['g', 'title'],
            before: [{ value: 'groceries' }],
            after: [{ value: 'two' }],
          },
        ],
      ],
    ])
    bob.commit([{ type: 'ListRemoved', id: 'g' }], 20)
    expect(heard[1]).toMatchObject([
      'local',
      [
        { key: ['g'], after: [] },
        { key: ['g', 'title'], after: [] },
      ],
    ])
  })

  test('hear nothing of what came and went within one call, however long', () => {
    const { ann, bob } = pair()
    for (let i = 0; i < 1_200; i++)
      ann.commit([{ type: 'Tagged', id: i === 0 ? 'brief' : 't', tags: [`${i}`] }], 10 + i)
    const gone = ann.document.write([{ kind: 'remove', table: 'tags', key: ['brief'] }], stamp(9_001))
    const kept = ann.document.write([{ kind: 'set', table: 'tags', key: ['kept'], value: [] }], stamp(9_002))
    const heard: RegisterChange[] = []
    bob.document.listen((changes) => heard.push(...changes))
    bob.hear([...ann.commits.map(({ update }) => update), gone ?? new Uint8Array(), kept ?? new Uint8Array()])
    expect(new Set(heard.map(({ key }) => key[0]))).toEqual(new Set(['t', 'kept']))
  })

  test('may write: all hear of the first change before any hears of the second', () => {
    const { ann } = pair()
    const order: string[] = []
    ann.document.listen((changes) => {
      order.push(`first ${changes[0]?.key[0]}`)
      if (changes[0]?.key[0] === 'g') ann.commit([{ type: 'Tagged', id: 't', tags: [] }], 20)
    })
    const stop = ann.document.listen((changes) => order.push(`second ${changes[0]?.key[0]}`))
    ann.commit([groceries], 10)
    expect(order).toEqual(['first g', 'second g', 'first t', 'second t'])
    stop()
    ann.commit([{ type: 'Tagged', id: 'u', tags: [] }], 30)
    expect(order.at(-1)).toBe('first u')
  })

  test('that throw starve neither the writer nor each other', async () => {
    const { ann } = pair()
    const faults: unknown[] = []
    const kept = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.once('uncaughtException', (error) => faults.push(error))
    let heard = 0
    ann.document.listen(() => {
      throw new Error('from a listener')
    })
    ann.document.listen(() => heard++)
    expect(ann.commit([groceries], 10)).not.toBeNull()
    await new Promise((resolve) => setImmediate(resolve))
    for (const listener of kept) process.on('uncaughtException', listener)
    expect(heard).toBe(1)
    expect(faults).toMatchObject([{ message: 'from a listener' }])
  })
})

test('the newest stamp is the newest seen, also of an entry that is gone by then', () => {
  const { ann } = pair(groceries)
  const commit = ann.commit([title('later')], 40)
  ann.commit([{ type: 'ListRemoved', id: 'g' }], 50)
  expect(ann.document.newestHlc).toBe(commit?.hlc)
  const late = yjsCrdt.open(
    6_000,
    ann.commits.map(({ update }) => update),
  )
  expect(late.newestHlc).toBe(commit?.hlc)
  expect(yjsCrdt.open(6_000, []).newestHlc).toBeNull()
})

test('[1] a document goes on writing under its own client id after it was loaded from bytes that hold it', () => {
  const { ann } = pair(groceries)
  const printed = vi.spyOn(console, 'log')
  const again = new Writer(0, ann.document.clientId, [ann.document.encode()])
  // Yjs would take its own items for another client's, say so and take a new id.
  expect(printed).not.toHaveBeenCalled()
  printed.mockRestore()
  const commit = again.commit([title('again')], 100)
  expectOnItsChain(commit, ann.document.clientId, false)
  expect([...allEntries(again.document)]).toHaveLength(2)
})

function expectOnItsChain(commit: Commit | null, client: number, mayBeFirst: boolean): void {
  if (commit === null) throw new Error('the commit changed nothing')
  const { inserted, origin } = yjsCrdt.updates.inspect(commit.update)
  expect(inserted?.client).toBe(client)
  if (mayBeFirst && inserted?.clock === 0) return
  expect(origin).toEqual({ client, clock: (inserted?.clock ?? 0) - 1 })
}

/** Structs that the document's bytes hold: what a merged chain keeps few. */
function structsOf(document: CrdtDocument): number {
  return Y.decodeUpdate(document.encode()).structs.length
}

function stamp(ms: number) {
  return new HlcClock('S'.repeat(22), null).tick(ms)
}
