/** The eight ops of the intents domain and the two that every domain has, in a scene where each changes something. */
import type { Dial } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, openHub, type Hub } from '@rejoin/hub'
import { intents, type IntentsOp } from '@rejoin/intents'
import { openReplica, type Replica } from '@rejoin/replica'
import { MapHubStore, MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { memoryDial } from '@rejoin/transport'
import * as Y from 'yjs'

const before: IntentsOp[] = [
  { type: 'IntentAdded', id: 'greet', phrasesByLang: { en: ['hello', 'hi'], de: ['hallo', 'hi'] } },
  { type: 'IntentAdded', id: 'bye', phrasesByLang: { en: ['goodbye'] }, description: 'leaving' },
  { type: 'IntentAdded', id: 'gone', phrasesByLang: { en: ['so long'] } },
  { type: 'WeightUpdates', changes: [['hello', 'greet', 0.4]] },
  { type: 'DomainDescription', domain: 'small_talk', description: 'what people say first' },
]

export const ops: readonly (readonly [string, IntentsOp])[] = (
  [
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
    { type: 'Resolved', entries: [{ table: 'intents', key: ['bye', 'description'], value: 'by Ann' }] },
    { type: 'Restored', entries: [{ table: 'intents', key: ['gone'], value: true }] },
  ] satisfies IntentsOp[]
).map((op) => [op.type, op])

export const NAMESPACE = 'support'

export interface Scene {
  readonly clock: VirtualClock
  readonly hubStore: MapHubStore
  readonly hub: Hub
  readonly ann: Replica<typeof intents>
  readonly annStore: CountingStore
  /** Another replica of the namespace that knows nothing yet. */
  newcomer(options?: { store?: MapReplicaStore; dial?: Dial }): Promise<Replica<typeof intents>>
}

/** Ann has heard of everything: of Bob's description beside her own, and of his phrase for an intent that she removed. */
export async function openScene(): Promise<Scene> {
  const clock = new VirtualClock(1)
  const hubStore = new MapHubStore()
  const hub = openHub({ store: hubStore, updates: yjsCrdt.updates, domains: [intents], clock })
  const { dial } = memoryDial({ clock, accept: (channel) => void hub.accept(channel, anyone) })
  const newcomer: Scene['newcomer'] = (options) =>
    openReplica({
      domain: intents,
      namespace: NAMESPACE,
      store: new MapReplicaStore(),
      crdt: yjsCrdt,
      clock,
      dial,
      live: false,
      ...options,
    })
  const annStore = new CountingStore()
  const [ann, bob] = [await newcomer({ store: annStore }), await newcomer()]
  ann.apply(before)
  await ann.syncOnce()
  await bob.syncOnce()
  ann.apply({ type: 'IntentMetadataUpdated', id: 'bye', edit: { description: 'by Ann' } })
  ann.apply({ type: 'IntentRemoved', id: 'gone' })
  bob.apply({ type: 'IntentMetadataUpdated', id: 'bye', edit: { description: 'by Bob' } })
  bob.apply({ type: 'PhraseAdded', intentId: 'gone', phrase: 'farewell', lang: 'en' })
  await bob.syncOnce()
  await ann.syncOnce()
  await bob.close()
  return { clock, hubStore, hub, ann, annStore, newcomer }
}

/** Everything that a document is, byte for byte. */
export function bytesOf(document: { encode(): Uint8Array }): {
  readonly encoded: string
  readonly stateVector: string
  readonly deleteSet: string
} {
  const encoded = document.encode()
  return {
    encoded: Buffer.from(encoded).toString('hex'),
    stateVector: Buffer.from(Y.encodeStateVectorFromUpdate(encoded)).toString('hex'),
    deleteSet: JSON.stringify([...Y.decodeUpdate(encoded).ds.clients]),
  }
}

/** A store that counts what it is asked to record. */
export class CountingStore extends MapReplicaStore {
  records = 0

  override record(steps: Parameters<MapReplicaStore['record']>[0]): Promise<void> {
    this.records++
    return super.record(steps)
  }
}
