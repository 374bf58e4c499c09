/**
 * The store opened twice, as by two hubs that know nothing of each other (St3, St4, St7, St8). The conditional append is
 * where they meet; a read of the one may be late by what the other has just written, so these cases wait for it, bounded.
 */
import assert from 'node:assert/strict'
import type { HubStore, Namespace, Seq, StoredRecord } from '@rejoin/core'
import type { Cases } from '../suite-cases.ts'
import {
  all,
  append,
  appendAll,
  at,
  bytesOf,
  checkChain,
  checkFailed,
  checkpointAt,
  needed,
  ns,
  textOf,
  withHubStore,
  type OpenedHubStore,
  type OpenHubStore,
} from './opened.ts'

export function twoHubsCases(open: OpenHubStore): Cases {
  const withTwo = (run: (a: HubStore, b: HubStore, opened: OpenedHubStore) => Promise<void>) =>
    withHubStore(open, async (store, opened) =>
      run(store, await needed(opened.openBeside, 'openBeside')(), opened),
    )
  return {
    '[St3] two hubs that append after the same head: one is written, the other is told the head': () =>
      withTwo(async (a, b) => {
        let head = 0
        for (let round = 0; round < 10; round++) {
          const after = head
          const results = await Promise.all(
            [a, b, a, b].map((store, i) => store.append(ns, after, bytesOf(`round ${round}, ${i}`))),
          )
          const appended = results.filter((result) => result.kind === 'appended')
          assert.equal(appended.length, 1)
          head = at(appended, 0).seq
          for (const result of results) if (result.kind === 'moved') assert.equal(result.head, head)
        }
        assert.equal((await tailUpTo(b, ns, 0, head)).length, 10)
      }),

    '[St2] two hubs that fold in what they are told and try again leave one chain with every record once':
      () =>
        withTwo(async (a, b) => {
          const writers = [a, b, a, b].map((store, writer) => appendFolding(store, `writer ${writer}`, 8))
          const heads = await Promise.all(writers)
          const records = await tailUpTo(a, ns, 0, Math.max(...heads))
          const texts = records.map(({ body }) => textOf(body))
          assert.equal(new Set(texts).size, 32)
          for (let writer = 0; writer < 4; writer++) {
            const own = texts.filter((text) => text.startsWith(`writer ${writer} `))
            assert.deepEqual(
              own,
              Array.from({ length: 8 }, (_, i) => `writer ${writer} record ${i}`),
            )
          }
        }),

    '[St8] what one hub does not know of its append, the other may repeat: it happens at most once': () =>
      withTwo(async (a, b, { failNextWrite }) => {
        const first = await append(a, ns, 0, 'before')
        needed(failNextWrite, 'failNextWrite')()
        await checkFailed(a.append(ns, first, bytesOf('perhaps')))
        const [result] = await Promise.all([
          b.append(ns, first, bytesOf('perhaps')),
          a.append(ns, first, bytesOf('perhaps')),
        ])
        const head = result.kind === 'appended' ? result.seq : result.head
        for (const store of [a, b]) {
          const texts = (await tailUpTo(store, ns, 0, head)).map(({ body }) => textOf(body))
          assert.deepEqual(texts, ['before', 'perhaps'])
        }
      }),

    '[St7] of the checkpoints of two hubs the newest stays': () =>
      withTwo(async (a, b) => {
        const seqs = await appendAll(a, ['1', '2', '3', '4'])
        assert.equal(await a.installCheckpoint(ns, checkpointAt(at(seqs, 2), 'of a')), 'installed')
        assert.equal(await b.installCheckpoint(ns, checkpointAt(at(seqs, 1), 'older, of b')), 'superseded')
        assert.equal(await b.installCheckpoint(ns, checkpointAt(at(seqs, 2), 'same, of b')), 'superseded')
        const both = await Promise.all([
          a.installCheckpoint(ns, checkpointAt(at(seqs, 3), 'twice')),
          b.installCheckpoint(ns, checkpointAt(at(seqs, 3), 'twice')),
        ])
        assert.deepEqual(both.sort(), ['installed', 'superseded'])
        for (const store of [a, b]) {
          const checkpoint = await eventually(
            () => store.checkpoint(ns),
            (found) => found?.seq === at(seqs, 3),
          )
          assert.equal(textOf((await checkpoint?.snapshot()) ?? new Uint8Array()), 'snapshot twice')
        }
      }),

    '[St4] a hub that reads while the other trims has a whole tail or a gap, and never a hole': () =>
      withTwo(async (a, b) => {
        const texts = Array.from({ length: 40 }, (_, i) => `${i}`)
        const seqs = await appendAll(a, texts)
        await a.installCheckpoint(ns, checkpointAt(at(seqs, 39), 'all'))
        const reading = Promise.all(
          Array.from({ length: 40 }, async (_, i) => {
            const result = await b.readTail(ns, at(seqs, i), all)
            if (result.kind === 'gap') return assert.ok(at(seqs, i) < result.floor)
            checkChain(result.records, at(seqs, i))
            const read = result.records.map(({ body }) => textOf(body))
            // It may be late, then it ends early.
            assert.deepEqual(read, texts.slice(i + 1, i + 1 + read.length))
          }),
        )
        for (const i of [5, 15, 25, 35]) await a.trim(ns, at(seqs, i))
        await reading
        const gap = await eventually(
          () => b.readTail(ns, at(seqs, 34), all),
          (result) => result.kind === 'gap',
        )
        assert.deepEqual(gap, { kind: 'gap', floor: at(seqs, 35), head: at(seqs, 39) })
      }),

    '[St3] what one hub removed, the other does not bring back by appending to it': () =>
      withTwo(async (a, b) => {
        const seqs = await appendAll(a, ['old 1', 'old 2'])
        await tailUpTo(b, ns, 0, at(seqs, 1))
        await a.remove(ns)
        for (const after of [at(seqs, 1), 0]) {
          const late = await b.append(ns, after, bytesOf('late'))
          assert.deepEqual(late, { kind: 'moved', head: 0 })
        }
        assert.equal(await a.state(ns), 'removed')
      }),

    '[St10] closing the store of one hub leaves that of the other': () =>
      withTwo(async (a, b) => {
        const head = await append(a, ns, 0, 'one')
        await a.close()
        const second = await append(b, ns, head, 'two')
        assert.equal((await tailUpTo(b, ns, 0, second)).length, 2)
      }),
  }
}

/** As a room does: told that the log moved, it reads the tail and appends after what it found. Its last seq. */
async function appendFolding(store: HubStore, writer: string, count: number): Promise<Seq> {
  let after = 0
  for (let i = 0; i < count;) {
    const result = await store.append(ns, after, bytesOf(`${writer} record ${i}`))
    if (result.kind === 'moved') {
      after = (await tailUpTo(store, ns, after, result.head)).at(-1)?.seq ?? after
      continue
    }
    after = result.seq
    i += 1
  }
  return after
}

/** The records after `after`, once those up to `head` are seen. */
async function tailUpTo(
  store: HubStore,
  namespace: Namespace,
  after: Seq,
  head: Seq,
): Promise<readonly StoredRecord[]> {
  const result = await eventually(
    () => store.readTail(namespace, after, all),
    (found) => found.kind === 'gap' || (found.records.at(-1)?.seq ?? after) >= head,
  )
  assert.ok(result.kind === 'records', `a tail after ${after} came back as ${result.kind}`)
  checkChain(result.records, after)
  return result.records
}

/** St4: a read may be late, so it is repeated, up to a bound. */
async function eventually<T>(read: () => Promise<T>, isThere: (found: T) => boolean): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    const found = await read()
    if (isThere(found)) return found
    assert.ok(attempt < 1_000, 'what the other hub wrote is seen at last')
  }
}
