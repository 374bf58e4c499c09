/**
 * Writes a hub folder and a replica folder into the folder named on the command line, with whatever release of Rejoin it
 * runs on, and beside them `expected.json`: what that release reads in them. The README says how it was run.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Commit, ReplicaStep } from '@rejoin/core'
import { openHubFolder, openReplicaFolder } from '@rejoin/persistence-level/node'
import { intents, openClient, startHub } from 'rejoin'
import { contentOf, hubDescription, storedDescription } from './description.ts'

// In the past of whoever opens them, since a hub refuses stamps of the future.
const [systemNow, startedAt] = [Date.now, Date.now()]
Date.now = () => Date.UTC(2026, 0, 1) + systemNow() - startedAt

const root = process.argv[2] ?? ''
const [hubPath, replicaPath] = [join(root, 'hub'), join(root, 'replica')]

// A hub with a checkpoint and a trimmed log, and a replica that has acknowledged and unacknowledged commits.
const hub = await startHub({ data: hubPath, domains: [intents], port: 0, retention: { commits: 2 } })
const client = await openClient({ data: replicaPath, hub: hub.url })
const support = await client.open(intents, 'support')
for (const id of ['greet', 'bye', 'hours', 'refund']) {
  await support.apply({ type: 'IntentAdded', id, phrasesByLang: { en: [`${id} please`, `${id}, näh 😀`] } })
    .acked
}
await hub.checkpoint('support')
await support.apply({ type: 'PhraseAdded', intentId: 'greet', phrase: 'howdy', lang: 'en' }).acked
await support.apply({ type: 'PhraseRemoved', intentId: 'bye', phrase: 'bye please' }).acked
for (const namespace of ['sales', 'gone']) {
  const replica = await client.open(intents, namespace)
  await replica.apply({ type: 'IntentAdded', id: namespace, phrasesByLang: {} }).acked
}
await hub.close()
await support.apply({ type: 'PhraseAdded', intentId: 'hours', phrase: 'offline', lang: 'de' }).saved
await support.apply({ type: 'IntentAdded', id: 'late', phrasesByLang: {} }).saved
const content = contentOf(support)
await client.close()

// What no story above leaves behind: every kind of value of a replica at once, and a namespace that was removed.
const folder = await openReplicaFolder(replicaPath)
const stepped = folder.replica('steps')
await stepped.record(steps())
const stored = {
  support: await storedDescription(folder.replica('support')),
  steps: await storedDescription(stepped),
}
await folder.close()
const hubFolder = await openHubFolder(hubPath)
await hubFolder.store.remove('gone')
const described = await hubDescription(hubFolder.store)
await hubFolder.close()
await writeFile(
  join(root, 'expected.json'),
  `${JSON.stringify({ hub: described, stored, content }, null, 2)}\n`,
)

function steps(): readonly ReplicaStep[] {
  const cursor = { epoch: 5, seq: 3, tag: '00000000000000aa' }
  const identity = { replica: 'replica-of-22-letters_', clientId: 7, domain: 'todo', domainVersion: 1 }
  const [first, second] = [commit(1), commit(2)]
  return [
    { kind: 'create', identity },
    { kind: 'local', commit: first },
    { kind: 'local', commit: second },
    { kind: 'snapshot', snapshot: new Uint8Array([1, 2, 3]), cursor, hlc: first.hlc },
    { kind: 'remote', updates: [new Uint8Array([4])], settled: [], cursor: { ...cursor, seq: 4 }, hlc: null },
    {
      kind: 'recommit',
      clientId: 8,
      outbox: [second],
      rejected: [{ commit: first, code: 'ENTRY_INVALID', message: 'no', path: 'ops[0]' }],
    },
  ]
}

function commit(counter: number): Commit {
  return {
    id: { replica: 'replica-of-22-letters_', counter },
    prev: counter - 1,
    // The stamp of a real clock reads like this.
    hlc: support.outbox[0]?.hlc ?? ('' as Commit['hlc']),
    domainVersion: 1,
    ops: [{ type: 'ItemAdded', id: `item-${counter}`, tags: ['å', '😀'] }],
    update: new Uint8Array([counter]),
  }
}
