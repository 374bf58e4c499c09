/**
 * What a hub needs of bytes: `CrdtUpdates`. Inspecting is for strangers' bytes and costs what they are long; the rest works
 * on parts that were admitted, through a document that collects garbage (merging updates without one keeps what is
 * deleted, and is quadratic).
 */
import * as Y from 'yjs'
import {
  limits,
  REBUILD_CLIENT_ID,
  SyncError,
  type ClientClocks,
  type ClientId,
  type CrdtUpdates,
  type Entry,
} from '@rejoin/core'
import { ByteReader } from './byte-reader.ts'
import { digestEntries, sortedEntries } from './digest.ts'
import { elementOf, entryOf, isElement, ROOT } from './element.ts'
import { inspectUpdate } from './inspect.ts'
import { readStateUpdate } from './update-reader.ts'
import { newDoc, withParts } from './yjs-doc.ts'

export const yjsUpdates: CrdtUpdates = {
  inspect: inspectUpdate,
  merge: mergeUpdates,
  diff: (parts, stateVector) => {
    checkStateVector(stateVector)
    return withParts(parts, (doc) => Y.encodeStateAsUpdate(doc, stateVector))
  },
  compact: (parts) => withParts(parts, (doc) => Y.encodeStateAsUpdate(doc)),
  clocks: clocksOf,
  digest: (parts) => withParts(parts, (_, elements) => digestEntries(entriesOf(elements))),
  rebuild: (parts) => withParts(parts, (_, elements) => canonicalForm(entriesOf(elements))),
}

function mergeUpdates(updates: readonly Uint8Array[]): Uint8Array {
  if (updates.length > limits.mergeUpdatesMax) {
    const why = `at most ${limits.mergeUpdatesMax} updates are merged at once, not ${updates.length}: compact them instead`
    throw new SyncError('INPUT_INVALID', why)
  }
  for (const update of updates) readStateUpdate(update)
  const merged = Y.mergeUpdates([...updates])
  // Yjs marks what is missing between them, which our documents never hold.
  readStateUpdate(merged)
  return merged
}

/** @throws SyncError UPDATE_MALFORMED */
function checkStateVector(bytes: Uint8Array): void {
  const reader = new ByteReader(bytes, 'state vector')
  const count = reader.count(2)
  if (count > limits.stateVectorClientsMax) throw reader.malformed(`it names ${count} clients`)
  const seen = new Set<ClientId>()
  for (let i = 0; i < count; i++) {
    const client = reader.uint(2 ** 32 - 1)
    if (seen.has(client)) throw reader.malformed(`client ${client} is named twice`)
    seen.add(client)
    reader.uint()
  }
  reader.end()
}

function clocksOf(snapshot: Uint8Array): ClientClocks {
  return new Map(
    readStateUpdate(snapshot).sections.map(({ client, clock, length }) => [client, clock + length] as const),
  )
}

function entriesOf(elements: readonly unknown[]): readonly Entry[] {
  return elements.filter(isElement).map(entryOf)
}

/** One run of sorted entries under the reserved client id. */
function canonicalForm(entries: readonly Entry[]): Uint8Array {
  const doc = newDoc(REBUILD_CLIENT_ID)
  const elements = sortedEntries(entries).map(({ entry }) => elementOf(entry))
  if (elements.length > 0) doc.getArray(ROOT).insert(0, [...elements])
  const update = Y.encodeStateAsUpdate(doc)
  doc.destroy()
  return update
}
