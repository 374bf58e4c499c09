/** Keys of a replica's store; `!` and `~` as in `hub-keys.ts`, so that namespaces do not see each other. */
import type { Counter, Namespace } from '@rejoin/core'
import type { KeyRange } from '../level-database.ts'
import { seqText } from '../seq-text.ts'

/** What is numbered: updates by arrival, commits by their counter. */
export type Shelf = 'update' | 'outbox' | 'rejected'
export const shelves: readonly Shelf[] = ['update', 'outbox', 'rejected']

export const replicaKeys = {
  /** In a folder: which folder this database belongs to. */
  folder: 'replica!folder',
  /** In a folder: the marks of its place, the newest and the one before. */
  place: 'replica!place',
  /** Everything of all replicas. */
  all: { gt: 'replica!', lt: 'replica!~' } satisfies KeyRange,
  meta: (namespace: Namespace) => `replica!meta!${namespace}`,
  metas: { gt: 'replica!meta!', lt: 'replica!meta!~' } satisfies KeyRange,
  namespaceOfMeta: (key: string): Namespace => key.slice('replica!meta!'.length),
  snapshot: (namespace: Namespace) => `replica!snapshot!${namespace}`,
  numbered: (shelf: Shelf, namespace: Namespace, n: Counter) => `replica!${shelf}!${namespace}!${seqText(n)}`,
}

export function shelfRange(shelf: Shelf, namespace: Namespace): KeyRange {
  return { gt: `replica!${shelf}!${namespace}!`, lt: `replica!${shelf}!${namespace}!~` }
}
