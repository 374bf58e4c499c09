/**
 * Keys of a hub store. `!` sorts before every character that a namespace may hold and `~` after, so that the records of
 * one namespace stand together, whatever other names begin like it (St9).
 */
import type { Namespace, Seq } from '@rejoin/core'
import type { KeyRange } from '../level-database.ts'
import { seqText } from '../seq-text.ts'

export const hubKeys = {
  /** Incarnation and the sum over all namespace states. */
  store: 'hub!store',
  /** Everything of a hub store. */
  all: { gt: 'hub!', lt: 'hub!~' } satisfies KeyRange,
  state: (namespace: Namespace) => `hub!state!${namespace}`,
  states: { gt: 'hub!state!', lt: 'hub!state!~' } satisfies KeyRange,
  namespaceOfState: (key: string): Namespace => key.slice('hub!state!'.length),
  /** Records, parts of checkpoints and that it is closed, of all namespaces: what shows that one is there. */
  contents: ['record', 'marks', 'snapshot', 'damage'].map((part) => ({
    gt: `hub!${part}!`,
    lt: `hub!${part}!~`,
  })),
  record: (namespace: Namespace, seq: Seq) => `hub!record!${namespace}!${seqText(seq)}`,
  marks: (namespace: Namespace, seq: Seq) => `hub!marks!${namespace}!${seqText(seq)}`,
  snapshot: (namespace: Namespace, seq: Seq) => `hub!snapshot!${namespace}!${seqText(seq)}`,
  /** Whose value it is, of any key but the store's own. */
  namespaceIn: (key: string): Namespace => key.split('!')[2] ?? '',
  damages: { gt: 'hub!damage!', lt: 'hub!damage!~' } satisfies KeyRange,
  /** That the namespace is closed for writing. */
  damage: (namespace: Namespace) => `hub!damage!${namespace}`,
  /** That the store lost something, and the namespace's log was not told yet. */
  untold: (namespace: Namespace) => `hub!untold!${namespace}`,
  untolds: { gt: 'hub!untold!', lt: 'hub!untold!~' } satisfies KeyRange,
  /** What stood damaged under `key`. */
  damaged: (namespace: Namespace, key: string) => `hub!damaged!${namespace}!${key}`,
  damagedRange: (namespace: Namespace): KeyRange => ({
    gt: `hub!damaged!${namespace}!`,
    lt: `hub!damaged!${namespace}!~`,
  }),
}

/** Records after `after`, up to and with `upTo` where it is given. */
export function recordRange(namespace: Namespace, after: Seq, upTo: Seq = Number.MAX_SAFE_INTEGER): KeyRange {
  return { gt: hubKeys.record(namespace, after), lte: hubKeys.record(namespace, upTo) }
}

/** Everything a namespace holds besides its state. */
export function contentRanges(namespace: Namespace): readonly KeyRange[] {
  return [recordRange(namespace, 0), ...checkpointRanges(namespace, Number.MAX_SAFE_INTEGER)]
}

/** Checkpoints below `seq`. */
export function checkpointRanges(namespace: Namespace, seq: Seq): readonly KeyRange[] {
  return [
    { gt: hubKeys.marks(namespace, 0), lt: hubKeys.marks(namespace, seq) },
    { gt: hubKeys.snapshot(namespace, 0), lt: hubKeys.snapshot(namespace, seq) },
  ]
}

/** Checkpoints above `seq`. */
export function laterCheckpointRanges(namespace: Namespace, seq: Seq): readonly KeyRange[] {
  const last = Number.MAX_SAFE_INTEGER
  return [
    { gt: hubKeys.marks(namespace, seq), lte: hubKeys.marks(namespace, last) },
    { gt: hubKeys.snapshot(namespace, seq), lte: hubKeys.snapshot(namespace, last) },
  ]
}
