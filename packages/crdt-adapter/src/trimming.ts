/**
 * Writing updates without a document: what of one is not known yet, and one that holds nothing but its clocks. What is
 * written here is read back by the strict reader before anybody builds on it.
 */
import { createEncoder, toUint8Array, writeUint8, writeUint8Array, writeVarUint } from 'lib0/encoding'
import * as Y from 'yjs'
import type { ClientClocks, ClientId, ItemRange } from '@rejoin/core'
import { encodeStateVector } from './state-vector.ts'
import { readStateUpdate } from './update-reader.ts'

/** Ref of an item of which nothing is left. */
const REF_GC = 0

/** As `CrdtUpdates.trim`. */
export function trimUpdate(
  update: Uint8Array,
  clocks: ClientClocks,
  deleted: readonly ItemRange[],
): Uint8Array {
  // It was read strictly, so Yjs may; only items are cut by it, and all deletions are kept.
  const cut = Y.diffUpdate(update, encodeStateVector(clocks))
  const { deletedAt } = readStateUpdate(cut)
  const out = createEncoder()
  writeUint8Array(out, cut.subarray(0, deletedAt))
  const byClient = new Map<ClientId, ItemRange[]>()
  for (const range of deleted) {
    const ranges = byClient.get(range.client)
    if (ranges === undefined) byClient.set(range.client, [range])
    else ranges.push(range)
  }
  writeVarUint(out, byClient.size)
  for (const [client, ranges] of byClient) {
    writeVarUint(out, client)
    writeVarUint(out, ranges.length)
    for (const { clock, length } of ranges) {
      writeVarUint(out, clock)
      writeVarUint(out, length)
    }
  }
  return toUint8Array(out)
}

/** As `CrdtUpdates.filler`: one run of collected items, which no type of the document holds. */
export function fillerUpdate(client: ClientId, length: number): Uint8Array {
  const out = createEncoder()
  writeVarUint(out, 1)
  writeVarUint(out, 1)
  writeVarUint(out, client)
  writeVarUint(out, 0)
  writeUint8(out, REF_GC)
  writeVarUint(out, length)
  writeVarUint(out, 0)
  return toUint8Array(out)
}
