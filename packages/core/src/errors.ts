/**
 * The codes with which Rejoin says no. A code is stable: programs may compare it, and `docs/ERRORS.md` gives the
 * cure of each. `retryable` says whether the same request may succeed later without being changed.
 */
export const errorCodes = {
  // What an app asked for
  OP_UNKNOWN: { retryable: false },
  OP_INVALID: { retryable: false },
  OP_FAILED: { retryable: false },
  PARENT_MISSING: { retryable: false },
  VALUE_INVALID: { retryable: false },
  KEY_INVALID: { retryable: false },
  TABLE_UNKNOWN: { retryable: false },
  DOMAIN_INVALID: { retryable: false },
  OUTBOX_FULL: { retryable: true },
  WITHDRAWN: { retryable: false },
  REPLICA_CLOSED: { retryable: false },
  COMMIT_TOO_LARGE: { retryable: false },
  INPUT_INVALID: { retryable: false },
  INTERRUPTED: { retryable: true },

  // What a hub refuses
  NAMESPACE_INVALID: { retryable: false },
  NAMESPACE_UNKNOWN: { retryable: true },
  NAMESPACE_DELETED: { retryable: false },
  DOMAIN_UNKNOWN: { retryable: false },
  DOMAIN_MISMATCH: { retryable: false },
  DOMAIN_TOO_NEW: { retryable: false },
  EPOCH_CHANGED: { retryable: true },
  PUSH_GAP: { retryable: true },
  UPDATE_MALFORMED: { retryable: false },
  UPDATE_DISALLOWED: { retryable: false },
  UPDATE_UNKNOWN_ITEM: { retryable: false },
  UPDATE_CLOCK_GAP: { retryable: false },
  DOCUMENT_TOO_LARGE: { retryable: true },
  CLIENT_TAKEN: { retryable: true },
  ENTRY_INVALID: { retryable: false },
  ENTRY_UNEXPLAINED: { retryable: false },
  HLC_AHEAD: { retryable: true },
  HLC_MISMATCH: { retryable: false },
  HISTORY_DIVERGED: { retryable: false },
  DIVERGED: { retryable: true },
  REPLICA_TAKEN: { retryable: false },
  UNAUTHENTICATED: { retryable: false },
  SIGN_IN_EXPIRED: { retryable: true },
  SIGN_IN_UNAVAILABLE: { retryable: true },
  FORBIDDEN: { retryable: false },
  RATE_LIMITED: { retryable: true },
  HUB_CLOSING: { retryable: true },
  HUB_INTERNAL: { retryable: true },

  // The wire
  MESSAGE_MALFORMED: { retryable: false },
  MESSAGE_UNKNOWN: { retryable: false },
  MESSAGE_TOO_LARGE: { retryable: false },
  MESSAGE_UNEXPECTED: { retryable: false },
  PROTOCOL_VERSION: { retryable: false },
  PEER_TOO_SLOW: { retryable: true },
  CHANNEL_CLOSED: { retryable: true },
  HUB_UNREACHABLE: { retryable: true },
  TIMED_OUT: { retryable: true },

  // Stores and folders
  STORE_UNAVAILABLE: { retryable: true },
  STORE_CORRUPT: { retryable: false },
  STORE_LOCKED: { retryable: true },
  STORE_FULL: { retryable: true },
  STORE_CLOSED: { retryable: false },
  FORMAT_TOO_NEW: { retryable: false },
  FOLDER_FOREIGN: { retryable: false },
  PORT_IN_USE: { retryable: true },
} as const satisfies Record<string, { retryable: boolean }>

export type ErrorCode = keyof typeof errorCodes

export interface SyncErrorOptions {
  /** What led here; never shown to a peer. */
  readonly cause?: unknown
  /** Where in the input the fault lies, e.g. `ops[2].phrasesByLang.en[0]`. */
  readonly path?: string
  /** Milliseconds after which to ask again; a peer is told so. */
  readonly retryAfterMs?: number
}

/** An error with a stable code. Its message says what happened, to what, and where there is one, the next step. */
export class SyncError extends Error {
  override readonly name = 'SyncError'
  readonly code: ErrorCode
  readonly path: string | null
  readonly retryAfterMs: number | null

  constructor(code: ErrorCode, message: string, options: SyncErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.path = options.path ?? null
    this.retryAfterMs = options.retryAfterMs ?? null
  }

  get retryable(): boolean {
    return errorCodes[this.code].retryable
  }
}

/** What to do about damage of what is stored, at the end of the sentence that tells of it. */
const damageAdvice =
  ': keep what is there as it is; of a data folder `rejoin verify` tells all the damage, and `rejoin repair` restores what can be restored'

/** STORE_CORRUPT with what to do. @param what is damaged, and how, e.g. `the stored value K does not match its checksum`. */
export function damaged(what: string, options: SyncErrorOptions = {}): SyncError {
  return new SyncError('STORE_CORRUPT', what + damageAdvice, options)
}

/** Of such a message what is damaged, for whoever repairs it just now, or has not got it. */
export function withoutDamageAdvice(message: string): string {
  return message.replaceAll(damageAdvice, '')
}

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorCodes, text)
}

/** Keeps a `SyncError` as it is and wraps anything else under `code`. */
export function asSyncError(error: unknown, code: ErrorCode, message: string): SyncError {
  if (error instanceof SyncError) return error
  const detail = error instanceof Error ? error.message : String(error)
  return new SyncError(code, `${message}: ${detail}`, { cause: error })
}
