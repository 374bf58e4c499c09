// The process of a hub store ends at every call that reaches its database, before it is carried out and after, within every
// method and between them: the store opens, holds what was answered, and of the rest each call whole or not at all.
import assert from 'node:assert/strict'
import type { HubStore } from '@rejoin/core'
import { openHubStore } from '@rejoin/persistence-level'
import { MapHubStore } from '@rejoin/testkit'
import { afterAll, expect, test } from 'vitest'
import { Tally } from './every-point.ts'
import { Fuse } from './fuse.ts'
import {
  append,
  install,
  namespaces,
  plain,
  read,
  readWhole,
  remove,
  trim,
  type HubCall,
} from './hub-calls.ts'
import { MortalDatabase, type Contents } from './mortal-database.ts'

const tally = new Tally('hub store')
afterAll(() => tally.tell())

interface Scenario {
  readonly before: readonly HubCall[]
  /** One group after the other; the calls of a group at once. */
  readonly groups: readonly (readonly HubCall[])[]
}

const end = read('close', (store) => store.close())
const one = (call: HubCall): readonly (readonly HubCall[])[] => [[call]]
const log = (texts: readonly string[], namespace = 'a'): readonly HubCall[] =>
  texts.map((text, i) => append(namespace, i, text))
const folded = [...log(['1', '2', '3', '4', '5']), install('a', 2), trim('a', 1), install('a', 3)]

const scenarios: Record<string, Scenario> = {
  'append to a new namespace': { before: [], groups: one(append('a', 0, 'first')) },
  'append to a log': { before: folded, groups: one(append('a', 5, 'next')) },
  'append after anything but the head': { before: folded, groups: one(append('a', 4, 'too late')) },
  'append beyond seqs that were lost': {
    before: folded,
    groups: [
      [read('append beyond', (store) => store.append('a', 5, new Uint8Array([1]), 2 ** 33))],
      [read('append', (store) => store.append('a', 2 ** 33 + 1, new Uint8Array([2])))],
    ],
  },
  'append to a namespace that was removed': {
    before: [...folded, remove('a')],
    groups: one(append('a', 0, 'late')),
  },
  'a group of appends': {
    before: log(['1']),
    groups: [
      [
        append('a', 1, '2'),
        append('a', 2, '3'),
        append('b', 0, '1'),
        append('a', 1, 'late'),
        append('c', 0, '1'),
      ],
    ],
  },
  'appends one after the other': {
    before: [],
    groups: [...log(['1', '2', '3']), append('b', 0, '1')].map((call) => [call]),
  },
  'install a first checkpoint': { before: log(['1', '2', '3']), groups: one(install('a', 2)) },
  'install a newer checkpoint': { before: folded, groups: one(install('a', 4)) },
  'install a checkpoint that is superseded': { before: folded, groups: one(install('a', 2)) },
  'install, then trim': { before: folded, groups: [[install('a', 5)], [trim('a', 4)]] },
  'install and trim at once, among appends': {
    before: folded,
    groups: [[append('a', 5, '6'), install('a', 5), trim('a', 5), append('a', 6, '7'), trim('a', 6)]],
  },
  trim: { before: folded, groups: one(trim('a', 3)) },
  'trim up to the newest': { before: [...folded, install('a', 5)], groups: one(trim('a', 9)) },
  remove: { before: [...folded, append('b', 0, 'stays')], groups: one(remove('a')) },
  'remove, then append': {
    before: folded,
    groups: [[remove('a')], [append('a', 0, 'late')], [append('b', 0, '1')]],
  },
  'remove and append at once': {
    before: folded,
    groups: [
      [append('a', 5, '6'), remove('a'), append('a', 0, 'late'), install('a', 6), append('b', 0, '1')],
    ],
  },
  readTail: {
    before: folded,
    groups: one(read('tail', (store) => store.readTail('a', 1, { records: 9, bytes: 9_999 }))),
  },
  heads: { before: folded, groups: one(read('heads', (store) => store.heads(['a', 'b']))) },
  state: { before: folded, groups: one(read('state', (store) => store.state('a'))) },
  checkpoint: {
    before: folded,
    groups: one(
      read('checkpoint', async (store) => {
        const checkpoint = await store.checkpoint('a')
        return { ...checkpoint, snapshot: await checkpoint?.snapshot() }
      }),
    ),
  },
  namespaces: { before: folded, groups: one(read('namespaces', (store) => store.namespaces())) },
  close: { before: folded, groups: one(end) },
  'close while others are under way': {
    before: folded,
    groups: [[append('a', 5, '6'), install('a', 5), trim('a', 4), end]],
  },
}

test.each(Object.entries(scenarios))(
  '[St1] [St5] [St7] [St8] [13] ended at any call of the database: %s',
  async (title, scenario) => {
    const { points } = await tally.add(title, (fuse) => play(fuse, scenario))
    expect(points).toBeGreaterThan(0)
  },
)

test('[13] ended at any call while a store is made, or opened', async () => {
  const making = await tally.add('making a store', (fuse) => playOpening(fuse, new Map()))
  const mortal = await MortalDatabase.of(lit())
  const store = await openHubStore(mortal.database, { incarnation: 'first' })
  for (const call of folded) await call.run(store)
  const contents = await mortal.contents()
  const opening = await tally.add('opening a store', (fuse) => playOpening(fuse, contents))
  expect(Math.min(making.points, opening.points)).toBeGreaterThan(0)
})

async function play(fuse: Fuse, { before, groups }: Scenario): Promise<'survived' | 'died'> {
  const calls = groups.flat()
  const mortal = await MortalDatabase.of(fuse)
  const made = await openHubStore(mortal.database, { incarnation: 'first' })
  for (const call of before) await call.run(made)
  // Nothing is known in memory: the calls read what they need.
  await made.close()
  const store = await openHubStore(mortal.database, { incarnation: 'another' })
  const answers = new Map<HubCall, string>()
  let asked = 0
  const how = await fuse.during(async () => {
    for (const group of groups) {
      asked += group.length
      await Promise.all(group.map(async (call) => answers.set(call, plain(await call.run(store)))))
    }
  })
  const answered = calls.findLastIndex((call) => answers.has(call)) + 1
  if (how === 'survived') assert.equal(answered, calls.length)

  const left = await MortalDatabase.of(lit(), await mortal.contents())
  const found = await openHubStore(left.database, { incarnation: 'another' })
  assert.equal(found.incarnation, 'first')
  const whole = await readWhole(found)
  const possible: HubStore[] = []
  for (let count = answered; count <= asked; count++) {
    const model = await modelAfter([...before, ...calls.slice(0, count)])
    if (whole === (await readWhole(model))) possible.push(model)
  }
  assert.ok(possible.length > 0, `${answered} of ${asked} calls were answered, and left is ${whole}`)
  for (const [call, answer] of answers) {
    const model = await modelAfter([...before, ...calls.slice(0, calls.indexOf(call))])
    if (call !== end) assert.equal(answer, plain(await call.run(model)), call.name)
  }

  // What was interrupted is called once more, and then the log goes on.
  const interrupted = calls.slice(answered, asked).filter((call) => call !== end)
  const after = [...interrupted, ...goingOn]
  const told = await tellOf(found, after)
  const expected = await Promise.all(possible.map((model) => tellOf(model, after)))
  assert.ok(expected.includes(told), told)
  await checkNothingLeftBehind(left, found)
  await found.close()
  return how
}

async function playOpening(fuse: Fuse, contents: Contents): Promise<'survived' | 'died'> {
  const mortal = await MortalDatabase.of(fuse, contents)
  const how = await fuse.during(() => openHubStore(mortal.database, { incarnation: 'first' }))
  const left = await MortalDatabase.of(lit(), await mortal.contents())
  const found = await openHubStore(left.database, { incarnation: 'first' })
  const model = await modelAfter(contents.size === 0 ? [] : folded)
  assert.equal(await tellOf(found, goingOn), await tellOf(model, goingOn))
  await found.close()
  return how
}

/** A fuse that never burns. */
function lit(): Fuse {
  return new Fuse(null)
}

async function modelAfter(calls: readonly HubCall[]): Promise<MapHubStore> {
  const model = new MapHubStore({ incarnation: 'first' })
  for (const call of calls) if (call !== end) await call.run(model)
  return model
}

/** Everything after it, of every namespace: an append, a checkpoint at it, and a trim that leaves one record. */
const goingOn: readonly HubCall[] = namespaces.flatMap((namespace) => {
  const head = async (store: HubStore): Promise<number> =>
    (await store.heads([namespace])).get(namespace)?.head ?? 0
  return [
    read('append', async (store) => append(namespace, await head(store), 'more').run(store)),
    read('install', async (store) => install(namespace, await head(store)).run(store)),
    read('trim', async (store) => trim(namespace, await head(store)).run(store)),
  ]
})

/** What the calls answer, one after the other, and what they leave. */
async function tellOf(store: HubStore, calls: readonly HubCall[]): Promise<string> {
  const told: string[] = []
  for (const call of calls) told.push(`${call.name}: ${plain(await call.run(store))}`)
  return [...told, await readWhole(store)].join('\n')
}

/** Logs stay bounded: what a crash kept from being cleared is cleared by what follows. */
async function checkNothingLeftBehind(left: MortalDatabase, store: HubStore): Promise<void> {
  // Clearing follows the answer.
  await settled()
  const keys = [...(await left.contents()).keys()]
  for (const namespace of namespaces) {
    const tail = await store.readTail(
      namespace,
      (await store.heads([namespace])).get(namespace)?.floor ?? 0,
      {
        records: 1_000,
        bytes: 1_000_000,
      },
    )
    const count = (kind: string): number =>
      keys.filter((key) => key.startsWith(`hub!${kind}!${namespace}!`)).length
    assert.equal(count('record'), tail.kind === 'records' ? tail.records.length : 0)
    // The newest, and the one before it, which somebody may be reading.
    assert.ok(count('snapshot') <= 2)
    assert.equal(count('marks'), count('snapshot'))
  }
}

async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
}
