/**
 * What a plain Yjs client and a hub say to each other: the messages of y-protocols as values, their bytes as they came. Whose
 * provider it is, and that a WebSocket carries it, only the transport knows.
 */
import type { ErrorCode } from '../errors.ts'
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

const passing: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'CHANNEL_CLOSED',
  'DOCUMENT_TOO_LARGE',
  'HUB_CLOSING',
  'HUB_INTERNAL',
  'NAMESPACE_UNKNOWN',
  'PEER_TOO_SLOW',
  'RATE_LIMITED',
  'SIGN_IN_UNAVAILABLE',
  'STORE_FULL',
  'STORE_LOCKED',
  'STORE_UNAVAILABLE',
  'TIMED_OUT',
])

/**
 * Whether a provider that was closed with this code may come again by itself. After any other its document, its sign-in or its
 * app has to change first: it cannot recommit as a replica does, so more is final here than an error's `retryable` says.
 */
export function mayPlainReturn(code: ErrorCode): boolean {
  return passing.has(code)
}
