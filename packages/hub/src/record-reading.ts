/**
 * Reading a log page by page for those who follow it from outside: what each record is, and where it stands. The chain is
 * checked at every step (invariant 13); a page is all that is in memory.
 */
import { type HubStore, type Namespace, type Seq } from '@rejoin/core'
import { LogGap, readPage, type LogEntry } from './log.ts'

export type RecordReading =
  /** Records after `after` were dropped. */
  | { readonly kind: 'gap'; readonly after: Seq; readonly floor: Seq; readonly head: Seq }
  | {
      readonly kind: 'records'
      /** Whether `after` is where a record ends, or the beginning: any other is no place in this log's history. */
      readonly isPlace: boolean
      /** From the first record after `after` to the head; throws `LogGap` where they are dropped meanwhile. */
      readonly pages: AsyncGenerator<readonly LogEntry[], void>
    }
  /** Nothing is after `after`: it is the head, or beyond it. */
  | { readonly kind: 'end' }

/** What one page holds. */
export const recordPageLimit = { records: 200, bytes: 256 * 1024 }

/** @throws SyncError STORE_CORRUPT or what the store throws. */
export async function readRecords(
  store: HubStore,
  namespace: Namespace,
  after: Seq,
  limit = recordPageLimit,
): Promise<RecordReading> {
  const result = await store.readTail(namespace, after, { records: 1, bytes: 1 })
  if (result.kind === 'gap') return { after, ...result }
  const first = result.records[0]
  if (first === undefined) return { kind: 'end' }
  return {
    kind: 'records',
    isPlace: first.prev === after,
    pages: pagesAfter(store, namespace, first.prev, limit),
  }
}

async function* pagesAfter(
  store: HubStore,
  namespace: Namespace,
  after: Seq,
  limit: typeof recordPageLimit,
): AsyncGenerator<readonly LogEntry[], void> {
  let at: Parameters<typeof readPage>[2] = { seq: after, tag: null }
  for (;;) {
    const page = await readPage(store, namespace, at, limit)
    if (page.kind === 'gap') throw new LogGap(page.floor)
    const last = page.entries.at(-1)
    if (last === undefined) return
    yield page.entries
    if (!page.more) return
    at = { seq: last.seq, tag: last.tag }
  }
}
