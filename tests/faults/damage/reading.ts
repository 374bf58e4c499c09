/** Everything that a folder gives, in short: what a damaged folder is compared by. */
import { createHash } from 'node:crypto'
import { SyncError, type HubStore, type Namespace } from '@rejoin/core'
import { openHubFolder, openReplicaFolder } from '@rejoin/persistence-level/node'
import { z } from 'zod'
import type { Kind } from './content.ts'

/** A code where opening failed; else for each namespace a hash of all its content, or the code with which it failed. */
export const readingSchema = z.union([
  z.object({ refused: z.string() }),
  z.object({
    namespaces: z.record(
      z.string(),
      z.union([z.object({ hash: z.string() }), z.object({ refused: z.string() })]),
    ),
  }),
])
export type Reading = z.output<typeof readingSchema>

export async function readFolder(kind: Kind, path: string): Promise<Reading> {
  try {
    return { namespaces: await (kind === 'hub' ? readHub(path) : readReplica(path)) }
  } catch (error) {
    return { refused: codeOf(error) }
  }
}

type Namespaces = Extract<Reading, { namespaces: object }>['namespaces']

async function readHub(path: string): Promise<Namespaces> {
  const folder = await openHubFolder(path)
  try {
    const names = await folder.store.namespaces()
    const namespaces: Namespaces = {}
    for (const name of names) namespaces[name] = await hashed(() => readLog(folder.store, name))
    return namespaces
  } finally {
    await folder.close()
  }
}

async function readLog(store: HubStore, namespace: Namespace): Promise<unknown> {
  const range = (await store.heads([namespace])).get(namespace)
  const records: unknown[] = []
  let after = range?.floor ?? 0
  for (let more = true; more;) {
    const tail = await store.readTail(namespace, after, { records: 7, bytes: 1_000_000 })
    if (tail.kind !== 'records') throw new Error(`${namespace} is said to begin at ${after} and does not`)
    for (const { seq, prev, body } of tail.records) {
      records.push([seq, prev, hashOf(body)])
      after = seq
    }
    more = tail.more && tail.records.length > 0
  }
  const checkpoint = await store.checkpoint(namespace)
  const folded = checkpoint && [checkpoint.seq, hashOf(checkpoint.marks), hashOf(await checkpoint.snapshot())]
  return { state: await store.state(namespace), range, records, folded }
}

async function readReplica(path: string): Promise<Namespaces> {
  const folder = await openReplicaFolder(path)
  try {
    const namespaces: Namespaces = {}
    for (const name of await folder.namespaces()) {
      const store = folder.replica(name)
      // What is damaged is a copy of the folder, and says so.
      namespaces[name] = await hashed(async () => ({ ...(await store.load()), isCopy: false }))
    }
    return namespaces
  } finally {
    await folder.close()
  }
}

async function hashed(read: () => Promise<unknown>): Promise<{ hash: string } | { refused: string }> {
  try {
    const text = JSON.stringify(await read(), (_, value: unknown) =>
      value instanceof Uint8Array ? hashOf(value) : value,
    )
    return { hash: hashOf(text) }
  } catch (error) {
    return { refused: codeOf(error) }
  }
}

function hashOf(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** An error without a code is told by its name, which no check takes for a refusal. */
function codeOf(error: unknown): string {
  return error instanceof SyncError ? error.code : `not a SyncError: ${String(error)}`
}
