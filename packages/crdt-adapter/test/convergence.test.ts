import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { digestOf, yjsCrdt } from '@rejoin/crdt-adapter'
import { allEntries, CLIENT_ID_MIN, compareEntries, entryLine, type CrdtDocument } from '@rejoin/core'
import { sameBytes, stepsFor, view, World } from './worlds.ts'

const { updates } = yjsCrdt

describe.each([2, 3])('%i documents', (count) => {
  test('[1] read the same after any writes in any order of delivery, with duplicates and refusals', () => {
    fc.assert(
      fc.property(stepsFor(count, { maxLength: 60 }), (steps) => {
        const world = new World(count)
        world.run(steps)
        world.settle()
        const [first, ...others] = world.writers.map((writer) => view(writer.document))
        expect(first?.pending).toBe(0)
        for (const other of others) expect(other).toEqual(first)
      }),
      { numRuns: 300 },
    )
  })
})

test('[2] hearing a commit again changes not a byte and tells nobody', () => {
  fc.assert(
    fc.property(stepsFor(3, { maxLength: 40 }), (steps) => {
      const world = new World(3)
      world.run(steps)
      world.settle()
      for (const { document } of world.writers) {
        const before = document.encode()
        const heard: unknown[] = []
        document.listen((changes) => heard.push(changes))
        for (const { update } of world.log) document.apply([update])
        document.apply(world.log.map(({ update }) => update))
        document.apply([before])
        expect(sameBytes(before, document.encode())).toBe(true)
        expect(heard).toEqual([])
      }
    }),
    { numRuns: 100 },
  )
})

test('[1] listeners hear exactly the difference between two readings', () => {
  fc.assert(
    fc.property(stepsFor(2, { maxLength: 40 }), (steps) => {
      const world = new World(2)
      const mirrors = world.writers.map(({ document }) => {
        const mirror = new Map<string, readonly string[]>()
        document.listen((changes) => {
          for (const { table, key, before, after } of changes) {
            const name = JSON.stringify([table, key])
            expect(mirror.get(name) ?? []).toEqual(before.map(entryLine))
            expect(after.map(entryLine)).not.toEqual(before.map(entryLine))
            if (after.length === 0) mirror.delete(name)
            else mirror.set(name, after.map(entryLine))
          }
        })
        return mirror
      })
      world.run(steps)
      world.settle()
      for (const [i, { document }] of world.writers.entries()) {
        const lines = [...(mirrors[i]?.values() ?? [])].flat().sort()
        expect(lines).toEqual(Array.from(allEntries(document), entryLine).sort())
      }
    }),
    { numRuns: 200 },
  )
})

test('keys are counted as a walk would count them', () => {
  fc.assert(
    fc.property(stepsFor(2, { maxLength: 60 }), (steps) => {
      const world = new World(2)
      world.run(steps)
      for (const { document } of world.writers) {
        for (const table of document.tableNames()) {
          const lengths = Array.from(document.scan(table, []), (register) => register[0]?.key.length ?? 0)
          for (const parts of [1, 2, 3]) {
            expect(document.count?.(table, parts)).toBe(lengths.filter((length) => length === parts).length)
          }
        }
      }
    }),
    { numRuns: 200 },
  )
})

test('[1] the index is what a fresh one of the same bytes is', () => {
  fc.assert(
    fc.property(stepsFor(3, { maxLength: 60 }), fc.nat(60), (steps, scanAt) => {
      const world = new World(3)
      world.run(steps.slice(0, scanAt))
      // A first scan half way: from here on the order is kept up and no longer built.
      for (const { document } of world.writers) expectSameIndex(document)
      world.run(steps.slice(scanAt))
      for (const { document } of world.writers) expectSameIndex(document)
    }),
    { numRuns: 150 },
  )
})

test('[1] a snapshot is its history: same registers, digest and clocks, also rebuilt', () => {
  fc.assert(
    fc.property(stepsFor(3, { maxLength: 50 }), fc.nat(50), (steps, cut) => {
      const world = new World(3)
      world.run(steps)
      world.settle()
      const log = world.log.map(({ update }) => update)
      const document = world.writers[0]?.document
      if (document === undefined) return
      const snapshot = updates.compact(log)
      const folded = updates.compact([updates.compact(log.slice(0, cut)), ...log.slice(cut)])
      const digest = digestOf(document)
      for (const bytes of [snapshot, folded]) {
        const loaded = yjsCrdt.open(CLIENT_ID_MIN, [bytes])
        expect(view(loaded)).toEqual(view(document))
        expect(updates.digest([bytes])).toBe(digest)
      }
      expect(updates.digest(log)).toBe(digest)
      expect([...updates.clocks(snapshot)]).toEqual(
        view(document).clocks.map(({ client, length }) => [client, length]),
      )
      const { snapshot: rebuilt, digest: rebuiltDigest } = updates.rebuild(log)
      expect(sameBytes(rebuilt, updates.rebuild([snapshot]).snapshot)).toBe(true)
      expect(sameBytes(rebuilt, updates.rebuild([rebuilt]).snapshot)).toBe(true)
      expect(rebuiltDigest).toBe(digest)
      const reborn = yjsCrdt.open(CLIENT_ID_MIN, [rebuilt])
      expect([...allEntries(reborn)]).toEqual([...allEntries(document)])
      expect(digestOf(reborn)).toBe(digest)
    }),
    { numRuns: 150 },
  )
})

function expectSameIndex(document: CrdtDocument): void {
  const fresh = yjsCrdt.open(CLIENT_ID_MIN, [document.encode()])
  expect([...allEntries(document)]).toEqual([...allEntries(fresh)])
  expect([...document.tableNames()].sort()).toEqual([...fresh.tableNames()].sort())
  const contested = (of: CrdtDocument): string[] =>
    Array.from(of.contested(), (register) => {
      expect(register.length).toBeGreaterThan(1)
      expect([...register].sort(compareEntries)).toEqual(register)
      return register.map(entryLine).join()
    }).sort()
  expect(contested(document)).toEqual(contested(fresh))
  fresh.destroy()
}
