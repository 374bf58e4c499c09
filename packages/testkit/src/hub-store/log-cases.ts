/** Appending: St1, St2, St3, St8. */
import assert from 'node:assert/strict'
import type { HubStore } from '@rejoin/core'
import type { Cases } from '../suite-cases.ts'
import {
  append,
  appendAll,
  at,
  bytesOf,
  checkChain,
  checkFailed,
  checkTexts,
  needed,
  ns,
  tail,
  textOf,
  withHubStore,
  type OpenHubStore,
} from './opened.ts'

export function logCases(open: OpenHubStore): Cases {
  return {
    '[St1] what was appended reads back byte for byte': () =>
      withHubStore(open, async (store) => {
        const bodies = [
          new Uint8Array(0),
          Uint8Array.from({ length: 256 }, (_, i) => i),
          new Uint8Array(1_500_000),
        ]
        let head = 0
        for (const body of bodies) {
          const result = await store.append(ns, head, body)
          assert.ok(result.kind === 'appended')
          head = result.seq
        }
        const records = await tail(store, ns, 0)
        assert.deepEqual(
          records.map(({ body }) => Buffer.from(body).toString('hex')),
          bodies.map((body) => Buffer.from(body).toString('hex')),
        )
      }),

    '[St1] bytes that a caller changes after the append are stored as they were': () =>
      withHubStore(open, async (store) => {
        const body = bytesOf('as appended')
        await store.append(ns, 0, body)
        body.fill(0)
        await checkTexts(store, ns, 0, ['as appended'])
      }),

    '[St2] a seq passes the one that it is told to pass, and the log goes on from there': () =>
      withHubStore(open, async (store, { reopen }) => {
        const first = await append(store, ns, 0, 'one')
        const jump = first + 2 ** 32
        const far = await store.append(ns, first, bytesOf('two'), jump)
        assert.ok(far.kind === 'appended' && far.seq > jump)
        const near = await store.append(ns, far.seq, bytesOf('three'), first)
        assert.ok(near.kind === 'appended' && near.seq > far.seq)
        const again = await needed(reopen, 'reopen')()
        await checkTexts(again, ns, 0, ['one', 'two', 'three'])
        await checkTexts(again, ns, first, ['two', 'three'])
        const after = await again.readTail(ns, jump, { records: 9, bytes: 999 })
        assert.deepEqual(after.kind === 'records' && after.records.map(({ seq }) => seq), [far.seq, near.seq])
        await again.installCheckpoint(ns, { seq: far.seq, marks: bytesOf('m'), snapshot: bytesOf('s') })
        await again.trim(ns, jump)
        assert.deepEqual((await again.heads([ns])).get(ns), { floor: first, head: near.seq })
        assert.deepEqual(await again.append(ns, first, bytesOf('late'), 2 ** 40), {
          kind: 'moved',
          head: near.seq,
        })
      }),

    '[St1] a reopened store has every record, checkpoint and removal': () =>
      withHubStore(open, async (store, { reopen }) => {
        const seqs = await appendAll(store, ['one', 'two', 'three'])
        await store.installCheckpoint(ns, {
          seq: at(seqs, 1),
          marks: bytesOf('marks'),
          snapshot: bytesOf('snapshot'),
        })
        await store.trim(ns, at(seqs, 0))
        await append(store, 'gone', 0, 'removed soon')
        await store.remove('gone')
        const again = await needed(reopen, 'reopen')()
        assert.equal(again.incarnation, store.incarnation)
        assert.deepEqual((await again.heads([ns])).get(ns), { floor: at(seqs, 0), head: at(seqs, 2) })
        await checkTexts(again, ns, at(seqs, 0), ['two', 'three'])
        const checkpoint = await again.checkpoint(ns)
        assert.ok(checkpoint !== null)
        assert.equal(textOf(await checkpoint.snapshot()), 'snapshot')
        assert.equal(await again.state('gone'), 'removed')
        await append(again, ns, at(seqs, 2), 'four')
      }),

    '[St2] records form one chain in the order they were appended': () =>
      withHubStore(open, async (store) => {
        const texts = Array.from({ length: 20 }, (_, i) => `record ${i}`)
        const seqs = await appendAll(store, texts)
        await checkTexts(store, ns, 0, texts)
        assert.deepEqual(
          (await tail(store, ns, 0)).map(({ seq }) => seq),
          seqs,
        )
      }),

    '[St3] an append after an older seq writes nothing and names the head': () =>
      withHubStore(open, async (store) => {
        const seqs = await appendAll(store, ['one', 'two'])
        for (const after of [0, at(seqs, 0)]) {
          const result = await store.append(ns, after, bytesOf('too late'))
          assert.deepEqual(result, { kind: 'moved', head: at(seqs, 1) })
        }
        await checkTexts(store, ns, 0, ['one', 'two'])
      }),

    '[St3] an append after a seq that is not there yet writes nothing and names the head': () =>
      withHubStore(open, async (store) => {
        const head = await append(store, ns, 0, 'one')
        assert.deepEqual(await store.append(ns, head + 1, bytesOf('too early')), { kind: 'moved', head })
        await checkTexts(store, ns, 0, ['one'])
      }),

    '[St3] an append after a seq of a namespace that does not exist creates nothing': () =>
      withHubStore(open, async (store) => {
        assert.deepEqual(await store.append(ns, 7, bytesOf('after what?')), { kind: 'moved', head: 0 })
        assert.equal(await store.state(ns), 'unknown')
      }),

    '[St3] of concurrent appends after the same head exactly one is written': () =>
      withHubStore(open, async (store) => {
        let head = 0
        for (let round = 0; round < 5; round++) {
          const after = head
          const texts = Array.from({ length: 12 }, (_, i) => `round ${round}, writer ${i}`)
          const results = await Promise.all(texts.map((text) => store.append(ns, after, bytesOf(text))))
          const appended = results.filter((result) => result.kind === 'appended')
          assert.equal(appended.length, 1)
          head = at(appended, 0).seq
          for (const result of results) {
            if (result.kind === 'moved') assert.equal(result.head, head)
          }
          assert.equal((await tail(store, ns, after)).length, 1)
        }
      }),

    '[St2] writers who retry after each other leave one chain with every record once': () =>
      withHubStore(open, async (store) => {
        await Promise.all(
          Array.from({ length: 6 }, (_, writer) => appendRetrying(store, `writer ${writer}`, 5)),
        )
        const texts = (await tail(store, ns, 0)).map(({ body }) => textOf(body))
        assert.equal(texts.length, 30)
        assert.equal(new Set(texts).size, 30)
        for (let writer = 0; writer < 6; writer++) {
          const own = texts.filter((text) => text.startsWith(`writer ${writer} `))
          assert.deepEqual(
            own,
            Array.from({ length: 5 }, (_, i) => `writer ${writer} record ${i}`),
          )
        }
      }),

    '[St1] appends of many namespaces at once all arrive, each in its own log': () =>
      withHubStore(open, async (store) => {
        const names = Array.from({ length: 40 }, (_, i) => `room-${i}`)
        await Promise.all(
          names.map((name) => appendAll(store, [`${name} a`, `${name} b`], { namespace: name })),
        )
        for (const name of names) await checkTexts(store, name, 0, [`${name} a`, `${name} b`])
      }),

    '[St8] an append repeated verbatim happens once': () =>
      withHubStore(open, async (store) => {
        const head = await append(store, ns, 0, 'once')
        assert.deepEqual(await store.append(ns, 0, bytesOf('once')), { kind: 'moved', head })
        await checkTexts(store, ns, 0, ['once'])
      }),

    '[St8] an append whose outcome is unknown may be repeated and happens at most once': () =>
      withHubStore(open, async (store, { failNextWrite }) => {
        const first = await append(store, ns, 0, 'before')
        needed(failNextWrite, 'failNextWrite')()
        await checkFailed(store.append(ns, first, bytesOf('perhaps')))
        await store.append(ns, first, bytesOf('perhaps'))
        const records = await tail(store, ns, 0)
        checkChain(records, 0)
        assert.deepEqual(
          records.map(({ body }) => textOf(body)),
          ['before', 'perhaps'],
        )
      }),
  }
}

async function appendRetrying(store: HubStore, writer: string, count: number): Promise<void> {
  let after = 0
  for (let i = 0; i < count;) {
    const result = await store.append(ns, after, bytesOf(`${writer} record ${i}`))
    if (result.kind === 'appended') i += 1
    after = result.kind === 'appended' ? result.seq : result.head
  }
}
