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
  type CrdtUpdates,
  type DocumentWeight,
  type Entry,
  type RebuiltDocument,
} from '@rejoin/core'
import { encodeStates, readStates } from './awareness.ts'
import { scanStepsOf } from './crowding.ts'
import { digestEntries, digestOfLines, sortedEntries } from './digest.ts'
import { elementOf, entryOf, isElement, ROOT } from './element.ts'
import { inspectState } from './inspect-state.ts'
import { inspectUpdate } from './inspect.ts'
import { encodeStateVector, readStateVector } from './state-vector.ts'
import { fillerUpdate, trimUpdate } from './trimming.ts'
import { readStateUpdate } from './update-reader.ts'
import { newDoc, withParts } from './yjs-doc.ts'

export const yjsUpdates: CrdtUpdates = {
  inspect: inspectUpdate,
  inspectState,
  stateVector: encodeStateVector,
  readStateVector,
  trim: trimUpdate,
  filler: fillerUpdate,
  readPresence: readStates,
  encodePresence: encodeStates,
  merge: mergeUpdates,
  diff: (parts, stateVector) => {
    readStateVector(stateVector)
    return withParts(parts, (doc) => Y.encodeStateAsUpdate(doc, stateVector))
  },
  compact: (parts) => withParts(parts, (doc) => Y.encodeStateAsUpdate(doc)),
  clocks: clocksOf,
  digest: (parts) => withParts(parts, (_, elements) => digestEntries(entriesOf(elements))),
  rebuild: (parts) => withParts(parts, (_, elements) => rebuiltOf(entriesOf(elements))),
  weigh,
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

function clocksOf(snapshot: Uint8Array): ClientClocks {
  return new Map(
    readStateUpdate(snapshot).sections.map(({ client, clock, length }) => [client, clock + length] as const),
  )
}

function entriesOf(elements: readonly unknown[]): readonly Entry[] {
  return elements.filter(isElement).map(entryOf)
}

/** One run of sorted entries under the reserved client id. */
function rebuiltOf(entries: readonly Entry[]): RebuiltDocument {
  const sorted = sortedEntries(entries)
  const doc = newDoc(REBUILD_CLIENT_ID)
  if (sorted.length > 0)
    doc.getArray(ROOT).insert(
      0,
      Array.from(sorted, ({ entry }) => elementOf(entry)),
    )
  const snapshot = Y.encodeStateAsUpdate(doc)
  doc.destroy()
  return { snapshot, digest: digestOfLines(sorted) }
}

function weigh(snapshot: Uint8Array): DocumentWeight {
  const { sections } = readStateUpdate(snapshot)
  const runs = sections.flatMap((section) => section.runs)
  const live = runs.filter(({ entries }) => entries !== null)
  const liveBytes = live.reduce((bytes, run) => bytes + run.bytes, 0)
  return {
    liveBytes,
    deadBytes: snapshot.length - liveBytes,
    liveStructs: live.length,
    deadStructs: runs.length - live.length,
    scanSteps: scanStepsOf(sections),
  }
}
