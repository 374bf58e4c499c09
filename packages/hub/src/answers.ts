/** The hub's answers to what a replica asked, and the hints for when to come back. */
import {
  limits,
  randomUnit,
  withoutDamageAdvice,
  SyncError,
  type Clock,
  type Closing,
  type Counter,
  type ErrorCode,
  type Refused,
} from '@rejoin/core'

const messageCharsMax = 2_000
const pathCharsMax = 500

/** `counter` null: the room is refused, not a commit. */
export function refusalOf(error: SyncError, counter: Counter | null): Refused {
  return {
    type: 'Refused',
    counter,
    code: error.code,
    message: toldOf(error),
    path: error.path?.slice(0, pathCharsMax) ?? null,
    retryable: error.retryable,
    retryAfterMs: error.retryable ? limits.reconnectMsMin : null,
  }
}

export function closingOf(error: SyncError, clock: Clock): Closing {
  return {
    type: 'Closing',
    code: error.code,
    message: toldOf(error),
    retryAfterMs: error.retryable ? retryAfterMs(clock) : null,
  }
}

/** Whoever reads it has a store, too, and must not take the hub's for it, nor repair it. */
function toldOf({ code, message }: SyncError): string {
  if (code !== 'STORE_CORRUPT') return message.slice(0, messageCharsMax)
  const what = `the hub is damaged, and this replica is not: ${withoutDamageAdvice(message)}`
  const advice = '; tell whoever runs the hub'
  return what.slice(0, messageCharsMax - advice.length) + advice
}

/** Faults of a channel and not of its room: only the channel is closed, and the peer may come back at once. */
export function isAboutChannel(code: ErrorCode): boolean {
  return channelCodes.has(code)
}

const channelCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'CHANNEL_CLOSED',
  'HUB_CLOSING',
  'MESSAGE_TOO_LARGE',
  'MESSAGE_UNEXPECTED',
  'PEER_TOO_SLOW',
  'TIMED_OUT',
])

/** Keeps what has a code; anything else is logged here and told to nobody. */
export function internal(error: unknown, what: string): SyncError {
  if (error instanceof SyncError) return error
  return new SyncError('HUB_INTERNAL', `${what}; the hub's log says why`, { cause: error })
}

/** Spread out, so that the sessions of a hub that restarts do not all come back at once. */
function retryAfterMs(clock: Clock): number {
  return Math.floor(limits.reconnectMsMin + randomUnit(clock) * limits.closingMsMax)
}

/** What was sent was not taken. */
export function tooSlow(): SyncError {
  return new SyncError(
    'PEER_TOO_SLOW',
    `what was sent was not taken within ${limits.backlogMsMax} ms; come back later`,
  )
}
