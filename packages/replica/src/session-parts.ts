/** What a session works with: the replica's own parts, and the count of what exchanges bring. */
import type {
  AnyDomain,
  CatchUpPath,
  Clock,
  Crdt,
  CrdtAwareness,
  Namespace,
  PathLedger,
  ReplicaStore,
} from '@rejoin/core'
import type { Healing } from './healing.ts'
import type { Inbound } from './inbound.ts'
import type { ReplicaMemory } from './memory.ts'
import type { PendingWrites } from './pending-writes.ts'
import type { SentMark } from './sent-mark.ts'
import type { Connection } from './status.ts'

export interface SessionParts {
  readonly domain: AnyDomain
  readonly namespace: Namespace
  readonly clock: Clock
  readonly store: ReplicaStore
  readonly crdt: Crdt
  readonly memory: ReplicaMemory
  readonly writes: PendingWrites
  readonly inbound: Inbound
  readonly healing: Healing
  readonly connection: Connection
  readonly sent: SentMark
  readonly awareness: CrdtAwareness
  readonly tally: Tally
  readonly log: (line: string) => void
}

/** What exchanges have brought since the replica was opened. */
export interface Tally {
  /** Commits received, our own included. */
  pulled: number
  /** Commits of others that were new here. */
  applied: number
  /** Commits of ours that were new to the hub. */
  pushed: number
  /** Of the documents that came whole. */
  snapshotBytes: number
  /** Of what hubs had lost and were sent again. */
  healedBytes: number
  /** What catching up has cost, by path. */
  readonly paths: PathLedger
  /** The last greeting's answer that brought more than `live`. */
  welcome: { readonly path: CatchUpPath; readonly why: string } | null
}
