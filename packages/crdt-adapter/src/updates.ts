/**
 * What a hub needs of bytes: `CrdtUpdates`. Inspecting is for strangers' bytes and costs what they are long; the rest works
 * on parts that were admitted, through a document that collects garbage (merging updates without one keeps what is
 * deleted, and is quadratic).
 */
import * as Y from 'yjs'
import { REBUILD_CLIENT_ID, type ClientClocks, type CrdtUpdates, type Entry } from '@rejoin/core'
import { digestEntries, sortedEntries } from './digest.ts'
import { elementOf, entryOf, isElement, ROOT } from './element.ts'
import { inspectUpdate } from './inspect.ts'
import { readStateUpdate } from './update-reader.ts'
import { newDoc, withParts } from './yjs-doc.ts'

export const yjsUpdates: CrdtUpdates = {
  inspect: inspectUpdate,
  compact: (parts) => withParts(parts, (doc) => Y.encodeStateAsUpdate(doc)),
  clocks: clocksOf,
  digest: (parts) => withParts(parts, (_, elements) => digestEntries(entriesOf(elements))),
  rebuild: (parts) => withParts(parts, (_, elements) => canonicalForm(entriesOf(elements))),
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
