/** Writes that fail with an unknown outcome, of every kind: told with a code, done whole or not at all, and repeatable (St8). */
import assert from 'node:assert/strict'
import type { HubStore } from '@rejoin/core'
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
  checkTexts,
  needed,
  ns,
  tail,
  textOf,
  withHubStore,
  type OpenHubStore,
} from './opened.ts'

export function failingCases(open: OpenHubStore): Cases {
  const withFailure = (run: (store: HubStore, failNext: () => void) => Promise<void>) =>
    withHubStore(open, (store, { failNextWrite }) => run(store, needed(failNextWrite, 'failNextWrite')))
  return {
    '[St8] an append that fails is told with a code, and the log goes on': () =>
      withFailure(async (store, failNext) => {
        failNext()
        await checkFailed(store.append(ns, 0, bytesOf('perhaps')))
        const [found] = await tail(store, ns, 0)
        const head = found?.seq ?? (await append(store, ns, 0, 'perhaps'))
        await append(store, ns, head, 'next')
        await checkTexts(store, ns, 0, ['perhaps', 'next'])
      }),

    '[St7] [St8] a checkpoint whose outcome is unknown is there whole or not at all, and may be installed again':
      () =>
        withFailure(async (store, failNext) => {
          const seqs = await appendAll(store, ['1', '2', '3'])
          await store.installCheckpoint(ns, checkpointAt(at(seqs, 0), 'before'))
          failNext()
          await checkFailed(store.installCheckpoint(ns, checkpointAt(at(seqs, 1), 'perhaps')))
          const found = await store.checkpoint(ns)
          const text = textOf((await found?.snapshot()) ?? new Uint8Array())
          assert.equal(textOf(found?.marks ?? new Uint8Array()).replace('marks', 'snapshot'), text)
          assert.ok(['snapshot before', 'snapshot perhaps'].includes(text), text)
          const again = await store.installCheckpoint(ns, checkpointAt(at(seqs, 1), 'perhaps'))
          assert.equal(again, text === 'snapshot before' ? 'installed' : 'superseded')
          assert.equal((await store.checkpoint(ns))?.seq, at(seqs, 1))
          await checkTexts(store, ns, 0, ['1', '2', '3'])
        }),

    '[St5] [St8] a trim whose outcome is unknown has happened or not, and may be repeated': () =>
      withFailure(async (store, failNext) => {
        const seqs = await appendAll(store, ['1', '2', '3', '4'])
        const head = at(seqs, 3)
        await store.installCheckpoint(ns, checkpointAt(at(seqs, 2), 'at 3'))
        failNext()
        await checkFailed(store.trim(ns, at(seqs, 1)))
        const floor = (await store.heads([ns])).get(ns)?.floor
        assert.ok(floor === 0 || floor === at(seqs, 1), `the floor is ${floor}`)
        await checkTexts(store, ns, floor, floor === 0 ? ['1', '2', '3', '4'] : ['3', '4'])
        assert.deepEqual(await store.trim(ns, at(seqs, 1)), { floor: at(seqs, 1), head })
        await checkTexts(store, ns, at(seqs, 1), ['3', '4'])
      }),

    '[St8] [St9] a removal whose outcome is unknown has happened or not, and may be repeated': () =>
      withFailure(async (store, failNext) => {
        const seqs = await appendAll(store, ['1', '2'])
        await append(store, 'stays', 0, 'untouched')
        failNext()
        await checkFailed(store.remove(ns))
        if ((await store.state(ns)) === 'present') await checkTexts(store, ns, 0, ['1', '2'])
        await store.remove(ns)
        assert.equal(await store.state(ns), 'removed')
        assert.equal((await store.append(ns, at(seqs, 1), bytesOf('late'))).kind, 'moved')
        await checkTexts(store, 'stays', 0, ['untouched'])
      }),

    '[St8] of appends of many namespaces with a failed write among them each is there once or not at all':
      () =>
        withFailure(async (store, failNext) => {
          const names = Array.from({ length: 25 }, (_, i) => `room-${i}`)
          for (const name of names) await append(store, name, 0, 'first')
          failNext()
          const outcomes = await Promise.allSettled(
            names.map(async (name) => {
              const { head } = needed((await store.heads([name])).get(name), `range of ${name}`)
              return await store.append(name, head, bytesOf('second'))
            }),
          )
          assert.ok(
            outcomes.some(({ status }) => status === 'rejected'),
            'a write failed, and somebody was told',
          )
          for (const [i, outcome] of outcomes.entries()) {
            const name = at(names, i)
            if (outcome.status === 'rejected') await checkFailed(Promise.reject(outcome.reason as unknown))
            const records = await tail(store, name, 0)
            checkChain(records, 0)
            if (outcome.status === 'fulfilled') assert.equal(records.length, 2, 'what was answered is there')
            // As a room does: repeated verbatim, whatever became of it.
            await store.append(name, at(records, 0).seq, bytesOf('second'))
            await checkTexts(store, name, 0, ['first', 'second'])
          }
        }),

    '[St4] [St8] reads beside a failed write are answered, each right before it or after it': () =>
      withFailure(async (store, failNext) => {
        const first = await append(store, ns, 0, 'one')
        failNext()
        const failing = checkFailed(store.append(ns, first, bytesOf('two')))
        const reads = await Promise.all(Array.from({ length: 5 }, () => store.readTail(ns, 0, all)))
        await failing
        for (const read of reads) {
          assert.ok(read.kind === 'records')
          const texts = read.records.map(({ body }) => textOf(body))
          assert.ok(['one', 'one two'].includes(texts.join(' ')), texts.join(' '))
        }
      }),
  }
}
