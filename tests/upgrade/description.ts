/** What a folder holds, as JSON: by the release that wrote it, and by the one that opens it. */
import type { HubStore, Namespace, ReplicaStore } from '@rejoin/core'
import { packOf } from '@rejoin/intents'
import { intents, type Replica } from 'rejoin'

export const hubNamespaces = ['gone', 'sales', 'support'] as const

export async function hubDescription(store: HubStore): Promise<unknown> {
  const described: Record<string, unknown> = {
    incarnation: store.incarnation,
    names: await store.namespaces(),
  }
  for (const namespace of hubNamespaces) described[namespace] = await logDescription(store, namespace)
  return plain(described)
}

async function logDescription(store: HubStore, namespace: Namespace): Promise<unknown> {
  const range = (await store.heads([namespace])).get(namespace) ?? null
  const checkpoint = await store.checkpoint(namespace)
  return {
    state: await store.state(namespace),
    range,
    tail: await store.readTail(namespace, range?.floor ?? 0, { records: 1_000, bytes: 1_000_000 }),
    checkpoint:
      checkpoint === null
        ? null
        : { seq: checkpoint.seq, marks: checkpoint.marks, snapshot: await checkpoint.snapshot() },
  }
}

export async function storedDescription(store: ReplicaStore): Promise<unknown> {
  return plain(await store.load())
}

/** What an app sees. */
export function contentOf(replica: Replica<typeof intents>): unknown {
  return plain({ pack: packOf(replica.tables), outbox: replica.outbox.map(({ id }) => id.counter) })
}

/** Bytes as hexadecimal text, maps as lists. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`
  if (value instanceof Map) return [...value].map(plain)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)]))
}
