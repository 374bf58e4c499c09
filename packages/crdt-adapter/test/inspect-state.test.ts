/** What one document lacks of another, read strictly: all that honest replicas make is read, and says exactly its bytes. */
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { CLIENT_ID_MIN, HlcClock, SyncError, type ClientClocks, type Write } from '@rejoin/core'
import fc from 'fast-check'
import * as Y from 'yjs'
import { expect, test } from 'vitest'
import { sameBytes, stepsFor, view, World } from './worlds.ts'

const { updates } = yjsCrdt
const hlc = new HlcClock('A'.repeat(22), null).tick(1_700_000_000_000)

function set(key: string): Write {
  return { kind: 'set', table: 't', key: [key], value: 1 }
}

/** The clocks of a document that holds these updates. */
function clocksOf(parts: readonly Uint8Array[]): ClientClocks {
  return updates.clocks(updates.compact(parts))
}

test('[25] what an older document lacks of a newer one is read, starts where the older one ends, and makes the newer one', () => {
  let sections = 0
  fc.assert(
    fc.property(stepsFor(3, { minLength: 20, maxLength: 80 }), fc.nat(), (steps, at) => {
      const world = new World(3)
      world.run(steps)
      const log = world.log.map(({ update }) => update)
      const older = log.slice(0, at % (log.length + 1))
      const clocks = older.length === 0 ? new Map<number, number>() : clocksOf(older)
      const lacking = updates.diff(log, updates.stateVector(clocks))
      const state = updates.inspectState(lacking)
      for (const { inserted } of state.sections) expect(inserted.clock).toBe(clocks.get(inserted.client) ?? 0)
      sections += state.sections.length
      const ends = new Map(clocks)
      for (const { inserted } of state.sections) ends.set(inserted.client, inserted.clock + inserted.length)
      // Maps are compared as sets of pairs.
      expect(ends).toEqual(log.length === 0 ? ends : clocksOf(log))
      const merged = yjsCrdt.open(CLIENT_ID_MIN + 5, [...older, lacking])
      const whole = yjsCrdt.open(CLIENT_ID_MIN + 5, log)
      expect(view(merged)).toEqual(view(whole))
    }),
    { numRuns: 200 },
  )
  expect(sections).toBeGreaterThan(200)
})

test('[25] a state vector is written as Yjs writes it', () => {
  const world = new World(3)
  fc.assert(
    fc.property(stepsFor(3, { maxLength: 60 }), (steps) => {
      world.run(steps)
      const log = world.log.map(({ update }) => update)
      const vector = updates.stateVector(log.length === 0 ? new Map() : clocksOf(log))
      const document = yjsCrdt.open(CLIENT_ID_MIN + 5, log)
      expect(Y.decodeStateVector(vector)).toEqual(Y.decodeStateVector(document.stateVector()))
    }),
    { numRuns: 50 },
  )
  expect(sameBytes(updates.stateVector(new Map()), Uint8Array.of(0))).toBe(true)
})

test('[11] a rebuilt document is read as a state, under its reserved client id', () => {
  const document = yjsCrdt.open(CLIENT_ID_MIN, [])
  document.write([set('a'), set('b')], hlc)
  const { snapshot } = updates.rebuild([document.encode()])
  const state = updates.inspectState(snapshot)
  expect(state.sections).toEqual([{ inserted: { client: 1, clock: 0, length: 2 }, origin: null }])
  expect(state.entries.map(({ key }) => key)).toEqual([['a'], ['b']])
})

test('[11] items that wait for each other are refused, before anything would wait for ever', () => {
  const one = yjsCrdt.open(5_000, [])
  const a = one.write([set('a')], hlc)
  const two = yjsCrdt.open(6_000, a === null ? [] : [a])
  const b = two.write([set('b')], hlc)
  if (a === null || b === null) throw new Error('nothing was written')
  const both = updates.merge([a, b])
  expect(updates.inspectState(both).sections).toHaveLength(2)
  // The first of the one follows the first of the other, and the other way round.
  const at = both.indexOf(0x08, 5)
  const root = [1, 7, ...new TextEncoder().encode('entries')]
  expect([...both.subarray(at + 1, at + 1 + root.length)]).toEqual(root)
  const circle = Uint8Array.from([
    ...both.subarray(0, at),
    0x88,
    0xf0,
    0x2e,
    0,
    ...both.subarray(at + 1 + root.length),
  ])
  expect(codeOf(() => updates.inspectState(circle))).toBe('UPDATE_UNKNOWN_ITEM')
})

test('[11] damaged bytes are refused with a code, or are well-formed and do no harm', () => {
  let accepted = 0
  fc.assert(
    fc.property(
      stepsFor(2, { minLength: 5, maxLength: 30 }),
      fc.array(fc.nat(), { minLength: 40, maxLength: 40 }),
      (steps, chance) => {
        const world = new World(2)
        world.run(steps)
        const log = world.log.map(({ update }) => update)
        if (log.length < 2) return
        const older = log.slice(0, 1)
        const lacking = updates.diff(log, updates.stateVector(clocksOf(older)))
        for (let i = 0; i + 1 < chance.length; i += 2) {
          const damaged = lacking.slice()
          const place = (chance[i] ?? 0) % damaged.length
          damaged[place] = ((damaged[place] ?? 0) ^ (1 << ((chance[i + 1] ?? 0) % 8))) & 0xff
          const code = codeOf(() => updates.inspectState(damaged))
          expect(code ?? 'UPDATE_').toMatch(/^UPDATE_/)
          if (code === null) accepted++
          // Whatever it says: it is placed whole, or nothing of it is.
          const document = yjsCrdt.open(CLIENT_ID_MIN + 5, older)
          codeOf(() => document.apply([damaged]))
          expect(document.pendingCount).toBe(0)
          document.destroy()
        }
      },
    ),
    { numRuns: 150 },
  )
  expect(accepted).toBeGreaterThan(50)
})

function codeOf(act: () => unknown): string | null {
  try {
    act()
    return null
  } catch (error) {
    if (error instanceof SyncError) return error.code
    throw error
  }
}
