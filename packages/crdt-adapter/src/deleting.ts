/**
 * Deletes items by id, runs at a time. Yjs cuts an item by copying what is left of it, so cutting a long one in very many
 * places is quadratic (half of 100,000 entries: 25 s); cut into blocks first, it is not.
 */
import * as Y from 'yjs'
import type { ItemRange } from '@rejoin/core'
import type { ItemId } from './update-reader.ts'

/** From so many cuts in so long an item on, blocks pay. */
const CUTS_MIN = 16
const LENGTH_MIN = 1_000

/** Item ids as runs, so that what was written together is deleted without cutting it up. Sorts `ids`. */
export function runsOf(ids: ItemId[]): readonly ItemRange[] {
  ids.sort((a, b) => a.client - b.client || a.clock - b.clock)
  const runs: { client: number; clock: number; length: number }[] = []
  for (const { client, clock } of ids) {
    const last = runs.at(-1)
    if (last !== undefined && last.client === client && last.clock + last.length === clock) last.length++
    else runs.push({ client, clock, length: 1 })
  }
  return runs
}

/** `run` holds live items. */
export function deleteRun(transaction: Y.Transaction, run: ItemRange): void {
  const { store } = transaction.doc
  const end = run.clock + run.length
  for (let clock = run.clock; clock < end;) {
    const item = Y.getItemCleanStart(transaction, Y.createID(run.client, clock))
    if (clock + item.length > end) Y.getItemCleanEnd(transaction, store, Y.createID(run.client, end - 1))
    item.delete(transaction)
    clock += item.length
  }
}

/** Prepares the document for deleting `runs`, which stand together by client and in rising order of clock. */
export function cutIntoBlocks(transaction: Y.Transaction, runs: readonly ItemRange[]): void {
  const { store } = transaction.doc
  for (let i = 0, next = 0; i < runs.length; i = next) {
    next = i + 1
    const run = runs[i]
    if (run === undefined || run.clock >= Y.getState(store, run.client)) continue
    const struct = Y.getItem(store, Y.createID(run.client, run.clock))
    const end = struct.id.clock + struct.length
    while (runs[next]?.client === run.client && (runs[next]?.clock ?? end) < end) next++
    if (!struct.deleted && next - i >= CUTS_MIN && struct.length >= LENGTH_MIN) {
      const block = Math.ceil(Math.sqrt(struct.length))
      for (let clock = struct.id.clock + block; clock < end; clock += block) {
        Y.getItemCleanStart(transaction, Y.createID(run.client, clock))
      }
    }
  }
}
