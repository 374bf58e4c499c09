/** Each step alone: what it changes and what it leaves. */
import assert from 'node:assert/strict'
import type { ReplicaStep } from '@rejoin/core'
import type { Cases } from '../suite-cases.ts'
import {
  bytes,
  checkBatches,
  checkStored,
  commit,
  create,
  cursorAt,
  hlcAt,
  modelOf,
  rejected,
  withReplicaStore,
  type OpenReplicaStore,
} from './opened.ts'

const local = (counter: number): ReplicaStep => ({ kind: 'local', commit: commit(counter) })

export function stepCases(open: OpenReplicaStore): Cases {
  const check = (batches: readonly (readonly ReplicaStep[])[]) =>
    withReplicaStore(open, (_store, opened) => checkBatches(opened, batches))
  return {
    'a store in which nothing was recorded loads as null': () =>
      withReplicaStore(open, async (store, { reopen }) => {
        assert.equal(await store.load(), null)
        await store.record([])
        assert.equal(await store.load(), null)
        if (reopen !== undefined) assert.equal(await (await reopen()).load(), null)
      }),

    '[4] local: commits stand in the outbox in counter order, whole': () =>
      check([[create], [local(1)], [local(2), local(3)], [local(300)], [local(70_000)]]),

    '[4] local: a commit without an update, and one of a megabyte, come back as they were': () =>
      check([
        [create],
        [{ kind: 'local', commit: { ...commit(1), update: new Uint8Array(0) } }],
        [{ kind: 'local', commit: { ...commit(2), update: new Uint8Array(1_000_000).fill(9) } }],
      ]),

    'local: the stamp of the replica never goes back': () =>
      check([[create], [{ kind: 'local', commit: { ...commit(1), hlc: hlcAt(9_000) } }], [local(2)]]),

    '[6] remote: updates, cursor and settled commits are recorded together': () =>
      check([
        [create, local(1), local(2), local(3)],
        [
          {
            kind: 'remote',
            updates: [bytes('u1'), bytes('u2')],
            settled: [1],
            cursor: cursorAt(2),
            hlc: hlcAt(9_000),
          },
        ],
        [{ kind: 'remote', updates: [], settled: [3, 99], cursor: cursorAt(4), hlc: null }],
        [
          {
            kind: 'remote',
            updates: [bytes('u3'), bytes('')],
            settled: [],
            cursor: cursorAt(5),
            hlc: hlcAt(3),
          },
        ],
      ]),

    'snapshot: it replaces the whole base and leaves the outbox': () =>
      check([
        [create, local(1)],
        [
          {
            kind: 'remote',
            updates: [bytes('u1'), bytes('u2')],
            settled: [],
            cursor: cursorAt(2),
            hlc: null,
          },
        ],
        [{ kind: 'snapshot', snapshot: bytes('snapshot 1'), cursor: cursorAt(2), hlc: null }],
        [{ kind: 'remote', updates: [bytes('u3')], settled: [], cursor: cursorAt(3), hlc: null }],
        [
          {
            kind: 'snapshot',
            snapshot: new Uint8Array(2_000_000).fill(5),
            cursor: cursorAt(9),
            hlc: hlcAt(1),
          },
        ],
        [{ kind: 'snapshot', snapshot: new Uint8Array(0), cursor: cursorAt(10), hlc: hlcAt(5_000) }],
      ]),

    '[9] settle: commits up to the counter leave the outbox, later ones stay': () =>
      check([
        [create, local(1), local(2), local(5), local(6)],
        [{ kind: 'settle', upTo: 0 }],
        [{ kind: 'settle', upTo: 4 }],
        [{ kind: 'settle', upTo: 5 }],
        [{ kind: 'settle', upTo: 100 }],
        [local(7)],
      ]),

    '[10] reset: base, cursor, client id and outbox are replaced together, rejected commits stay': () =>
      check([
        [create, local(1), local(2), local(3)],
        [{ kind: 'remote', updates: [bytes('old')], settled: [1], cursor: cursorAt(2), hlc: null }],
        [{ kind: 'recommit', clientId: 5, outbox: [commit(2)], rejected: [rejected(3)] }],
        [
          {
            kind: 'reset',
            snapshot: bytes('of a new epoch'),
            updates: [bytes('n1'), bytes('n2')],
            cursor: cursorAt(7, 78),
            clientId: 6,
            outbox: [commit(2, 'remade')],
            hlc: hlcAt(8_000),
          },
        ],
        [{ kind: 'remote', updates: [bytes('n3')], settled: [2], cursor: cursorAt(8, 78), hlc: null }],
      ]),

    'reset: without a snapshot the base is the updates alone': () =>
      check([
        [create, { kind: 'snapshot', snapshot: bytes('old'), cursor: cursorAt(3), hlc: null }],
        [
          {
            kind: 'reset',
            snapshot: null,
            updates: [bytes('n1')],
            cursor: cursorAt(1, 78),
            clientId: 6,
            outbox: [],
            hlc: null,
          },
        ],
      ]),

    '[11] recommit: the outbox is rewritten, refused commits join those refused before': () =>
      check([
        [create, local(1), local(2), local(3), local(4)],
        [
          {
            kind: 'recommit',
            clientId: 11,
            outbox: [commit(1), commit(3, 'remade'), commit(4)],
            rejected: [rejected(2, 'ops[0].text')],
          },
        ],
        [
          {
            kind: 'recommit',
            clientId: 12,
            outbox: [commit(4, 'remade twice')],
            rejected: [rejected(3), rejected(1)],
          },
        ],
        [local(5)],
      ]),

    'discard: one rejected commit is forgotten': () =>
      check([
        [create, local(1), local(2)],
        [{ kind: 'recommit', clientId: 11, outbox: [], rejected: [rejected(1), rejected(2)] }],
        [{ kind: 'discard', counter: 1 }],
        [{ kind: 'discard', counter: 1 }],
        [{ kind: 'discard', counter: 2 }],
      ]),

    'notes: how the last attempts went': () =>
      check([
        [create],
        [
          {
            kind: 'notes',
            notes: {
              lastAttemptAt: 1_790_000_000_123,
              lastSuccessAt: null,
              lastError: { code: 'HUB_UNREACHABLE', message: 'no answer' },
              ackedCounter: 0,
              sentCounter: 7,
            },
          },
        ],
        [
          {
            kind: 'notes',
            notes: {
              lastAttemptAt: 1_790_000_000_456.5,
              lastSuccessAt: 0,
              lastError: null,
              ackedCounter: 7,
              sentCounter: 8,
            },
          },
        ],
      ]),

    'the version of the domain rises and never falls': () =>
      check([
        [create],
        [{ kind: 'domainVersion', domainVersion: 5 }],
        [{ kind: 'domainVersion', domainVersion: 4 }],
      ]),

    'nothing can be recorded before the replica is created': () =>
      withReplicaStore(open, async (store) => {
        await assert.rejects(store.record([local(1)]))
        assert.equal(await store.load(), null)
        await store.record([create, local(1)])
        checkStored(await store.load(), modelOf([create, local(1)]))
      }),
  }
}
