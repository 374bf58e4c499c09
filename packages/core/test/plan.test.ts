// How a replica catches up, at every boundary of the log, and what shows that the log has lost what it once had.
import { describe, expect, test } from 'vitest'
import {
  limits,
  planCatchUp,
  type CatchUpPlan,
  type Cursor,
  type LogView,
  type Offers,
} from '../src/index.ts'

const tag = 'aaaaaaaaaaaaaaaa'
const otherTag = 'cccccccccccccccc'
const head = { epoch: 7, seq: 10, tag: 'bbbbbbbbbbbbbbbb' }
const rebuild = {
  from: { epoch: 6, seq: 2, tag },
  to: { epoch: 7, seq: 3, tag: head.tag },
  digest: 'd'.repeat(64),
}
const log: LogView = {
  epoch: 7,
  head,
  began: 3,
  floor: 4,
  checkpointSeq: 6,
  tagAtCursor: tag,
  rebuild,
  mark: 5,
  lost: [],
  isBare: false,
}
const everything: Offers = { delta: true, rebuild: true, heal: true, writes: true }

function plan(
  cursor: Cursor | null,
  view: LogView | null,
  { offers = everything, acked = 0, more = false }: { offers?: Offers; acked?: number; more?: boolean } = {},
): CatchUpPlan {
  return planCatchUp({ cursor, ackedCounter: acked, holdsMore: more }, view, offers)
}

describe('planCatchUp', () => {
  test.each([
    ['live at the head', { ...head }, { ...log, tagAtCursor: head.tag }, 'live'],
    ['tail at the floor', { epoch: 7, seq: 4, tag }, log, 'tail'],
    ['snapshot one below the floor', { epoch: 7, seq: 3, tag }, { ...log, tagAtCursor: null }, 'snapshot'],
    ['tail one above the floor', { epoch: 7, seq: 5, tag }, log, 'tail'],
    ['reset in another epoch', { epoch: 6, seq: 1, tag }, log, 'reset'],
    ['rebuild right before one', { epoch: 6, seq: 2, tag }, log, 'rebuild'],
    ['reset there with another history', { epoch: 6, seq: 2, tag: head.tag }, log, 'reset'],
    ['reset there once its record is gone', { epoch: 6, seq: 2, tag }, { ...log, rebuild: null }, 'reset'],
    ['heal ahead of the head', { epoch: 7, seq: 11, tag }, log, 'heal'],
    ['heal where the tag differs', { epoch: 7, seq: 8, tag: otherTag }, log, 'heal'],
    ['heal where the hub lost the namespace', { epoch: 7, seq: 8, tag }, null, 'heal'],
    ['diverged in another epoch, at its beginning', { epoch: 6, seq: 3, tag }, log, 'diverged'],
    ['snapshot for a new replica', null, log, 'snapshot'],
    [
      'tail for a new replica while the log is whole',
      null,
      { ...log, checkpointSeq: null, floor: 0 },
      'tail',
    ],
    ['unknown where there is nothing', null, null, 'unknown'],
  ] as const)('[6] plans %s', (_, cursor, view, path) => {
    expect(plan(cursor, view).path).toBe(path)
  })

  test('resets a replica that does not rebuild by itself', () => {
    const offers = { ...everything, rebuild: false }
    expect(plan({ epoch: 6, seq: 2, tag }, log, { offers }).path).toBe('reset')
  })

  test('always gives the document whole to a replica that takes no tail, and tells it of a gap all the same', () => {
    const offers = { ...everything, delta: false }
    for (const cursor of [null, { epoch: 7, seq: 4, tag }, { epoch: 7, seq: 5, tag }])
      expect(plan(cursor, log, { offers })).toMatchObject({ path: 'snapshot', gap: null })
    expect(plan({ ...head }, { ...log, tagAtCursor: head.tag }, { offers }).path).toBe('snapshot')
    const gap = { cursor: 3, floor: 4, head: 10 }
    expect(plan({ epoch: 7, seq: 3, tag }, log, { offers })).toMatchObject({ path: 'snapshot', gap })
    expect(plan({ epoch: 6, seq: 2, tag }, log, { offers }).path).toBe('reset')
    expect(plan(null, null, { offers }).path).toBe('unknown')
  })
})

describe('planCatchUp where history was lost', () => {
  const after = 1_000
  const before = after + limits.lostSeqsMax
  const marker = { epoch: 7, seq: before, tag: head.tag }
  const restored: LogView = { ...log, head: marker, lost: [{ after, before }], tagAtCursor: null }
  const at = (seq: number, epoch = 7): Cursor => ({ epoch, seq, tag })

  test.each([
    ['a tail right before it', at(after), { ...restored, tagAtCursor: tag }, 'tail'],
    ['heal at its first seq', at(after + 1), restored, 'heal'],
    ['heal at its last seq', at(before - 1), restored, 'heal'],
    ['live right behind it', marker, { ...restored, tagAtCursor: marker.tag }, 'live'],
    ['heal there with another history', at(before), { ...restored, tagAtCursor: marker.tag }, 'heal'],
    ['heal also below the floor', at(after + 1), { ...restored, floor: before - 1 }, 'heal'],
    ['diverged for an older epoch in it', at(after + 1, 6), restored, 'diverged'],
    ['diverged for a later epoch in it', at(after + 1, 8), restored, 'diverged'],
    ['heal for a later epoch where the log is bare', at(after + 1, 8), { ...restored, isBare: true }, 'heal'],
    [
      'diverged for an older epoch also where the log is bare',
      at(after + 1, 6),
      { ...restored, isBare: true },
      'diverged',
    ],
    [
      'diverged for a later epoch before it',
      at(after, 8),
      { ...restored, isBare: true, began: after },
      'diverged',
    ],
    [
      'diverged for an older epoch in it, long after a rebuild',
      at(after + 1, 6),
      { ...restored, began: before + 5, head: { ...marker, seq: before + 9 } },
      'diverged',
    ],
  ] as const)('[25] plans %s', (_, cursor, view, path) => {
    expect(plan(cursor, view).path).toBe(path)
  })

  test('[25] wants what is missing in its own epoch, and all of a document of a later one or of a namespace that is gone', () => {
    expect(plan(at(after + 1), restored)).toMatchObject({ wanted: 'missing', isKnown: true, head: before })
    expect(plan(at(after + 1, 8), { ...restored, isBare: true })).toMatchObject({ wanted: 'all' })
    expect(plan(at(8), null)).toMatchObject({ wanted: 'all', isKnown: false, head: 0 })
  })

  test('[25] knows a loss by any jump beyond the cursor, and by no other', () => {
    expect(plan(at(11), log)).toMatchObject({ path: 'heal', isKnown: false })
    expect(plan({ ...at(8), tag: otherTag }, log)).toMatchObject({ path: 'heal', isKnown: false })
    expect(plan({ ...at(8), tag: otherTag }, { ...restored, tagAtCursor: tag })).toMatchObject({
      path: 'heal',
      isKnown: true,
    })
    expect(plan(at(before + 1), restored)).toMatchObject({ path: 'heal', isKnown: false })
  })

  test.each([
    ['without a cursor', null, log, 'snapshot'],
    ['without a cursor, where the namespace is gone', null, null, 'unknown'],
    ['at a cursor that is this log', at(8), log, 'tail'],
    ['at the floor', at(4), log, 'tail'],
    ['below the floor, where nobody can tell', at(3), { ...log, tagAtCursor: null }, 'heal'],
    ['in an older epoch', at(2, 6), log, 'diverged'],
  ] as const)('[25] acknowledgements that were lost lead %s to %s', (_, cursor, view, path) => {
    expect(plan(cursor, view, { acked: 6 }).path).toBe(path)
    // One less is at the mark; where there is no log, none is.
    expect(plan(cursor, view, { acked: view === null ? 0 : 5 }).path).not.toMatch(/heal|diverged/)
  })

  test('[25] a replica that holds more than a snapshot is believed in its own epoch, and asked for it', () => {
    const below = { ...log, tagAtCursor: null }
    expect(plan(at(3), below, { more: true })).toMatchObject({
      path: 'heal',
      wanted: 'missing',
      isKnown: false,
    })
    expect(plan(at(3), below).path).toBe('snapshot')
    expect(plan(at(2, 6), log, { more: true }).path).toBe('rebuild')
    expect(plan(null, log, { more: true }).path).toBe('snapshot')
  })

  test('[25] a document of a later epoch is believed where the log lost history once, and not where twice', () => {
    const bare = { ...restored, isBare: true }
    expect(plan(at(after + 1, 8), bare).path).toBe('heal')
    const twice = { ...bare, lost: [{ after: 5, before: 9 }, ...bare.lost] }
    expect(plan(at(after + 1, 8), twice).path).toBe('diverged')
  })

  test('[25] who cannot or may not give anything back is refused', () => {
    const offers = { ...everything, heal: false }
    for (const [cursor, view] of [
      [at(11), log],
      [at(after + 1), restored],
      [at(8), null],
    ] as const) {
      expect(plan(cursor, view, { offers }).path).toBe('diverged')
    }
    expect(plan(null, log, { offers, acked: 6 }).path).toBe('diverged')
    expect(plan(at(8), log, { offers, acked: 6 }).path).toBe('diverged')
  })

  test('[25] who may not write gets what others may have given back, where the loss is known, and sees for itself', () => {
    const offers = { ...everything, writes: false }
    const snapshot = { path: 'snapshot', gap: null, atLeast: before }
    expect(plan(at(after + 1), restored, { offers })).toMatchObject(snapshot)
    expect(plan(at(after + 1), restored, { offers, more: true }).path).toBe('diverged')
    expect(plan(at(after + 1, 6), restored, { offers }).path).toBe('diverged')
    expect(plan(at(11), log, { offers }).path).toBe('diverged')
    expect(plan(at(8), null, { offers }).path).toBe('diverged')
    expect(plan(null, log, { offers, acked: 6 }).path).toBe('snapshot')
  })

  test('[14] a cursor that is too far ahead is not believed, nor are too many losses', () => {
    expect(plan(at(head.seq + limits.lostAheadMax), log).path).toBe('heal')
    expect(plan(at(head.seq + limits.lostAheadMax + 1), log).path).toBe('diverged')
    const lost = Array.from({ length: limits.lostRangesMax }, (_, i) => ({
      after: i * 10,
      before: i * 10 + 5,
    }))
    const often = { ...log, head: { ...head, seq: 100_000 }, lost, tagAtCursor: null }
    expect(plan(at(2), { ...often, floor: 0 }).path).toBe('heal')
    expect(plan(at(100_001), often).path).toBe('diverged')
    expect(plan(at(100_001), { ...often, lost: lost.slice(1) }).path).toBe('heal')
  })
})
