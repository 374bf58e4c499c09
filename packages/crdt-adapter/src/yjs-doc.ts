/** Yjs documents as Rejoin makes them: garbage collected, without chance of their own, filled in few transactions. */
import * as Y from 'yjs'
import { assert, type ClientId } from '@rejoin/core'
import { cutIntoBlocks } from './deleting.ts'
import { ROOT } from './element.ts'
import { checkPlaceable } from './placing.ts'
import { readStateUpdate, type StateUpdate } from './update-reader.ts'

/** Yjs joins the runs that a transaction leaves by copying them one by one, so very many parts go in several. */
const TRANSACTION_PARTS_MAX = 500

/** Yjs gives a document a new id when it meets its own items in an update; nobody's id is negative. */
const NO_CLIENT: ClientId = -1

export function newDoc(clientId: ClientId): Y.Doc {
  // A given guid spares Yjs from drawing a random one.
  const doc = new Y.Doc({ gc: true, guid: ROOT })
  doc.clientID = clientId
  doc.getArray(ROOT)
  return doc
}

/** Bytes with what they say. */
export interface ReadPart {
  readonly bytes: Uint8Array
  readonly read: StateUpdate
}

/** @throws SyncError as `readStateUpdate` */
export function readParts(parts: readonly Uint8Array[]): readonly ReadPart[] {
  return parts.map((bytes) => ({ bytes, read: readStateUpdate(bytes) }))
}

/**
 * Applies updates once it is sure that every one has its place; before that nothing changes.
 * @throws SyncError UPDATE_UNKNOWN_ITEM
 */
export function placeParts(doc: Y.Doc, parts: readonly ReadPart[]): void {
  const updates = parts.map(({ read }) => read)
  checkPlaceable(updates, (client) => Y.getState(doc.store, client))
  applyParts(doc, parts)
  assert(pendingCountOf(doc) === 0, 'an update that was found placeable is placed')
}

function applyParts(doc: Y.Doc, parts: readonly ReadPart[]): void {
  const { clientID } = doc
  doc.clientID = NO_CLIENT
  try {
    for (let from = 0; from < parts.length; from += TRANSACTION_PARTS_MAX) {
      doc.transact((transaction) => {
        for (const { bytes, read } of parts.slice(from, from + TRANSACTION_PARTS_MAX)) {
          cutIntoBlocks(transaction, read.deleted)
          Y.applyUpdate(doc, bytes)
        }
      })
    }
  } finally {
    doc.clientID = clientID
  }
}

/** The document that complete parts make, given to `use` and then freed. */
export function withParts<T>(
  parts: readonly Uint8Array[],
  use: (doc: Y.Doc, elements: readonly unknown[]) => T,
): T {
  const doc = newDoc(NO_CLIENT)
  try {
    placeParts(doc, readParts(parts))
    return use(doc, doc.getArray(ROOT).toArray())
  } finally {
    doc.destroy()
  }
}

/** Yjs keeps at most one heap of items and one of deletions that it could not place. */
export function pendingCountOf(doc: Y.Doc): number {
  return (doc.store.pendingStructs === null ? 0 : 1) + (doc.store.pendingDs === null ? 0 : 1)
}
