// Idempotence in bytes: applying an op or a commit again changes nothing, in content, version or encoded document.
import { expect, test } from 'vitest'
import { allEntries, entryLine } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { intents, type IntentsOp } from '@rejoin/intents'
import { openReplica } from '@rejoin/replica'
import { MapReplicaStore, VirtualClock } from '@rejoin/testkit'

const before: IntentsOp[] = [
  { type: 'IntentAdded', id: 'greet', phrasesByLang: { en: ['hello', 'hi'], de: ['hallo', 'hi'] } },
  { type: 'IntentAdded', id: 'bye', phrasesByLang: { en: ['goodbye'] }, description: 'leaving' },
  { type: 'WeightUpdates', changes: [['hello', 'greet', 0.4]] },
  { type: 'DomainDescription', domain: 'small_talk', description: 'what people say first' },
]

const ops: IntentsOp[] = [
  { type: 'IntentAdded', id: 'thank', phrasesByLang: { en: ['thanks', 'cheers'] }, persona: 'friendly' },
  { type: 'IntentRemoved', id: 'greet' },
  { type: 'PhraseAdded', intentId: 'greet', phrase: 'howdy', lang: 'en' },
  { type: 'PhraseRemoved', intentId: 'greet', phrase: 'hi' },
  {
    type: 'WeightUpdates',
    changes: [
      ['hello', 'greet', 0.7],
      ['goodbye', 'bye', 0.1],
    ],
  },
  { type: 'IntentMetadataUpdated', id: 'bye', edit: { description: null, guardrails: ['be brief'] } },
  { type: 'NamespaceMetadataUpdated', edit: { name: 'Support', default_threshold: 0.5 } },
  { type: 'DomainDescription', domain: 'small_talk', description: null },
]

test.each(ops.map((op) => [op.type, op] as const))(
  '[2] %s applied 1, 2 and 5 times is applied once',
  async (_, op) => {
    const replica = await openReplica({
      domain: intents,
      namespace: 'support',
      store: new MapReplicaStore(),
      crdt: yjsCrdt,
      clock: new VirtualClock(1),
      dial: null,
    })
    replica.apply(before)
    expect(replica.apply(op).kind).toBe('commit')
    const once = stateOf(replica)
    for (let times = 2; times <= 5; times++) expect(replica.apply(op).kind).toBe('unchanged')
    expect(stateOf(replica)).toEqual(once)

    // Delivered elsewhere, once and again.
    const updates = replica.outbox.map(({ update }) => update)
    const other = yjsCrdt.open(5_000, updates)
    const delivered = other.encode()
    other.apply([...updates, ...updates])
    expect(other.encode()).toEqual(delivered)
    expect(Array.from(allEntries(other), entryLine)).toEqual(once.content)
    await replica.close()
  },
)

function stateOf(replica: Awaited<ReturnType<typeof openReplica<typeof intents>>>) {
  return {
    content: Array.from(allEntries(replica.registers), entryLine),
    encoded: replica.encode(),
    commits: replica.outbox.map(({ id }) => id.counter),
    pending: replica.status.pending,
  }
}
