/** Whose a store is: made once, and taken over by another identity where its folder was copied. */
import assert from 'node:assert/strict'
import type { ReplicaStep, SyncNotes } from '@rejoin/core'
import { needed } from '../hub-store/opened.ts'
import type { Cases } from '../suite-cases.ts'
import {
  checkBatches,
  checkStored,
  commit,
  comparable,
  create,
  identity,
  modelOf,
  rejected,
  withReplicaStore,
  type OpenReplicaStore,
} from './opened.ts'

const notes: SyncNotes = {
  lastAttemptAt: 1_790_000_000_123,
  lastSuccessAt: null,
  lastError: null,
  ackedCounter: 0,
  sentCounter: 0,
}
const local = (counter: number): ReplicaStep => ({ kind: 'local', commit: commit(counter) })
const reidentify = { kind: 'reidentify', replica: 'another-of-22-letters_', clientId: 4_000_000_002 } as const

export function identityCases(open: OpenReplicaStore): Cases {
  const check = (batches: readonly (readonly ReplicaStep[])[]) =>
    withReplicaStore(open, (_store, opened) => checkBatches(opened, batches))
  return {
    'create: a new replica has its identity and nothing else': () =>
      withReplicaStore(open, async (store) => {
        await store.record([create])
        const stored = await store.load()
        assert.deepEqual(stored, {
          identity,
          isCopy: false,
          formerCounter: 0,
          counter: 0,
          hlc: null,
          cursor: null,
          base: [],
          snapshotBytes: 0,
          updateBytes: 0,
          outbox: [],
          rejected: [],
          notes: {
            lastAttemptAt: null,
            lastSuccessAt: null,
            lastError: null,
            ackedCounter: 0,
            sentCounter: 0,
          },
        })
      }),

    'create: repeated for the same replica it changes nothing, for another it is refused': () =>
      withReplicaStore(open, async (store) => {
        await store.record([create, local(1)])
        await store.record([create])
        const other = { ...identity, replica: 'another-of-22-letters_' }
        await assert.rejects(store.record([{ kind: 'create', identity: other }]))
        checkStored(await store.load(), modelOf([create, local(1)]))
      }),

    '[4] [5] reidentify: another identity goes on counting, and what waits keeps its ids': () =>
      check([
        [create, local(1), local(2), local(3)],
        [{ kind: 'recommit', clientId: 11, outbox: [commit(2), commit(3)], rejected: [rejected(1)] }],
        [{ kind: 'notes', notes: { ...notes, ackedCounter: 1, sentCounter: 2 } }],
        [reidentify],
        [
          {
            kind: 'local',
            commit: { ...commit(4), id: { replica: reidentify.replica, counter: 4 }, prev: 0 },
          },
        ],
        [{ kind: 'settle', upTo: 3 }],
      ]),

    'reidentify: repeated for the same replica it changes nothing': () =>
      check([[create, local(1)], [reidentify], [local(2)], [reidentify]]),

    'reidentify: an error stays the news, but that the old identity was taken': () =>
      check([
        [create],
        ...(['HUB_UNREACHABLE', 'REPLICA_TAKEN'] as const).flatMap((code): readonly ReplicaStep[][] => [
          [{ kind: 'notes', notes: { ...notes, lastError: { code, message: 'so it was' } } }],
          [{ ...reidentify, replica: `${code}-of-22-letters______`.slice(0, 22) }],
        ]),
      ]),

    '[4] a copy that is noticed says so until it has an identity of its own, also after reopening': () =>
      withReplicaStore(open, async (store, { copied }) => {
        if (copied === undefined) return
        await store.record([create, local(1)])
        const copy = await copied()
        assert.deepEqual(comparable(await copy.store.load()), {
          ...(comparable(await store.load()) as object),
          isCopy: true,
        })
        await copy.store.record([reidentify])
        const own = modelOf([create, local(1), reidentify])
        checkStored(await copy.store.load(), own)
        checkStored(await (await needed(copy.reopen, 'reopen')()).load(), own)
        checkStored(await store.load(), modelOf([create, local(1)]))
        await copy.cleanup()
      }),
  }
}
