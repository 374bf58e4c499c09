import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { HlcClock, type Hlc, type Write } from '@rejoin/core'
import { ROOT } from '../src/element.ts'
import { EntryArray } from '../src/entry-array.ts'
import { EntryContent } from '../src/entry-content.ts'
import { readStateUpdate } from '../src/update-reader.ts'
import { newDoc, placeParts, readParts } from '../src/yjs-doc.ts'
import { sameBytes } from './worlds.ts'

const CLIENT = 5_000
const PEER = 4_000
/** More than one piece of an item's content holds. */
const KEYS = 1_500

describe('what a document does to its own items', () => {
  test('[1] is byte for byte what Yjs does to them, in every update and in the whole', () => {
    fc.assert(
      fc.property(fc.array(step(), { minLength: 1, maxLength: 40, size: 'max' }), (steps) => {
        const stamp = stamps()
        let ours = following(newDoc(CLIENT), false)
        // Deletes as Yjs does, since others may watch it.
        const theirs = following(newDoc(CLIENT), true)
        const peer = yjsCrdt.open(PEER, [])
        const write = (writes: readonly Write[]): void => {
          const hlc = stamp()
          const update = ours.write(writes, hlc)
          expectSame(update, theirs.write(writes, hlc))
          if (update !== null) peer.apply([update])
        }
        write(Array.from({ length: KEYS }, (_, key) => set(key, -1)))
        for (const { who, writes } of steps) {
          switch (who) {
            case 'self':
              write(writes)
              break
            case 'peer': {
              const update = peer.write(writes, stamp())
              if (update === null) break
              for (const { doc } of [ours, theirs]) placeParts(doc, readParts([update]))
              break
            }
            case 'reopen': {
              const doc = newDoc(CLIENT)
              placeParts(doc, readParts([Y.encodeStateAsUpdate(ours.doc)]))
              ours = following(doc, false)
            }
          }
          expectSame(Y.encodeStateAsUpdate(ours.doc), Y.encodeStateAsUpdate(theirs.doc))
          expect(ours.doc.getArray(ROOT)).toHaveLength(theirs.doc.getArray(ROOT).length)
        }
        expectLinked(ours.doc)
        for (let key = 0; key < KEYS; key++) {
          expect(ours.index.read('weights', keyOf(key))).toEqual(theirs.index.read('weights', keyOf(key)))
        }
      }),
      { numRuns: 10 },
    )
  })

  test('[1] is so too where an item of another client stands between two of them', () => {
    const stamp = stamps()
    const [ours, theirs] = [following(newDoc(CLIENT), false), following(newDoc(CLIENT), true)]
    const write = (...keys: readonly number[]): void => {
      const hlc = stamp()
      const writes = keys.map((key) => set(key, ours.index.read('weights', keyOf(key)).length))
      expectSame(ours.write(writes, hlc), theirs.write(writes, hlc))
    }
    write(0, 1)
    // The lower client id: it goes before what we write next.
    const update = yjsCrdt.open(PEER, [Y.encodeStateAsUpdate(ours.doc)]).write([set(9, 0)], stamp())
    if (update === null) throw new Error('nothing was written')
    for (const { doc } of [ours, theirs]) placeParts(doc, readParts([update]))
    write(2, 3)
    write(1)
    write(2)
    expectSame(Y.encodeStateAsUpdate(ours.doc), Y.encodeStateAsUpdate(theirs.doc))
    expectLinked(ours.doc)
  })

  test('cost: a history ten times as long leaves as many items and as many bytes, also of two who take turns', () => {
    const stamp = stamps()
    const keys = 1_000
    const [ann, bob] = [yjsCrdt.open(CLIENT, []), yjsCrdt.open(PEER, [])]
    const commit = (turn: number, writes: readonly Write[]): void => {
      const [writer, other] = turn % 2 === 0 ? [ann, bob] : [bob, ann]
      const update = writer.write(writes, stamp())
      if (update !== null) other.apply([update])
    }
    commit(
      0,
      Array.from({ length: keys }, (_, key) => set(key, -1)),
    )
    const overwrite = (from: number, to: number): { structs: number; bytes: number } => {
      for (let i = from; i < to; i += 10) {
        // From a start that jumps about: no key twice in one commit, and no order in which runs last.
        const start = Math.imul(i + 1, 0x9e3779b1) >>> 0
        commit(
          i / 10,
          Array.from({ length: 10 }, (_, j) => set((start + j * 7_919) % keys, i + j)),
        )
      }
      const bytes = ann.encode()
      const runs = readStateUpdate(bytes).sections.flatMap((section) => section.runs)
      return { structs: runs.length, bytes: bytes.length }
    }
    const short = overwrite(0, 10_000)
    const long = overwrite(10_000, 100_000)
    // At worst live and deleted ones alternate.
    expect(long.structs).toBeLessThanOrEqual(2 * keys + 2)
    expect(long.structs).toBeLessThan(short.structs * 1.2)
    expect(long.bytes).toBeLessThan(short.bytes * 1.2)
  })
})

describe('the content of an item', () => {
  test('is cut, joined and written as the one of Yjs, whatever its pieces', () => {
    const cut = fc.record({ kind: fc.constant('cut' as const), which: fc.nat(), at: fc.nat() })
    const join = fc.record({ kind: fc.constant('join' as const), which: fc.nat() })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3_000 }),
        fc.array(fc.oneof(cut, join), { maxLength: 60, size: 'max' }),
        (length, steps) => {
          const elements = Array.from({ length }, (_, i) => i)
          const ours = [EntryContent.of(elements)]
          const theirs = [new Y.ContentAny(elements)]
          for (const { which, ...how } of steps) {
            const index = which % ours.length
            const mine = ours[index]
            const yours = theirs[index]
            if (mine === undefined || yours === undefined) continue
            if (how.kind === 'cut' && mine.getLength() > 1) {
              const offset = 1 + (how.at % (mine.getLength() - 1))
              ours.splice(index + 1, 0, mine.splice(offset))
              theirs.splice(index + 1, 0, yours.splice(offset))
            } else if (how.kind === 'join' && index + 1 < ours.length) {
              for (const right of ours.splice(index + 1, 1)) mine.mergeWith(right)
              for (const right of theirs.splice(index + 1, 1)) yours.mergeWith(right)
            }
          }
          for (const [i, content] of ours.entries()) {
            expect(content.getLength()).toBe(theirs[i]?.getLength())
            expect(content.getContent()).toEqual(theirs[i]?.getContent())
            expect(content.copy().getContent()).toEqual(theirs[i]?.getContent())
            const offset = Math.floor(content.getLength() / 3)
            expectSame(written(content, offset), written(theirs[i], offset))
          }
        },
      ),
      { numRuns: 200 },
    )
  })
})

interface HistoryStep {
  readonly who: 'self' | 'peer' | 'reopen'
  readonly writes: readonly Write[]
}

/** A commit of neighbours or of keys far apart, all set or all removed; or the document is closed and opened again. */
function step(): fc.Arbitrary<HistoryStep> {
  return fc
    .record({
      who: fc.constantFrom(...(['self', 'self', 'self', 'peer', 'peer', 'reopen'] as const)),
      start: fc.nat({ max: KEYS - 1 }),
      count: fc.integer({ min: 1, max: 40 }),
      stride: fc.constantFrom(1, 1, 2, 7, 701),
      kind: fc.constantFrom('set' as const, 'set' as const, 'remove' as const),
      value: fc.nat({ max: 9 }),
    })
    .map(({ who, start, count, stride, kind, value }) => ({
      who,
      writes: Array.from({ length: count }, (_, i) => (start + i * stride) % KEYS).map((key) =>
        kind === 'set' ? set(key, value) : { kind, table: 'weights', key: keyOf(key) },
      ),
    }))
}

/** A Yjs document of ours, and what keeps it. */
function following(doc: Y.Doc, watched: boolean): EntryArray {
  return new EntryArray(doc, watched, () => {})
}

function set(key: number, value: number): Write {
  return { kind: 'set', table: 'weights', key: keyOf(key), value }
}

function keyOf(key: number): readonly string[] {
  return [`token-${key}`, `intent-${key % 7}`]
}

function stamps(): () => Hlc {
  const clock = new HlcClock('G'.repeat(22), null)
  let ms = 1
  return () => clock.tick(ms++)
}

function written(content: EntryContent | Y.ContentAny | undefined, offset: number): Uint8Array {
  const encoder = new Y.UpdateEncoderV1()
  content?.write(encoder, offset)
  return encoder.toUint8Array()
}

function expectSame(a: Uint8Array | null, b: Uint8Array | null): void {
  expect(a === b || (a !== null && b !== null && sameBytes(a, b))).toBe(true)
}

/** Items know both of their neighbours. */
function expectLinked(doc: Y.Doc): void {
  let left: Y.Item | null = null
  for (let item = doc.getArray(ROOT)._start; item !== null; item = item.right) {
    expect(item.left === left).toBe(true)
    left = item
  }
}
