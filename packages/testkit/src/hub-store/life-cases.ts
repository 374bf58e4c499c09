/** Namespaces that come and go, and the end of a store: St10. */
import assert from 'node:assert/strict'
import type { HubStore } from '@rejoin/core'
import type { Cases } from '../suite-cases.ts'
import {
  all,
  append,
  appendAll,
  at,
  bytesOf,
  checkpointAt,
  checkRefused,
  checkTexts,
  needed,
  ns,
  textOf,
  withHubStore,
  type OpenHubStore,
} from './opened.ts'

export function hubLifeCases(open: OpenHubStore): Cases {
  return {
    'a namespace is unknown, then present, then removed': () =>
      withHubStore(open, async (store) => {
        assert.equal(await store.state(ns), 'unknown')
        assert.deepEqual(await store.namespaces(), [])
        await append(store, ns, 0, 'one')
        assert.equal(await store.state(ns), 'present')
        assert.deepEqual(await store.namespaces(), [ns])
        await store.remove(ns)
        assert.equal(await store.state(ns), 'removed')
        assert.deepEqual(await store.namespaces(), [])
      }),

    'names of namespaces come sorted': () =>
      withHubStore(open, async (store) => {
        for (const name of ['b', 'a.b', 'a', 'a-b', '0']) await append(store, name, 0, 'one')
        assert.deepEqual(await store.namespaces(), ['0', 'a', 'a-b', 'a.b', 'b'])
      }),

    'a removed namespace holds nothing': () =>
      withHubStore(open, async (store) => {
        const seqs = await appendAll(store, ['1', '2', '3'])
        await store.installCheckpoint(ns, checkpointAt(at(seqs, 1), 'soon gone'))
        await store.remove(ns)
        assert.deepEqual(await store.readTail(ns, 0, all), { kind: 'records', records: [], more: false })
        assert.deepEqual(await store.heads([ns]), new Map())
        assert.equal(await store.checkpoint(ns), null)
        assert.deepEqual(await store.trim(ns, at(seqs, 2)), { floor: 0, head: 0 })
        assert.equal(await store.installCheckpoint(ns, checkpointAt(at(seqs, 2), 'late')), 'superseded')
        await store.remove(ns)
        assert.equal(await store.state(ns), 'removed')
      }),

    '[St1] a store says how durable its answers are, and keeps to it': () =>
      withHubStore(open, async (store, { reopen }) => {
        const { durability } = store
        assert.ok(['durable', 'applied'].includes(durability), durability)
        await append(store, ns, 0, 'one')
        assert.equal(store.durability, durability)
        assert.equal((await needed(reopen, 'reopen')()).durability, durability)
      }),

    'removing a namespace that never was leaves it unknown': () =>
      withHubStore(open, async (store) => {
        await store.remove('nowhere')
        assert.equal(await store.state('nowhere'), 'unknown')
      }),

    '[St3] nothing is appended to a removed namespace, also not a first record': () =>
      withHubStore(open, async (store, { reopen }) => {
        const seqs = await appendAll(store, ['old 1', 'old 2', 'old 3'])
        await store.installCheckpoint(ns, checkpointAt(at(seqs, 1), 'old'))
        await store.trim(ns, at(seqs, 0))
        await store.remove(ns)
        const refused = async (from: HubStore): Promise<void> => {
          for (const after of [0, at(seqs, 2)]) {
            const result = await from.append(ns, after, bytesOf('late'), 2 ** 40)
            assert.deepEqual(result, { kind: 'moved', head: 0 })
          }
          assert.equal(await from.state(ns), 'removed')
          assert.equal((await from.heads([ns])).size, 0)
          await checkTexts(from, ns, 0, [])
        }
        await refused(store)
        if (reopen !== undefined) await refused(await reopen())
      }),

    '[St3] removed and appended to at once, it is gone': () =>
      withHubStore(open, async (store) => {
        const seqs = await appendAll(store, ['old 1', 'old 2'])
        const appends = [0, at(seqs, 1)].map((after) => store.append(ns, after, bytesOf('late')))
        await Promise.all([store.remove(ns), ...appends])
        assert.equal(await store.state(ns), 'removed')
        await checkTexts(store, ns, 0, [])
      }),

    '[St10] a closed store fails every call with STORE_CLOSED': () =>
      withHubStore(open, async (store) => {
        const head = await append(store, ns, 0, 'one')
        await store.installCheckpoint(ns, checkpointAt(head, 'held'))
        const held = await store.checkpoint(ns)
        assert.ok(held !== null)
        await store.close()
        const calls: Record<string, (store: HubStore) => Promise<unknown>> = {
          append: () => store.append(ns, head, bytesOf('late')),
          readTail: () => store.readTail(ns, 0, all),
          heads: () => store.heads([ns]),
          headsOfNone: () => store.heads([]),
          state: () => store.state(ns),
          checkpoint: () => store.checkpoint(ns),
          snapshot: () => held.snapshot(),
          installCheckpoint: () => store.installCheckpoint(ns, checkpointAt(head + 1, 'late')),
          trim: () => store.trim(ns, head),
          namespaces: () => store.namespaces(),
          remove: () => store.remove(ns),
        }
        for (const call of Object.values(calls)) await checkRefused(call(store), 'STORE_CLOSED')
      }),

    '[St10] closing twice is closing once': () =>
      withHubStore(open, async (store) => {
        await Promise.all([store.close(), store.close()])
        await store.close()
      }),

    '[St10] appends under way when the store closes are answered, and those that succeeded are kept': () =>
      withHubStore(open, async (store, { reopen }) => {
        const names = Array.from({ length: 30 }, (_, i) => `room-${i}`)
        const appends = names.map((name) => store.append(name, 0, bytesOf(name)))
        const closing = store.close()
        const outcomes = await Promise.allSettled(appends)
        await closing
        const again = await needed(reopen, 'reopen')()
        for (const [i, outcome] of outcomes.entries()) {
          const name = at(names, i)
          if (outcome.status === 'rejected') {
            await checkRefused(Promise.reject(outcome.reason as unknown), 'STORE_CLOSED')
            continue
          }
          assert.equal(outcome.value.kind, 'appended')
          const read = await again.readTail(name, 0, all)
          assert.ok(read.kind === 'records')
          assert.deepEqual(
            read.records.map(({ body }) => textOf(body)),
            [name],
          )
        }
      }),
  }
}
