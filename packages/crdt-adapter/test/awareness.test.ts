import * as encoding from 'lib0/encoding'
import { applyAwarenessUpdate, Awareness, encodeAwarenessUpdate } from 'y-protocols/awareness'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { limits, SyncError, type CrdtAwareness } from '@rejoin/core'

/** Two peers that hear each other at once. */
function peers(): [CrdtAwareness, CrdtAwareness] {
  const ann = yjsCrdt.awareness(5_000)
  const bob = yjsCrdt.awareness(6_000)
  ann.onUpdate((update) => bob.apply(update))
  bob.onUpdate((update) => ann.apply(update))
  return [ann, bob]
}

describe('presence', () => {
  test('is seen by others, ours included, and goes when we leave', () => {
    const [ann, bob] = peers()
    let changes = 0
    const stop = bob.onChange(() => changes++)
    ann.setLocal({ name: 'Ann' })
    bob.setLocal({ name: 'Bob' })
    expect([...bob.states()].sort(([a], [b]) => a - b)).toEqual([
      [5_000, { name: 'Ann' }],
      [6_000, { name: 'Bob' }],
    ])
    expect(changes).toBe(2)
    stop()
    ann.destroy()
    expect([...bob.states()]).toEqual([[6_000, { name: 'Bob' }]])
    expect(changes).toBe(2)
  })

  test('of a peer that fell silent is forgotten at the second renewal after its last', () => {
    const ann = yjsCrdt.awareness(5_000)
    const bob = yjsCrdt.awareness(6_000)
    const stop = bob.onUpdate((update) => ann.apply(update))
    ann.setLocal({ name: 'Ann' })
    bob.setLocal({ name: 'Bob' })
    for (let beat = 0; beat < 5; beat++) {
      bob.renew()
      ann.renew()
      expect(ann.states().size).toBe(2)
    }
    stop()
    ann.renew()
    expect(ann.states().size).toBe(2)
    ann.renew()
    expect([...ann.states().keys()]).toEqual([5_000])
  })

  test('keeps our own state whatever a peer says of it, and says it anew when given up', () => {
    const ann = yjsCrdt.awareness(5_000)
    ann.setLocal({ name: 'Ann' })
    const sent: Uint8Array[] = []
    ann.onUpdate((update) => sent.push(update))
    ann.apply(states([[5_000, 90, '{"name":"Eve"}']]))
    expect(ann.states().get(5_000)).toEqual({ name: 'Ann' })
    expect(sent).toHaveLength(0)
    ann.apply(states([[5_000, 95, 'null']]))
    expect(ann.states().get(5_000)).toEqual({ name: 'Ann' })
    expect(sent).toEqual([states([[5_000, 96, '{"name":"Ann"}']])])
  })

  test('is understood by plain y-protocols, and the other way round', () => {
    const plain = new Awareness(new Y.Doc())
    const ann = yjsCrdt.awareness(5_000)
    ann.onUpdate((update) => applyAwarenessUpdate(plain, update, null))
    ann.setLocal({ name: 'Ann' })
    plain.setLocalState({ name: 'plain' })
    ann.apply(encodeAwarenessUpdate(plain, [plain.clientID]))
    expect(plain.getStates().get(5_000)).toEqual({ name: 'Ann' })
    expect(ann.states().get(plain.clientID)).toEqual({ name: 'plain' })
    plain.destroy()
  })

  test('[14] of more peers than anyone can look at is left out until others leave', () => {
    const ann = yjsCrdt.awareness(5_000)
    for (let from = 0; from < 1_200; from += 100) {
      ann.apply(states(Array.from({ length: 100 }, (_, i) => [10_000 + from + i, 1, '{}'])))
    }
    const { size } = ann.states()
    expect(size).toBeLessThanOrEqual(1_000)
    expect(size).toBeGreaterThan(900)
    ann.apply(states([[10_000, 2, 'null']]))
    ann.apply(states([[99_999, 1, '{}']]))
    expect(ann.states().has(99_999)).toBe(true)
  })

  test('[15] has no timer of its own', () => {
    const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const ann = yjsCrdt.awareness(5_000)
    expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout')).toHaveLength(before)
    ann.destroy()
  })
})

describe('malformed presence', () => {
  const good = states([[6_000, 1, '{"a":1}']])

  test.each<[string, Uint8Array]>([
    ['no bytes', new Uint8Array()],
    ['bytes left over', Uint8Array.from([...good, 0])],
    ['a count beyond the bytes', Uint8Array.from([0xff, 0xff, 0x03, 1])],
    ['a client of 2^40', states([[2 ** 40, 1, '{}']])],
    ['a clock that cannot grow', states([[6_000, Number.MAX_SAFE_INTEGER, '{}']])],
    ['no JSON', states([[6_000, 1, '{oops}']])],
    ['a number', states([[6_000, 1, '12345']])],
    ['an array', states([[6_000, 1, '[{}]']])],
    ['a field named __proto__', states([[6_000, 1, '{"__proto__":{"a":1}}']])],
    ['deep nesting', states([[6_000, 1, `{"a":${'['.repeat(60)}${']'.repeat(60)}}`]])],
    ['oversize', states([[6_000, 1, JSON.stringify({ a: 'x'.repeat(limits.awarenessBytesMax) })]])],
  ])('[11] with %s is refused and changes nothing', (_, update) => {
    const ann = yjsCrdt.awareness(5_000)
    expect(refusalOf(() => ann.apply(update)).code).toBe('MESSAGE_MALFORMED')
    expect(ann.states().size).toBe(0)
  })

  test('[11] throws nothing but that refusal, whatever the bytes', () => {
    const ann = yjsCrdt.awareness(5_000)
    let refused = 0
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(20), fc.nat(255), (bytes, at, byte) => {
        const damaged = Uint8Array.from(good)
        damaged[at % damaged.length] = byte
        for (const update of [bytes, damaged]) {
          if (isRefused(ann, update)) refused++
        }
      }),
      { numRuns: 2_000 },
    )
    expect(refused).toBeGreaterThan(2_000)
  })

  test('of our own is refused where it is set', () => {
    const ann = yjsCrdt.awareness(5_000)
    for (const state of ['text', 1, [], { a: 1n }, { a: 'x'.repeat(limits.awarenessBytesMax) }]) {
      expect(refusalOf(() => ann.setLocal(state)).code).toBe('VALUE_INVALID')
    }
  })
})

function states(of: [client: number, clock: number, json: string][]): Uint8Array {
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, of.length)
  for (const [client, clock, json] of of) {
    encoding.writeVarUint(encoder, client)
    encoding.writeVarUint(encoder, clock)
    encoding.writeVarString(encoder, json)
  }
  return encoding.toUint8Array(encoder)
}

/** Anything but the one refusal is a failure. */
function isRefused(awareness: CrdtAwareness, update: Uint8Array): boolean {
  try {
    awareness.apply(update)
    return false
  } catch (error) {
    if (error instanceof SyncError && error.code === 'MESSAGE_MALFORMED') return true
    throw error
  }
}

function refusalOf(act: () => unknown): SyncError {
  try {
    act()
  } catch (error) {
    if (error instanceof SyncError) return error
    throw error
  }
  throw new Error('it was not refused')
}
