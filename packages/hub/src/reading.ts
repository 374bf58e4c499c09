/** Reading a log for people: its commits, decoded, in log order. */
import { SyncError, type AnyOp, type Commit, type HubStore, type Namespace, type Seq } from '@rejoin/core'
import { walkLog } from './log.ts'

/** A commit with where and by whom it was logged. */
export interface ReadCommit extends Commit {
  readonly seq: Seq
  readonly epoch: number
  readonly principal: string
}

/**
 * Commits after a seq, oldest first, at most `limit`. Where records after it were trimmed, the first that is left.
 * @throws SyncError NAMESPACE_UNKNOWN or STORE_CORRUPT.
 */
export async function* readLog(
  store: HubStore,
  namespace: Namespace,
  { after = 0, limit = Infinity }: { after?: Seq; limit?: number } = {},
): AsyncGenerator<ReadCommit> {
  const range = (await store.heads([namespace])).get(namespace)
  if (range === undefined) throw new SyncError('NAMESPACE_UNKNOWN', `${namespace} does not exist on this hub`)
  let left = limit
  // From the floor, since a record's place in the chain is only checked behind the one before it.
  for await (const { seq, record } of walkLog(store, namespace, { seq: range.floor, tag: null })) {
    if (seq <= after || record.kind !== 'commits') continue
    for (const { opsJson, ...commit } of record.commits) {
      if (left-- <= 0) return
      // Written by this hub in canonical form, and the record's hash was checked.
      yield { ...commit, ops: JSON.parse(opsJson) as readonly AnyOp[], seq, epoch: record.epoch }
    }
  }
}
