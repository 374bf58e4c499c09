/**
 * The contract of the `Crdt` port as tests: registers that merge by construction, and the same from bytes alone. A document
 * implementation runs it in one call (invariants 1, 2, 10 and 12).
 */
import assert from 'node:assert/strict'
import {
  allEntries,
  CLIENT_ID_MIN,
  entryLine,
  HlcClock,
  REBUILD_CLIENT_ID,
  SyncError,
  type Crdt,
  type CrdtDocument,
  type ErrorCode,
  type Hlc,
  type RegisterChange,
  type Value,
} from '@rejoin/core'
import { declareCases, type Cannot, type Cases, type TestRunner } from './suite-cases.ts'

export interface CrdtSuiteOptions {
  readonly test: TestRunner
  readonly crdt: Crdt
  /** Cases left out, each with the reason. */
  readonly cannot?: Cannot
}

export function crdtSuite({ test, crdt, cannot }: CrdtSuiteOptions): void {
  declareCases(test, { ...documentCases(crdt), ...updateCases(crdt), ...awarenessCases(crdt) }, cannot)
}

function documentCases(crdt: Crdt): Cases {
  return {
    '[1] documents that have seen the same updates, in any order, read and encode the same': async () => {
      const { ann, bob, updates } = concurrent(crdt)
      const late = crdt.open(CLIENT_ID_MIN + 9, [])
      ann.apply(updates)
      bob.apply(otherAuthorFirst(updates))
      for (const update of otherAuthorFirst(updates)) late.apply([update])
      for (const document of [bob, late]) {
        assert.deepEqual(contentOf(document), contentOf(ann))
        assert.deepEqual(document.stateVector(), ann.stateVector())
        assert.equal(document.pendingCount, 0)
      }
    },

    '[2] an update applied again changes not a byte and is not heard': async () => {
      const { ann, updates } = concurrent(crdt)
      ann.apply(updates)
      const [before, heard] = [ann.encode(), listen(ann)]
      ann.apply([...updates, ...updates])
      assert.deepEqual(ann.encode(), before)
      assert.equal(heard.length, 0)
    },

    'a write that touches nothing gives no update': async () => {
      const document = crdt.open(CLIENT_ID_MIN, [])
      assert.equal(document.write([], stamp(1)), null)
      assert.equal(document.write([{ kind: 'remove', table: 't', key: ['none'] }], stamp(1)), null)
    },

    'concurrent sets are all live, newest first, and contested until one write has seen them': async () => {
      const { ann, updates } = concurrent(crdt)
      ann.apply(updates)
      assert.deepEqual(
        ann.read('t', ['same']).map(({ value }) => value),
        ['by Bob', 'by Ann'],
      )
      assert.equal([...ann.contested()].length, 1)
      set(ann, 'same', 'settled', 9)
      assert.deepEqual(
        ann.read('t', ['same']).map(({ value }) => value),
        ['settled'],
      )
      assert.equal([...ann.contested()].length, 0)
    },

    'a set survives a remove that never saw it': async () => {
      const ann = crdt.open(CLIENT_ID_MIN, [])
      const first = set(ann, 'k', 1, 1)
      const bob = crdt.open(CLIENT_ID_MIN + 1, [first])
      const again = set(ann, 'k', 2, 2)
      const removed = bob.write([{ kind: 'remove', table: 't', key: ['k'] }], stamp(3))
      ann.apply([removed ?? new Uint8Array()])
      bob.apply([again])
      for (const document of [ann, bob]) assert.equal(document.read('t', ['k'])[0]?.value, 2)
    },

    '[10] an older write leaves newer entries, and those its author had not seen': async () => {
      const document = crdt.open(CLIENT_ID_MIN, [])
      set(document, 'newer', 'stays', 5)
      set(document, 'unseen', 'stays', 1)
      const writes = ['newer', 'unseen'].map(
        (key) => ({ kind: 'set', table: 't', key: [key], value: 'mine' }) as const,
      )
      document.write(writes, stamp(3), ({ key }) => key[0] !== 'unseen')
      for (const key of ['newer', 'unseen']) assert.equal(document.read('t', [key]).length, 2, key)
    },

    'listeners hear the net difference of a transaction once, after it': async () => {
      const { ann, updates } = concurrent(crdt)
      const late = crdt.open(CLIENT_ID_MIN + 9, [])
      const heard = listen(late)
      late.apply(updates)
      assert.equal(heard.length, 1)
      const changed = heard[0]?.map(({ key }) => key[0]).sort()
      assert.deepEqual(changed, ['a', 'b', 'same'])
      ann.destroy()
    },

    'a scan gives a prefix in key order': async () => {
      const document = crdt.open(CLIENT_ID_MIN, [])
      const keys = [['b', '2'], ['a', '1'], ['b', '1'], ['ba', '1'], ['b']]
      document.write(
        keys.map((key) => ({ kind: 'set', table: 't', key, value: true }) as const),
        stamp(1),
      )
      assert.deepEqual(
        Array.from(document.scan('t', ['b']), (register) => register[0]?.key.join('/')),
        ['b/1', 'b/2'],
      )
      assert.equal([...document.scan('t', [])].length, keys.length)
    },

    '[12] bytes that do not read, or build on what is not there, change nothing': async () => {
      const { ann, updates } = concurrent(crdt)
      const document = crdt.open(CLIENT_ID_MIN + 9, [])
      const before = document.encode()
      const cut = (updates[0] ?? new Uint8Array()).slice(0, -1)
      throwsCode(() => document.apply([...updates.slice(1, 2), cut]), 'UPDATE_MALFORMED')
      const later = set(ann, 'a', 'later', 7)
      throwsCode(() => document.apply([later]), 'UPDATE_UNKNOWN_ITEM')
      assert.deepEqual(document.encode(), before)
      assert.equal(document.pendingCount, 0)
    },
  }
}

function updateCases(crdt: Crdt): Cases {
  const { updates: bytes } = crdt
  return {
    'what is read from a commit’s bytes is what was written': async () => {
      const document = crdt.open(CLIENT_ID_MIN, [])
      const first = bytes.inspect(set(document, 'k', 'one', 1))
      assert.deepEqual(first.inserted, { client: CLIENT_ID_MIN, clock: 0, length: 1 })
      assert.deepEqual(first.entries, [{ table: 't', key: ['k'], value: 'one', hlc: stamp(1) }])
      assert.deepEqual(first.deleted, [])
      const second = bytes.inspect(set(document, 'k', 'two', 2))
      assert.deepEqual(second.origin, { client: CLIENT_ID_MIN, clock: 0 })
      assert.deepEqual(second.deleted, [{ client: CLIENT_ID_MIN, clock: 0, length: 1 }])
      throwsCode(() => bytes.inspect(Uint8Array.of(1, 1)), 'UPDATE_MALFORMED')
    },

    'snapshots, merges and diffs hold what the commits hold': async () => {
      const { ann, bob, updates } = concurrent(crdt)
      const known = bob.stateVector()
      ann.apply(updates)
      const snapshot = bytes.compact(updates)
      for (const part of [snapshot, bytes.merge(updates)]) {
        assert.deepEqual(contentOf(crdt.open(CLIENT_ID_MIN + 9, [part])), contentOf(ann))
      }
      bob.apply([bytes.diff(updates, known)])
      assert.deepEqual(contentOf(bob), contentOf(ann))
      assert.deepEqual(
        bytes.clocks(snapshot),
        new Map([
          [CLIENT_ID_MIN, 2],
          [CLIENT_ID_MIN + 1, 2],
        ]),
      )
    },

    'a rebuild and its digest follow from the live entries alone': async () => {
      const { updates } = concurrent(crdt)
      const { snapshot: rebuilt, digest } = bytes.rebuild(updates)
      assert.deepEqual(bytes.rebuild([bytes.compact(otherAuthorFirst(updates))]), {
        snapshot: rebuilt,
        digest,
      })
      assert.deepEqual([...bytes.clocks(rebuilt).keys()], [REBUILD_CLIENT_ID])
      assert.equal(bytes.digest([rebuilt]), bytes.digest(updates))
      assert.notEqual(bytes.digest([rebuilt]), bytes.digest(updates.slice(0, 3)))
    },
  }
}

function awarenessCases(crdt: Crdt): Cases {
  return {
    'presence travels, and leaves with who leaves': async () => {
      const [ann, bob] = [crdt.awareness(CLIENT_ID_MIN), crdt.awareness(CLIENT_ID_MIN + 1)]
      ann.onUpdate((update) => bob.apply(update))
      ann.setLocal({ name: 'Ann' })
      assert.deepEqual(bob.states().get(CLIENT_ID_MIN), { name: 'Ann' })
      ann.setLocal(null)
      assert.equal(bob.states().has(CLIENT_ID_MIN), false)
      throwsCode(() => bob.apply(Uint8Array.of(255)), 'MESSAGE_MALFORMED')
      ann.destroy()
      bob.destroy()
    },
  }
}

/** Two documents that each wrote one key of their own and one in common, and their updates. */
function concurrent(crdt: Pick<Crdt, 'open' | 'updates'>) {
  const [ann, bob] = [crdt.open(CLIENT_ID_MIN, []), crdt.open(CLIENT_ID_MIN + 1, [])]
  const updates = [
    set(ann, 'a', 1, 1),
    set(bob, 'b', 2, 2),
    set(ann, 'same', 'by Ann', 3),
    set(bob, 'same', 'by Bob', 4),
  ]
  // Each author's in order; between authors any order will do.
  return {
    ann,
    bob,
    updates: [updates[0], updates[2], updates[1], updates[3]].filter((update) => update !== undefined),
  }
}

/** Another order in which each author's updates still follow each other. */
function otherAuthorFirst(updates: readonly Uint8Array[]): readonly Uint8Array[] {
  return [...updates.slice(2), ...updates.slice(0, 2)]
}

function set(document: CrdtDocument, key: string, value: Value, at: number): Uint8Array {
  const update = document.write([{ kind: 'set', table: 't', key: [key], value }], stamp(at))
  assert(update !== null, 'a set of another value gives an update')
  return update
}

function stamp(at: number): Hlc {
  return new HlcClock('AAAAAAAAAAAAAAAAAAAAAA', null).tick(at)
}

function contentOf(document: CrdtDocument): readonly string[] {
  return Array.from(allEntries(document), entryLine)
}

function listen(document: CrdtDocument): (readonly RegisterChange[])[] {
  const heard: (readonly RegisterChange[])[] = []
  document.listen((changes) => heard.push(changes))
  return heard
}

function throwsCode(call: () => unknown, code: ErrorCode): void {
  assert.throws(call, (error: unknown) => error instanceof SyncError && error.code === code)
}
