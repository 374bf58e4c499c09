/** The steps that stories are made of. Each is small and means something by itself, so that any of them can be left out. */
import type { AnyOp } from '@rejoin/core'

export type Direction = 'up' | 'down'

export type Step =
  /**
   * One commit on the replica's own document. Where `ops` make none, as many of them and of `others` as fit together are
   * applied instead, never more than there are `ops`.
   */
  | {
      readonly kind: 'apply'
      readonly replica: number
      readonly ops: readonly AnyOp[]
      readonly others?: readonly AnyOp[]
    }
  /** `pick`: which of the conflicts. `choice`: which of its values; an orphan is restored by an even one and dropped else. */
  | { readonly kind: 'resolve'; readonly replica: number; readonly pick: number; readonly choice: number }
  /** `pick`: which of the refused commits. */
  | { readonly kind: 'discard' | 'resubmit'; readonly replica: number; readonly pick: number }
  | { readonly kind: 'undo' | 'redo'; readonly replica: number }
  /** `pick`: which commit of the outbox. */
  | { readonly kind: 'withdraw'; readonly replica: number; readonly pick: number }
  /** One exchange with the hub. `cutAfter`: the connection breaks after so many messages, up and down; null: it lasts. */
  | {
      readonly kind: 'exchange'
      readonly replica: number
      readonly cutAfter: number | null
      readonly order: number
    }
  | { readonly kind: 'connect' | 'disconnect'; readonly replica: number }
  /** So many messages arrive, of whichever connections; `order` decides which come first, 0: the oldest. */
  | { readonly kind: 'deliver'; readonly messages: number; readonly order: number }
  /** Time passes, and what is under way arrives. */
  | { readonly kind: 'wait'; readonly ms: number }
  /** Nothing passes in that direction, and nobody is told. */
  | { readonly kind: 'partition'; readonly replica: number; readonly direction: Direction | 'both' }
  | { readonly kind: 'heal'; readonly replica: number }
  /** The connection is lost; who does not hear of it goes on believing in it. */
  | { readonly kind: 'cut'; readonly replica: number; readonly heardBy: 'both' | 'replica' | 'hub' }
  /** What a replica said on a dead connection: the rest of it arrives now, or all of it once more. */
  | { readonly kind: 'late'; readonly replica: number; readonly what: 'rest' | 'again' }
  /** Crashes, loses what was not recorded, and starts again from the store. */
  | { readonly kind: 'restart'; readonly replica: number }
  | { readonly kind: 'restartHub' }
  | { readonly kind: 'disk'; readonly replica: number; readonly state: DiskState }
  /** Its wall clock jumps. */
  | { readonly kind: 'clock'; readonly replica: number; readonly aheadMs: number }
  /** The hub folds its log, and keeps only the newest commits as a tail. */
  | { readonly kind: 'checkpoint' }
  /** A new epoch is made of the live entries: by the hub as it serves, or behind its back by another process. */
  | { readonly kind: 'rebuild'; readonly by: 'hub' | 'another' }
  /** The hub refuses, for good, the next so many commits that it sees of the replica. */
  | { readonly kind: 'refuse'; readonly replica: number; readonly commits: number }

export type DiskState = 'works' | 'stalls' | 'fails'

export type StepKind = Step['kind']
