/** Reading: limits, gaps, heads, isolation (St4, St9). */
import assert from 'node:assert/strict'
import type { HubStore, Seq, TailLimit } from '@rejoin/core'
import type { Cases } from '../suite-cases.ts'
import {
  all,
  append,
  appendAll,
  at,
  checkChain,
  checkpointAt,
  checkTexts,
  ns,
  textOf,
  withHubStore,
  type OpenHubStore,
} from './opened.ts'

export function tailCases(open: OpenHubStore): Cases {
  return {
    'a tail after the head, beyond it, or of an unknown namespace is empty': () =>
      withHubStore(open, async (store) => {
        const head = await append(store, ns, 0, 'one')
        const nothing = { kind: 'records', records: [], more: false }
        assert.deepEqual(await store.readTail(ns, head, all), nothing)
        assert.deepEqual(await store.readTail(ns, head + 1_000, all), nothing)
        assert.deepEqual(await store.readTail('nowhere', 0, all), nothing)
        assert.deepEqual(await store.readTail('nowhere', 5, all), nothing)
      }),

    'a tail is limited by records and says that there is more': () =>
      withHubStore(open, async (store) => {
        await appendAll(store, ['1', '2', '3', '4', '5'])
        assert.deepEqual(await pages(store, { ...all, records: 2 }), [['1', '2'], ['3', '4'], ['5']])
        assert.deepEqual(await pages(store, { ...all, records: 5 }), [['1', '2', '3', '4', '5']])
      }),

    'a tail is limited by bytes and says that there is more': () =>
      withHubStore(open, async (store) => {
        await appendAll(store, ['aaaa', 'bbbb', 'cccc', 'd', 'e'])
        assert.deepEqual(await pages(store, { ...all, bytes: 8 }), [
          ['aaaa', 'bbbb'],
          ['cccc', 'd', 'e'],
        ])
        assert.deepEqual(await pages(store, { ...all, bytes: 7 }), [['aaaa'], ['bbbb'], ['cccc', 'd', 'e']])
      }),

    'a tail has at least one record, also where it is larger than the limit': () =>
      withHubStore(open, async (store) => {
        await appendAll(store, ['a large record', 'another large record'])
        assert.deepEqual(await pages(store, { records: 1, bytes: 1 }), [
          ['a large record'],
          ['another large record'],
        ])
        assert.deepEqual(await pages(store, { records: 0, bytes: 0 }), [
          ['a large record'],
          ['another large record'],
        ])
      }),

    'a cursor at the floor has a tail, one below it has a gap': () =>
      withHubStore(open, async (store) => {
        const seqs = await appendAll(store, ['1', '2', '3', '4', '5'])
        const head = at(seqs, 4)
        await store.installCheckpoint(ns, checkpointAt(at(seqs, 3), 'at 4'))
        assert.deepEqual(await store.trim(ns, at(seqs, 2)), { floor: at(seqs, 2), head })
        const gap = { kind: 'gap', floor: at(seqs, 2), head }
        assert.deepEqual(await store.readTail(ns, 0, all), gap)
        assert.deepEqual(await store.readTail(ns, at(seqs, 2) - 1, all), gap)
        await checkTexts(store, ns, at(seqs, 2), ['4', '5'])
        await checkTexts(store, ns, at(seqs, 3), ['5'])
      }),

    'heads give the range of each namespace that exists and leave out the others': () =>
      withHubStore(open, async (store) => {
        const a = await append(store, 'a', 0, 'one')
        const [, b] = await appendAll(store, ['one', 'two'], { namespace: 'b' })
        await append(store, 'c', 0, 'one')
        await store.remove('c')
        assert.deepEqual(
          await store.heads(['b', 'a', 'c', 'nowhere']),
          new Map([
            ['b', { floor: 0, head: b }],
            ['a', { floor: 0, head: a }],
          ]),
        )
        assert.deepEqual(await store.heads([]), new Map())
      }),

    '[St9] namespaces do not see each other, also where one begins like another': () =>
      withHubStore(open, async (store) => {
        const names = ['a', 'a-b', 'a.b', 'a_b', 'ab', 'a0', 'aa', 'b', '0']
        const seqs = new Map<string, readonly Seq[]>()
        for (const name of names) {
          seqs.set(name, await appendAll(store, [`${name} 1`, `${name} 2`, `${name} 3`], { namespace: name }))
          await store.installCheckpoint(name, checkpointAt(at(seqs.get(name) ?? [], 1), name))
        }
        await store.trim('a', at(seqs.get('a') ?? [], 1))
        await store.remove('ab')
        for (const name of names.filter((each) => each !== 'a' && each !== 'ab')) {
          await checkTexts(store, name, 0, [`${name} 1`, `${name} 2`, `${name} 3`])
          const checkpoint = await store.checkpoint(name)
          assert.equal(textOf(checkpoint?.marks ?? new Uint8Array()), `marks ${name}`)
        }
        await checkTexts(store, 'a', at(seqs.get('a') ?? [], 1), ['a 3'])
        assert.equal(await store.state('ab'), 'removed')
        assert.deepEqual(await store.namespaces(), names.filter((name) => name !== 'ab').sort())
      }),

    '[St9] ten thousand namespaces keep their records apart': () =>
      withHubStore(open, async (store) => {
        const names = Array.from({ length: 10_000 }, (_, i) => `tenant-${i}`)
        await Promise.all(names.map((name) => append(store, name, 0, `of ${name}`)))
        assert.deepEqual(await store.namespaces(), [...names].sort())
        const ranges = await store.heads(names)
        assert.equal(ranges.size, names.length)
        await store.remove('tenant-1')
        for (const name of ['tenant-0', 'tenant-10', 'tenant-1000', 'tenant-9999']) {
          await checkTexts(store, name, 0, [`of ${name}`])
          await append(store, name, ranges.get(name)?.head ?? 0, 'more')
        }
        assert.equal((await store.namespaces()).length, names.length - 1)
      }),
  }
}

/** The whole log, read page by page. */
async function pages(store: HubStore, limit: TailLimit): Promise<readonly (readonly string[])[]> {
  const read: string[][] = []
  let after = 0
  for (;;) {
    const result = await store.readTail(ns, after, limit)
    assert.ok(result.kind === 'records')
    checkChain(result.records, after)
    read.push(result.records.map(({ body }) => textOf(body)))
    after = result.records.at(-1)?.seq ?? after
    if (!result.more) return read
    assert.ok(read.length < 100, 'reading on comes to an end')
  }
}
