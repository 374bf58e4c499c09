import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { digestOf, yjsCrdt } from '@rejoin/crdt-adapter'
import { HlcClock, REBUILD_CLIENT_ID, type ClientClocks, type CrdtDocument } from '@rejoin/core'
import { sameBytes } from './worlds.ts'

const { updates } = yjsCrdt
type Parts = readonly Uint8Array[]
const compact = (parts: Parts): Uint8Array => updates.compact(parts)
const rebuild = (parts: Parts): Uint8Array => updates.rebuild(parts).snapshot
const digest = (parts: Parts): string => updates.digest(parts)
const clocks = (snapshot: Uint8Array): ClientClocks => updates.clocks(snapshot)
const stamps = new HlcClock('U'.repeat(22), null)

function set(document: CrdtDocument, key: string, value: string): Uint8Array {
  const update = document.write([{ kind: 'set', table: 't', key: [key], value }], stamps.tick(1))
  if (update === null) throw new Error('nothing was written')
  return update
}

describe('of no parts', () => {
  test('all results are those of an empty document', () => {
    const empty = yjsCrdt.open(5_000, [])
    expect(compact([])).toEqual(empty.encode())
    expect(rebuild([])).toEqual(empty.encode())
    expect(digest([])).toBe(digestOf(empty))
    expect(clocks(compact([])).size).toBe(0)
    empty.apply([compact([])])
    empty.apply([])
  })
})

test('compacting drops what was overwritten from the bytes', () => {
  const document = yjsCrdt.open(5_000, [])
  const parts = [set(document, 'a', 'a secret'), set(document, 'a', 'public')]
  const snapshot = compact(parts)
  expect(Buffer.from(snapshot).includes('secret')).toBe(false)
  expect(Buffer.from(snapshot).includes('public')).toBe(true)
  expect(sameBytes(snapshot, document.encode())).toBe(true)
})

test('compacting 2,000 commits gives the same bytes as folding them one by one', () => {
  const document = yjsCrdt.open(5_000, [])
  const parts = Array.from({ length: 2_000 }, (_, i) => set(document, `k${i % 700}`, `v${i}`))
  const snapshot = compact(parts)
  expect(sameBytes(snapshot, document.encode())).toBe(true)
  expect(sameBytes(snapshot, compact([compact(parts.slice(0, 1_234)), ...parts.slice(1_234)]))).toBe(true)
  expect(digest(parts)).toBe(digestOf(document))
})

test('a rebuilt document is one run under the reserved client id, whoever wrote and in whatever order', () => {
  const ann = yjsCrdt.open(5_000, [])
  const bob = yjsCrdt.open(6_000, [])
  const concurrent = [
    set(ann, 'same', 'by Ann'),
    set(bob, 'same', 'by Bob'),
    set(ann, 'z', '1'),
    set(bob, 'a', '2'),
  ]
  const rebuilt = rebuild(concurrent)
  expect(sameBytes(rebuilt, rebuild([...concurrent].reverse().sort(firstClocksFirst)))).toBe(true)
  expect(clocks(rebuilt)).toEqual(new Map([[REBUILD_CLIENT_ID, 4]]))
  expect(Y.decodeUpdate(rebuilt).structs).toHaveLength(1)
  expect(digest([rebuilt])).toBe(digest(concurrent))
  const carl = yjsCrdt.open(7_000, [rebuilt])
  expect([...carl.contested()]).toHaveLength(1)
  carl.apply([set(yjsCrdt.open(8_000, [rebuilt]), 'same', 'settled')])
  expect([...carl.contested()]).toHaveLength(0)
})

test('two histories that end with the same entries are rebuilt to the same bytes', () => {
  const [first, second] = [stamps.tick(7), stamps.tick(8)]
  const write = (key: string) => ({ kind: 'set', table: 't', key: [key], value: key }) as const
  const ann = yjsCrdt.open(5_000, [])
  ann.write([write('a')], first)
  ann.write([write('b')], second)
  const bob = yjsCrdt.open(6_000, [])
  bob.write([write('b')], second)
  bob.write([write('a')], first)
  expect(sameBytes(rebuild([ann.encode()]), rebuild([bob.encode()]))).toBe(true)
})

test('digests differ where any part of an entry does', () => {
  const stamp = stamps.tick(5)
  const of = (table: string, key: string[], value: string): string => {
    const document = yjsCrdt.open(5_000, [])
    document.write([{ kind: 'set', table, key, value }], stamp)
    return digestOf(document)
  }
  const digests = [
    of('t', ['a'], 'x'),
    of('u', ['a'], 'x'),
    of('t', ['b'], 'x'),
    of('t', ['a'], 'y'),
    of('t', ['a', ''], 'x'),
  ]
  expect(new Set(digests).size).toBe(digests.length)
  expect(digests[0]).toMatch(/^[0-9a-f]{64}$/)
})

test('parts that are not complete or not in the grammar are refused', () => {
  const document = yjsCrdt.open(5_000, [])
  const parts = [set(document, 'a', '1'), set(document, 'a', '2')]
  for (const work of [compact, digest, rebuild]) {
    expect(() => work(parts.slice(1))).toThrow(/UPDATE_UNKNOWN_ITEM|lacks/)
    expect(() => work([Uint8Array.of(1, 2, 3)])).toThrow(/update@/)
  }
})

function firstClocksFirst(a: Uint8Array, b: Uint8Array): number {
  const clock = (update: Uint8Array): number => updates.inspect(update).inserted?.clock ?? 0
  return clock(a) - clock(b)
}

describe('merging without a document', () => {
  test('says in one update what all of them say', () => {
    const document = yjsCrdt.open(5_000, [])
    const parts = [set(document, 'a', '1'), set(document, 'b', '2'), set(document, 'a', '3')]
    const merged = updates.merge(parts)
    const other = yjsCrdt.open(6_000, [merged])
    expect(digestOf(other)).toBe(digestOf(document))
    expect(sameBytes(other.encode(), document.encode())).toBe(true)
  })

  test('refuses parts between which one is missing, and more than may be merged at once', () => {
    const document = yjsCrdt.open(5_000, [])
    const [first, , third] = [set(document, 'a', '1'), set(document, 'b', '2'), set(document, 'c', '3')]
    expect(() => updates.merge([first ?? new Uint8Array(), third ?? new Uint8Array()])).toThrow(
      expect.objectContaining({ code: 'UPDATE_DISALLOWED' }),
    )
    const many = Array.from({ length: 501 }, () => first ?? new Uint8Array())
    expect(() => updates.merge(many)).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }))
  })
})

describe('what a document lacks', () => {
  test('is its newer items and every deletion, and nothing else', () => {
    const document = yjsCrdt.open(5_000, [])
    const parts = Array.from({ length: 200 }, (_, i) => set(document, `k${i}`, `value ${i}`))
    const behind = yjsCrdt.open(6_000, [updates.compact(parts)])
    const known = behind.stateVector()
    parts.push(set(document, 'k7', 'changed'), set(document, 'new', 'one'))
    const lacking = updates.diff(parts, known)
    expect(lacking.length).toBeLessThan(150)
    behind.apply([lacking])
    expect(digestOf(behind)).toBe(digestOf(document))
  })

  test.each([
    ['nothing', []],
    ['more clients than there are bytes', [200, 1]],
    ['a padded number', [1, 0x80, 0x00, 0]],
    ['one client twice', [2, 5, 1, 5, 2]],
    ['bytes left over', [0, 0]],
  ])('is not told to a state vector that is %s', (_, bytes) => {
    expect(() => updates.diff([], Uint8Array.from(bytes))).toThrow(
      expect.objectContaining({ code: 'UPDATE_MALFORMED' }),
    )
  })
})
