/** Calls at once: of every kind, against each other and against the end of the store. */
import assert from 'node:assert/strict'
import { SyncError, type HubStore, type Seq } from '@rejoin/core'
import type { Cases } from '../suite-cases.ts'
import {
  all,
  append,
  appendAll,
  at,
  bytesOf,
  checkChain,
  checkpointAt,
  needed,
  ns,
  tail,
  textOf,
  withHubStore,
  type OpenHubStore,
} from './opened.ts'

export function concurrentCases(open: OpenHubStore): Cases {
  return {
    '[St4] calls of every kind at once are answered, each of them right at some moment': () =>
      withHubStore(open, async (store) => {
        const texts = Array.from({ length: 30 }, (_, i) => `${i}`)
        const seqs = await appendAll(store, texts)
        const head = at(seqs, 29)
        await store.installCheckpoint(ns, checkpointAt(at(seqs, 4), '4'))
        const calls = [5, 12, 20].flatMap((i) => [
          checkRead(store, seqs, texts, i),
          store.installCheckpoint(ns, checkpointAt(at(seqs, i), `${i}`)),
          checkRead(store, seqs, texts, i),
          store.trim(ns, at(seqs, i)),
          checkRead(store, seqs, texts, i - 5),
          checkNewest(store),
          store.heads([ns, 'nowhere']).then((ranges) => assert.equal(ranges.get(ns)?.head, head)),
          store.append(`other-${i}`, 0, bytesOf('one')),
          store.append(ns, at(seqs, i), bytesOf('too late')).then((result) => {
            assert.deepEqual(result, { kind: 'moved', head })
          }),
          store.namespaces().then((names) => assert.ok(names.includes(ns))),
        ])
        await Promise.all(calls)
        await checkRead(store, seqs, texts, 25)
        const range = (await store.heads([ns])).get(ns)
        const checkpoint = await store.checkpoint(ns)
        assert.equal(checkpoint?.seq, at(seqs, 20))
        assert.ok((range?.floor ?? 0) <= checkpoint.seq, 'nothing is dropped that no checkpoint covers')
        assert.equal((await tail(store, ns, range?.floor ?? 0)).at(-1)?.seq, head)
      }),

    'a namespace that is removed while it is appended to, trimmed and folded is gone': () =>
      withHubStore(open, async (store) => {
        for (let round = 0; round < 6; round++) {
          const namespace = `room-${round}`
          const seqs = await appendAll(store, ['1', '2', '3', '4'], { namespace })
          await store.installCheckpoint(namespace, checkpointAt(at(seqs, 1), 'at 2'))
          const held = await store.checkpoint(namespace)
          const calls = [
            () => store.append(namespace, at(seqs, 3), bytesOf('5')),
            () => store.remove(namespace),
            () => store.trim(namespace, at(seqs, 2)),
            () => store.installCheckpoint(namespace, checkpointAt(at(seqs, 2), 'at 3')),
            () => ownOrAgain(held?.snapshot()).then((text) => assert.ok(text !== 'snapshot at 3')),
            () => store.append(namespace, 0, bytesOf('new')),
          ]
          // Each round begins elsewhere, so that every call comes before and after the removal.
          const turned = [...calls.slice(round), ...calls.slice(0, round)]
          await Promise.all(turned.map((call) => call()))
          assert.equal(await store.state(namespace), 'removed')
          assert.equal((await store.heads([namespace])).size, 0)
          assert.deepEqual(await tail(store, namespace, 0), [])
        }
      }),

    '[St10] removals, trims and checkpoints under way when the store closes are answered, done or not done':
      () =>
        withHubStore(open, async (store, { reopen }) => {
          const seqs = new Map<string, readonly Seq[]>()
          const names = Array.from({ length: 12 }, (_, i) => `room-${i}`)
          for (const name of names)
            seqs.set(name, await appendAll(store, ['1', '2', '3'], { namespace: name }))
          const calls = names.map((name, i) => {
            const seq = at(seqs.get(name) ?? [], 1)
            if (i % 3 === 0) return store.remove(name)
            return i % 3 === 1
              ? store.installCheckpoint(name, checkpointAt(seq, name))
              : store.installCheckpoint(name, checkpointAt(seq, name)).then(() => store.trim(name, seq))
          })
          const closing = store.close()
          const outcomes = await Promise.allSettled(calls)
          await closing
          const again = await needed(reopen, 'reopen')()
          for (const [i, outcome] of outcomes.entries()) {
            const name = at(names, i)
            if (outcome.status === 'rejected') {
              assert.ok(outcome.reason instanceof SyncError && outcome.reason.code === 'STORE_CLOSED')
            }
            const state = await again.state(name)
            if (i % 3 !== 0) assert.equal(state, 'present')
            else if (outcome.status === 'fulfilled') assert.equal(state, 'removed')
            const range = (await again.heads([name])).get(name)
            const records = await tail(again, name, range?.floor ?? 0)
            assert.equal(records.at(-1)?.seq, range?.head)
            const checkpoint = await again.checkpoint(name)
            if (i % 3 !== 0 && outcome.status === 'fulfilled')
              assert.equal(checkpoint?.seq, at(seqs.get(name) ?? [], 1))
            if (checkpoint !== null) assert.equal(textOf(await checkpoint.snapshot()), `snapshot ${name}`)
          }
        }),

    '[St10] reads under way when the store closes are answered or fail with STORE_CLOSED, and none hangs':
      () =>
        withHubStore(open, async (store) => {
          const seqs = await appendAll(store, ['1', '2', '3'])
          await store.installCheckpoint(ns, checkpointAt(at(seqs, 1), 'held'))
          const held = await store.checkpoint(ns)
          const calls = [
            store.readTail(ns, 0, all),
            store.readTail('nowhere', 0, all),
            store.heads([ns, 'nowhere']),
            store.state(ns),
            store.checkpoint(ns),
            held?.snapshot() ?? Promise.resolve(),
            store.namespaces(),
          ]
          const closing = store.close()
          for (const outcome of await Promise.allSettled(calls)) {
            if (outcome.status === 'fulfilled') continue
            assert.ok(
              outcome.reason instanceof SyncError && outcome.reason.code === 'STORE_CLOSED',
              String(outcome.reason),
            )
          }
          await closing
        }),

    '[St7] a snapshot that is read while it is replaced, trimmed and removed is its own or asks to be read again':
      () =>
        withHubStore(open, async (store) => {
          const seqs = await appendAll(
            store,
            Array.from({ length: 12 }, (_, i) => `${i}`),
          )
          const large = (i: number) => new Uint8Array(300_000).fill(i)
          const install = (i: number) =>
            store.installCheckpoint(ns, { seq: at(seqs, i), marks: bytesOf(`${i}`), snapshot: large(i) })
          await install(0)
          const reads: Promise<void>[] = []
          for (let i = 1; i < 12; i++) {
            const held = await store.checkpoint(ns)
            assert.ok(held !== null)
            const place = seqs.indexOf(held.seq)
            assert.equal(textOf(held.marks), `${place}`, 'marks and seq are of one checkpoint')
            const read = async () => {
              const bytes = await held.snapshot().catch(checkRetryable)
              if (bytes !== null)
                assert.ok(Buffer.from(bytes).equals(large(place)), 'bytes of another checkpoint')
            }
            reads.push(read(), read())
            await Promise.all([install(i), store.trim(ns, at(seqs, i - 1)), read()])
          }
          const last = await store.checkpoint(ns)
          reads.push(
            store.remove(ns),
            last === null ? Promise.resolve() : last.snapshot().then(() => {}, checkRetried),
          )
          await Promise.all(reads)
        }),

    'a cursor at every edge of a trimmed log has the records after it, or a gap': () =>
      withHubStore(open, async (store) => {
        const texts = ['1', '2', '3', '4', '5', '6']
        const seqs = await appendAll(store, texts)
        const [floor, head] = [at(seqs, 2), at(seqs, 5)]
        await store.installCheckpoint(ns, checkpointAt(at(seqs, 3), 'at 4'))
        await store.trim(ns, floor)
        const edges = new Set([
          0,
          1,
          Number.MAX_SAFE_INTEGER - 1,
          Number.MAX_SAFE_INTEGER,
          ...seqs.flatMap((seq) => [seq - 1, seq, seq + 1]),
        ])
        for (const after of edges) {
          for (const limit of [all, { ...all, records: 1 }, { ...all, bytes: 0 }]) {
            const result = await store.readTail(ns, after, limit)
            if (after < floor) {
              assert.deepEqual(result, { kind: 'gap', floor, head }, `after ${after}`)
              continue
            }
            assert.ok(result.kind === 'records', `after ${after}`)
            const expected = texts.filter((_, i) => at(seqs, i) > after)
            const read = result.records.map(({ body }) => textOf(body))
            assert.deepEqual(read, limit === all ? expected : expected.slice(0, 1), `after ${after}`)
            assert.equal(result.more, read.length < expected.length, `after ${after}`)
            if (seqs.includes(after)) checkChain(result.records, after)
          }
        }
      }),

    'trims at every edge: nothing, the floor, the checkpoint, the head, and far beyond': () =>
      withHubStore(open, async (store) => {
        const seqs = await appendAll(store, ['1', '2', '3', '4', '5'])
        const head = at(seqs, 4)
        await store.installCheckpoint(ns, checkpointAt(at(seqs, 2), 'at 3'))
        const expected: readonly [upTo: Seq, floor: Seq][] = [
          [0, 0],
          [at(seqs, 0) - 1, 0],
          [at(seqs, 0), at(seqs, 0)],
          [at(seqs, 1), at(seqs, 1)],
          [at(seqs, 2), at(seqs, 2)],
          [at(seqs, 2) + 1, at(seqs, 2)],
          [head, at(seqs, 2)],
          [Number.MAX_SAFE_INTEGER, at(seqs, 2)],
        ]
        for (const [upTo, floor] of expected) {
          assert.deepEqual(await store.trim(ns, upTo), { floor, head }, `up to ${upTo}`)
        }
        await append(store, ns, head, '6')
      }),
  }
}

async function checkRead(
  store: HubStore,
  seqs: readonly Seq[],
  texts: readonly string[],
  i: number,
): Promise<void> {
  const result = await store.readTail(ns, at(seqs, i), all)
  if (result.kind === 'gap') return assert.ok(at(seqs, i) < result.floor, 'a gap is below the floor')
  checkChain(result.records, at(seqs, i))
  assert.deepEqual(
    result.records.map(({ body }) => textOf(body)),
    texts.slice(i + 1),
  )
}

async function checkNewest(store: HubStore): Promise<void> {
  const checkpoint = await store.checkpoint(ns)
  assert.ok(checkpoint !== null)
  const text = textOf(checkpoint.marks).replace('marks', 'snapshot')
  const read = await ownOrAgain(checkpoint.snapshot())
  assert.ok(read === text || read === 'again', `${read} is not ${text}`)
}

/** The text of a snapshot, or `again` where its reader is told to ask for the newest one. */
async function ownOrAgain(snapshot: Promise<Uint8Array> | undefined): Promise<string> {
  const bytes = await snapshot?.catch(checkRetryable)
  return bytes === undefined || bytes === null ? 'again' : textOf(bytes)
}

function checkRetryable(error: unknown): null {
  assert.ok(error instanceof SyncError && error.retryable, String(error))
  return null
}

function checkRetried(error: unknown): void {
  checkRetryable(error)
}
