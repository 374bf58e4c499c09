/**
 * What happened in a simulated world as others may check it: each write, exchange and read as it begins and as it ends, and
 * what replicas are told of the log. `ok`: it is so; `fail`: it is not, for good; `info`: nobody knows.
 */
export interface HistoryEvent {
  /** Counted from 0. */
  readonly index: number
  /** Milliseconds of the world's time since it began. */
  readonly timeMs: number
  /** Of the history's steps, the one that it happened in; the end is behind the last. */
  readonly step: number
  /** `r0` a replica, `h0` a hub. */
  readonly process: string
  readonly namespace: string
  readonly type: 'invoke' | 'ok' | 'fail' | 'info'
  /**
   * `write`: a commit, invoked when it was accepted, ok when it was acknowledged, fail when it was rejected or withdrawn, info
   * when its author was killed. `append`: a hub's record, ok when it is on the disk. `poll`: commits that a replica was told,
   * in order. `read`: every live entry of a replica. `lose`: a store lost what was after `head`.
   */
  readonly f: 'write' | 'append' | 'poll' | 'read' | 'sync' | 'kill' | 'lose'
  readonly value: HistoryValue
}

export interface HistoryValue {
  /** Full name of a commit. */
  readonly commit?: string
  readonly commits?: readonly string[]
  readonly seq?: number
  readonly head?: number
  readonly epoch?: number
  readonly code?: string
  readonly sets?: readonly string[]
  readonly removes?: readonly string[]
  readonly entries?: readonly string[]
}

export type HearHistory = (event: HistoryEvent) => void
