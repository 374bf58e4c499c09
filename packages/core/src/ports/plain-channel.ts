/**
 * What a plain Yjs client and a hub say to each other: the messages of y-protocols as values, their bytes as they came. Whose
 * provider it is, and that a WebSocket carries it, only the transport knows.
 */
import type { Channel } from './channel.ts'

/** Which of its domains a client writes in; null: the namespace's, or the only one that the hub has. */
export interface PlainRequest {
  readonly namespace: string
  readonly domain: string | null
  /** The version that its app knows; null: the hub's. */
  readonly domainVersion: number | null
}

export type PlainUp =
  /** What the client's document holds: it asks for the rest. */
  | { readonly type: 'SyncStep1'; readonly stateVector: Uint8Array }
  /** What the hub lacks of it, as the hub's own `SyncStep1` asked. */
  | { readonly type: 'SyncStep2'; readonly update: Uint8Array }
  /** What changed in it. */
  | { readonly type: 'Update'; readonly update: Uint8Array }
  | { readonly type: 'Awareness'; readonly update: Uint8Array }
  | { readonly type: 'QueryAwareness' }

export type PlainDown =
  | Exclude<PlainUp, { type: 'QueryAwareness' }>
  /** `reason` is `CODE: message`. Where the channel is closed after it, nothing more is taken of this document. */
  | { readonly type: 'PermissionDenied'; readonly reason: string }

/** A hub's end. */
export type PlainHubChannel = Channel<PlainDown, PlainUp>
