/**
 * Tokens that were taken back before their time: such a one signs nobody in, and ends what lives by it. While the list cannot
 * be read no token signs anybody in, since it may be on it by now; who is in stays.
 */
import { SyncError, type Clock } from '@rejoin/core'
import type { RevokedToken } from './key-file.ts'

/** What a list may name a token by; times are milliseconds since 1970. */
export interface TokenIdentity {
  readonly subject: string
  /** `jti`. */
  readonly tokenId: string | null
  /** `iat`. */
  readonly issuedAt: number | null
  readonly expiresAt: number
}

interface Standing {
  readonly token: TokenIdentity
  readonly revoke: AbortController
}

/** Tokens remembered before those are forgotten that have expired. */
const STANDING_MIN = 1_000

export class TokenRevocations {
  readonly #clock: Clock
  /** Each token that has signed in and not expired: so many as its issuer gives out in one life of a token. */
  readonly #standing = new Map<string, Standing>()
  #standingMax = STANDING_MIN
  /** Null while it cannot be read. */
  #revoked: readonly RevokedToken[] | null = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Aborted when this token is taken back. @throws SyncError UNAUTHENTICATED where it was, SIGN_IN_UNAVAILABLE */
  signalOf(token: TokenIdentity): AbortSignal {
    if (this.#revoked === null)
      throw new SyncError(
        'SIGN_IN_UNAVAILABLE',
        'the hub cannot read which tokens were revoked; its log says why',
      )
    if (this.#isRevoked(token, this.#revoked)) throw revoked()
    const { subject, tokenId, issuedAt, expiresAt } = token
    const name = JSON.stringify([subject, tokenId, issuedAt, expiresAt])
    const known = this.#standing.get(name)
    if (known !== undefined) return known.revoke.signal
    if (this.#standing.size >= this.#standingMax) this.#forgetExpired()
    const standing = { token, revoke: new AbortController() }
    this.#standing.set(name, standing)
    return standing.revoke.signal
  }

  take(list: readonly RevokedToken[]): void {
    this.#revoked = list
    if (list.length === 0) return
    for (const [name, { token, revoke }] of this.#standing) {
      if (!this.#isRevoked(token, list)) continue
      this.#standing.delete(name)
      revoke.abort(revoked())
    }
  }

  /** The list cannot be read. */
  lose(): void {
    this.#revoked = null
  }

  #isRevoked(token: TokenIdentity, list: readonly RevokedToken[]): boolean {
    return list.some((entry) => {
      if ('tokenId' in entry) return entry.tokenId === token.tokenId
      // `iat` counts seconds: what was issued in the same one may be older.
      const issuedAt = token.issuedAt ?? 0
      return entry.subject === token.subject && issuedAt <= entry.revokedAt
    })
  }

  #forgetExpired(): void {
    const now = this.#clock.now()
    for (const [name, { token }] of this.#standing) if (token.expiresAt <= now) this.#standing.delete(name)
    this.#standingMax = Math.max(STANDING_MIN, 2 * this.#standing.size)
  }
}

function revoked(): SyncError {
  return new SyncError('UNAUTHENTICATED', 'the token was revoked: sign in anew')
}
