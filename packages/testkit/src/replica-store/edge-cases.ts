/** Values at their edges, calls at once, and other namespaces of the same storage. */
import assert from 'node:assert/strict'
import { SyncError, type Namespace, type ReplicaStep, type ReplicaStore } from '@rejoin/core'
import { needed } from '../hub-store/opened.ts'
import type { Cases } from '../suite-cases.ts'
import {
  bytes,
  checkBatches,
  checkStored,
  commit,
  comparable,
  create,
  cursorAt,
  hlcAt,
  identity,
  modelOf,
  withReplicaStore,
  type OpenReplicaStore,
} from './opened.ts'

const local = (counter: number, text?: string): ReplicaStep => ({
  kind: 'local',
  commit: commit(counter, text),
})
const remoteAt = (seq: number, epoch: number, text: string): ReplicaStep => ({
  kind: 'remote',
  updates: [bytes(text)],
  settled: [],
  cursor: cursorAt(seq, epoch),
  hlc: null,
})

export function edgeCases(open: OpenReplicaStore): Cases {
  return {
    '[6] cursors at every edge: the start, a new epoch, the largest numbers': () =>
      withReplicaStore(open, (_store, opened) =>
        checkBatches(opened, [
          [create, remoteAt(0, 1, 'at the start')],
          [remoteAt(1, 1, 'one')],
          [remoteAt(1, 2, 'the same seq of another epoch')],
          [remoteAt(Number.MAX_SAFE_INTEGER, 0xffff_ffff, 'the end')],
          [
            { kind: 'snapshot', snapshot: bytes('back'), cursor: cursorAt(0, 1), hlc: null },
            { kind: 'settle', upTo: Number.MAX_SAFE_INTEGER },
          ],
        ]),
      ),

    'it says what recording stands for, and says the same as long as it lives': () =>
      withReplicaStore(open, async (store, { reopen, failNextWrite }) => {
        const { durability } = store
        assert.ok(durability === 'durable' || durability === 'applied', `it says ${String(durability)}`)
        await store.record([create, local(1)])
        failNextWrite?.()
        await store.record([local(2)]).catch(() => {})
        assert.equal(store.durability, durability)
        const again = (await reopen?.()) ?? store
        assert.equal(again.durability, durability)
        await again.close()
        assert.equal(again.durability, durability)
      }),

    'what was loaded stays as it was while more is recorded': () =>
      withReplicaStore(open, async (store) => {
        const before = [create, local(1), remoteAt(1, 77, 'u1')]
        const after: readonly ReplicaStep[] = [
          { kind: 'snapshot', snapshot: bytes('s'), cursor: cursorAt(2), hlc: hlcAt(9_000) },
          { kind: 'settle', upTo: 1 },
          local(2),
        ]
        await store.record(before)
        const loaded = await store.load()
        const kept = JSON.stringify(comparable(loaded))
        await store.record(after)
        assert.equal(JSON.stringify(comparable(loaded)), kept)
        checkStored(await store.load(), modelOf([...before, ...after]))
      }),

    'bytes that a caller changes after recording are stored as they were': () =>
      withReplicaStore(open, async (store) => {
        const [update, snapshot] = [bytes('update'), bytes('snapshot')]
        await store.record([
          create,
          { kind: 'snapshot', snapshot, cursor: cursorAt(1), hlc: null },
          { kind: 'remote', updates: [update], settled: [], cursor: cursorAt(2), hlc: null },
        ])
        update.fill(0)
        snapshot.fill(0)
        const base = (await store.load())?.base.map((part) => new TextDecoder().decode(part))
        assert.deepEqual(base, ['snapshot', 'update'])
      }),

    '[6] batches and loads at once, with a failed write among them, leave whole batches only': () =>
      withReplicaStore(open, async (store, { failNextWrite }) => {
        await store.record([create])
        needed(failNextWrite, 'failNextWrite')()
        const outcomes = await Promise.allSettled(
          Array.from({ length: 12 }, async (_, i) => {
            await store.record([local(i + 1), remoteAt(i + 1, 77, `u${i + 1}`)])
            const stored = await store.load()
            assert.equal(stored?.outbox.length, stored?.base.length)
          }),
        )
        const failed = outcomes.filter(({ status }) => status === 'rejected').length
        assert.ok(failed <= 1, `${failed} of 12 batches failed, where one write did`)
        const stored = await store.load()
        assert.equal(stored?.outbox.length, stored?.base.length)
        assert.ok((stored?.outbox.length ?? 0) >= 11)
      }),

    '[St10] loads under way when the store closes are answered or fail with STORE_CLOSED': () =>
      withReplicaStore(open, async (store) => {
        await store.record([create, local(1)])
        const loads = Array.from({ length: 10 }, () => store.load())
        const closing = store.close()
        for (const outcome of await Promise.allSettled(loads)) {
          if (outcome.status === 'fulfilled') checkStored(outcome.value, modelOf([create, local(1)]))
          else assert.ok(outcome.reason instanceof SyncError && outcome.reason.code === 'STORE_CLOSED')
        }
        await closing
      }),

    '[St9] namespaces of one storage do not see each other, also where one begins like another': () =>
      withReplicaStore(open, async (_store, { openBeside }) => {
        const beside = needed(openBeside, 'openBeside')
        const names = ['a', 'a-b', 'a.b', 'ab', 'a0', '0']
        const stores = new Map<Namespace, ReplicaStore>()
        for (const name of names) stores.set(name, await beside(name))
        const stepsOf = (name: string): readonly ReplicaStep[] => [
          { kind: 'create', identity: { ...identity, clientId: names.indexOf(name) + 1 } },
          local(1, `of ${name}`),
          remoteAt(1, 77, `update of ${name}`),
        ]
        const later: readonly ReplicaStep[] = [
          { kind: 'settle', upTo: 1 },
          { kind: 'snapshot', snapshot: bytes('s'), cursor: cursorAt(2), hlc: null },
          local(2, 'later'),
        ]
        await Promise.all([...stores].map(([name, store]) => store.record(stepsOf(name))))
        await stores.get('a')?.record(later)
        await stores.get('ab')?.close()
        stores.delete('ab')
        for (const [name, store] of stores) {
          checkStored(
            await store.load(),
            modelOf(name === 'a' ? [...stepsOf(name), ...later] : stepsOf(name)),
          )
        }
        for (const store of stores.values()) await store.close()
      }),

    '[St9] a storage with ten thousand namespaces keeps them apart': () =>
      withReplicaStore(open, async (_store, { openBeside }) => {
        const beside = needed(openBeside, 'openBeside')
        const names = Array.from({ length: 10_000 }, (_, i) => `tenant-${i}`)
        const stores = await Promise.all(names.map(beside))
        await Promise.all(
          stores.map((store, i) =>
            store.record([{ kind: 'create', identity: { ...identity, clientId: i + 1 } }, local(1)]),
          ),
        )
        for (const [i, store] of stores.entries()) {
          if (i % 1_000 === 0) assert.equal((await store.load())?.identity.clientId, i + 1)
          await store.close()
        }
      }),
  }
}
