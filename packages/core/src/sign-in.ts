/**
 * What both the transport and the hub have to know of whoever signed in: who it is, and until when. It may end while its
 * connections live: by its time, or because it is taken back. Then nothing more is taken of them or given to them.
 */
import { SyncError } from './errors.ts'
import type { Clock } from './ports/clock.ts'

export interface SignIn {
  /** Who it is, whatever they signed in with: stable, and the same for all their connections. */
  readonly id: string
  /** Milliseconds since 1970; null: it does not expire. */
  readonly expiresAt: number | null
  /** Aborted when it is taken back; a SyncError as its reason says why. */
  readonly revoked: AbortSignal
}

/** Milliseconds between two looks: a timer counts at most 24 days, and the clock of a machine may be set. */
const LOOK_MS_MAX = 60_000

/** Why it holds no more, or null: SIGN_IN_EXPIRED, or UNAUTHENTICATED where it was taken back for good. */
export function signInEnd({ expiresAt, revoked }: SignIn, nowMs: number): SyncError | null {
  if (revoked.aborted) {
    if (revoked.reason instanceof SyncError) return revoked.reason
    return new SyncError('UNAUTHENTICATED', 'the sign-in was taken back: sign in again')
  }
  if (expiresAt === null || nowMs < expiresAt) return null
  return new SyncError('SIGN_IN_EXPIRED', 'the sign-in has expired: sign in again')
}

/** Calls `act` once, when it ends (at once where it has), unless the returned function was called before. */
export function onSignInEnd(signIn: SignIn, clock: Clock, act: (why: SyncError) => void): () => void {
  const { expiresAt, revoked } = signIn
  const over = new AbortController()
  const stop = (): void => {
    over.abort('over')
    revoked.removeEventListener('abort', look)
  }
  const look = (): void => {
    if (over.signal.aborted) return
    const why = signInEnd(signIn, clock.now())
    if (why !== null) {
      stop()
      return act(why)
    }
    if (expiresAt === null) return
    const ms = Math.min(expiresAt - clock.now(), LOOK_MS_MAX)
    void clock.sleep(ms, over.signal).then(look)
  }
  revoked.addEventListener('abort', look)
  look()
  return stop
}
