/** Checkpoints and trimming: St5, St6, St7. */
import assert from 'node:assert/strict'
import { SyncError } from '@rejoin/core'
import type { Cases } from '../suite-cases.ts'
import {
  append,
  appendAll,
  at,
  bytesOf,
  checkpointAt,
  checkTexts,
  ns,
  textOf,
  withHubStore,
  type OpenHubStore,
} from './opened.ts'

export function checkpointCases(open: OpenHubStore): Cases {
  return {
    'a namespace has no checkpoint until one is installed': () =>
      withHubStore(open, async (store) => {
        assert.equal(await store.checkpoint('nowhere'), null)
        await append(store, ns, 0, 'one')
        assert.equal(await store.checkpoint(ns), null)
      }),

    '[St7] a checkpoint reads back with its seq, marks and snapshot': () =>
      withHubStore(open, async (store) => {
        const head = await append(store, ns, 0, 'one')
        const marks = bytesOf('small')
        const snapshot = new Uint8Array(800_000).fill(7)
        assert.equal(await store.installCheckpoint(ns, { seq: head, marks, snapshot }), 'installed')
        const checkpoint = await store.checkpoint(ns)
        assert.ok(checkpoint !== null)
        assert.equal(checkpoint.seq, head)
        assert.deepEqual(Buffer.from(checkpoint.marks), Buffer.from(marks))
        assert.ok(Buffer.from(await checkpoint.snapshot()).equals(snapshot))
        assert.ok(Buffer.from(await checkpoint.snapshot()).equals(snapshot), 'it may be read twice')
      }),

    '[St7] a checkpoint only moves forward': () =>
      withHubStore(open, async (store) => {
        const seqs = await appendAll(store, ['1', '2', '3'])
        assert.equal(await store.installCheckpoint(ns, checkpointAt(at(seqs, 1), 'first')), 'installed')
        assert.equal(await store.installCheckpoint(ns, checkpointAt(at(seqs, 1), 'same seq')), 'superseded')
        assert.equal(await store.installCheckpoint(ns, checkpointAt(at(seqs, 0), 'older')), 'superseded')
        assert.equal(textOf((await store.checkpoint(ns))?.marks ?? new Uint8Array()), 'marks first')
        assert.equal(await store.installCheckpoint(ns, checkpointAt(at(seqs, 2), 'newer')), 'installed')
        const checkpoint = await store.checkpoint(ns)
        assert.ok(checkpoint !== null)
        assert.equal(checkpoint.seq, at(seqs, 2))
        assert.equal(textOf(checkpoint.marks), 'marks newer')
        assert.equal(textOf(await checkpoint.snapshot()), 'snapshot newer')
      }),

    '[St7] of checkpoints installed at once the newest stays': () =>
      withHubStore(open, async (store) => {
        const seqs = await appendAll(store, ['1', '2', '3', '4', '5', '6'])
        await Promise.all(
          [4, 1, 5, 0, 3, 2].map((i) => store.installCheckpoint(ns, checkpointAt(at(seqs, i), `${i}`))),
        )
        const checkpoint = await store.checkpoint(ns)
        assert.equal(checkpoint?.seq, at(seqs, 5))
        assert.equal(textOf(await checkpoint.snapshot()), 'snapshot 5')
      }),

    '[St7] a checkpoint held while newer ones are installed gives its own snapshot or asks to be read again':
      () =>
        withHubStore(open, async (store) => {
          const seqs = await appendAll(store, ['1', '2', '3', '4'])
          await store.installCheckpoint(ns, checkpointAt(at(seqs, 0), 'held'))
          const held = await store.checkpoint(ns)
          assert.ok(held !== null)
          for (const i of [1, 2, 3]) {
            await store.installCheckpoint(ns, checkpointAt(at(seqs, i), `${i}`))
            const text = await held.snapshot().then(textOf, (error: unknown) => {
              assert.ok(error instanceof SyncError)
              assert.ok(error.retryable, `${error.code} is retryable`)
              return 'asked to be read again'
            })
            assert.ok(text === 'snapshot held' || text === 'asked to be read again', text)
          }
        }),

    '[St5] trimming without a checkpoint drops nothing': () =>
      withHubStore(open, async (store) => {
        const seqs = await appendAll(store, ['1', '2', '3'])
        assert.deepEqual(await store.trim(ns, at(seqs, 2)), { floor: 0, head: at(seqs, 2) })
        await checkTexts(store, ns, 0, ['1', '2', '3'])
      }),

    '[St5] trimming stops at the checkpoint': () =>
      withHubStore(open, async (store) => {
        const seqs = await appendAll(store, ['1', '2', '3', '4'])
        await store.installCheckpoint(ns, checkpointAt(at(seqs, 1), 'at 2'))
        assert.deepEqual(await store.trim(ns, at(seqs, 3)), { floor: at(seqs, 1), head: at(seqs, 3) })
        await checkTexts(store, ns, at(seqs, 1), ['3', '4'])
      }),

    '[St6] trimming keeps the newest record, whatever covers it': () =>
      withHubStore(open, async (store) => {
        const seqs = await appendAll(store, ['1', '2', '3'])
        await store.installCheckpoint(ns, checkpointAt(at(seqs, 2), 'at the head'))
        const range = { floor: at(seqs, 1), head: at(seqs, 2) }
        assert.deepEqual(await store.trim(ns, at(seqs, 2)), range)
        assert.deepEqual(await store.trim(ns, at(seqs, 2) + 1_000), range)
        await checkTexts(store, ns, at(seqs, 1), ['3'])
        assert.deepEqual(await store.append(ns, 0, bytesOf('a new log?')), {
          kind: 'moved',
          head: at(seqs, 2),
        })
        await append(store, ns, at(seqs, 2), '4')
        await checkTexts(store, ns, at(seqs, 1), ['3', '4'])
      }),

    '[St6] a single record is never dropped': () =>
      withHubStore(open, async (store) => {
        const head = await append(store, ns, 0, 'only')
        await store.installCheckpoint(ns, checkpointAt(head, 'covers it'))
        assert.deepEqual(await store.trim(ns, head), { floor: 0, head })
        await checkTexts(store, ns, 0, ['only'])
      }),

    'trimming never brings the floor back, and trims nothing twice': () =>
      withHubStore(open, async (store) => {
        const seqs = await appendAll(store, ['1', '2', '3', '4'])
        await store.installCheckpoint(ns, checkpointAt(at(seqs, 3), 'all'))
        const range = await store.trim(ns, at(seqs, 2))
        assert.deepEqual(range, { floor: at(seqs, 2), head: at(seqs, 3) })
        for (const upTo of [at(seqs, 2), at(seqs, 0), 0]) assert.deepEqual(await store.trim(ns, upTo), range)
        assert.deepEqual(await store.trim('nowhere', 5), { floor: 0, head: 0 })
      }),

    'a tail read while records are trimmed is whole or a gap': () =>
      withHubStore(open, async (store) => {
        const texts = Array.from({ length: 60 }, (_, i) => `${i}`)
        const seqs = await appendAll(store, texts)
        await store.installCheckpoint(ns, checkpointAt(at(seqs, 59), 'all'))
        const trims = [10, 20, 30, 40].map((i) => store.trim(ns, at(seqs, i)))
        const reads = [0, 5, 15, 25, 45].map(async (i) => {
          const result = await store.readTail(ns, at(seqs, i), { records: 100, bytes: 1_000_000 })
          if (result.kind === 'gap') return
          assert.deepEqual(
            result.records.map(({ body }) => textOf(body)),
            texts.slice(i + 1),
          )
        })
        await Promise.all([...trims, ...reads])
      }),
  }
}
