/** What a server tells its operator, one line an event; nothing of it reaches a peer. */
import type { ErrorCode } from '@rejoin/core'

export type ServerEvent =
  | { readonly event: 'connected'; readonly from: string | null }
  | { readonly event: 'disconnected'; readonly code: ErrorCode | null; readonly message: string }
  | { readonly event: 'refused'; readonly code: ErrorCode; readonly message: string }
  /** Only a bug explains it. */
  | { readonly event: 'fault'; readonly error: unknown }

export type ServerLog = (event: ServerEvent) => void
