/**
 * Whose a live socket is, for as long as it lives (`HAZARDS.md` G11): it ends with its sign-in, at its time or when that is
 * taken back; and before that time its peer may bring a fresh token of the same principal, and is asked to where it said so.
 */
import { setMaxListeners } from 'node:events'
import { limits, onSignInEnd, SyncError, type Clock, type SignIn } from '@rejoin/core'
import { decodeSignIn } from '../sign-in-frame.ts'
import { after } from '../socket.ts'
import type { Judged } from './entrance.ts'

/** A principal that is, at each moment, the one that `current` gives. */
export type RenewablePrincipal<Principal> = (current: () => Principal) => Principal

export interface StandingOptions<Principal> {
  readonly clock: Clock
  /** Null where nobody can be replaced. */
  readonly renewable: RenewablePrincipal<Principal> | null
  /** Sends the wish for a fresh token; null where the peer brings none. */
  readonly ask: (() => void) | null
  /** @throws SyncError */
  readonly judge: (token: string) => Promise<Judged<Principal>>
  readonly end: (why: SyncError) => void
  /** Hears why a fresh token was not taken. */
  readonly refused: (error: unknown) => void
}

/** Milliseconds before the end in which nobody is asked any more. */
const ASK_MS_MIN = 1_000
/** A timer counts at most 24 days. */
const LOOK_MS_MAX = 24 * 60 * 60_000

export class Standing<Principal> {
  readonly principal: Principal | 'anonymous'
  readonly #options: StandingOptions<Principal>
  /** By its newest token. */
  #current: Principal | 'anonymous'
  #signIn: SignIn | null
  #isRenewing = false
  #isOver = false
  #stopWatching: () => void = () => {}
  #stopAsking: () => void = () => {}

  constructor({ principal, signIn }: Judged<Principal>, options: StandingOptions<Principal>) {
    this.#options = options
    this.#signIn = signIn
    this.#current = principal
    const { renewable } = options
    this.principal =
      principal === 'anonymous' || renewable === null
        ? principal
        : // Nobody becomes anonymous by a token.
          renewable(() => (this.#current === 'anonymous' ? principal : this.#current))
  }

  /** From now on it ends by itself. */
  watch(): void {
    const { clock, end, ask } = this.#options
    const signIn = this.#signIn
    this.#stopWatching()
    this.#stopAsking()
    if (signIn === null || this.#isOver) return
    // One key may have many sockets, and Node would take their listeners for a leak.
    setMaxListeners(0, signIn.revoked)
    this.#stopWatching = onSignInEnd(signIn, clock, end)
    if (ask !== null && this.#options.renewable !== null && signIn.expiresAt !== null)
      this.#askBefore(signIn.expiresAt, ask)
  }

  /** Takes a frame that signs in again. Whoever brings another one before the last was answered is ended. */
  take(bytes: Uint8Array): void {
    const { end, renewable, refused } = this.#options
    if (this.#signIn === null || renewable === null || this.#isRenewing)
      return end(new SyncError('MESSAGE_UNEXPECTED', 'no token is wanted now'))
    this.#isRenewing = true
    this.#renew(bytes, this.#signIn)
      .catch((error: unknown) => {
        refused(error)
        // What may be tried again takes nothing away: the token before still holds.
        if (error instanceof SyncError && !error.retryable) end(error)
      })
      .finally(() => (this.#isRenewing = false))
  }

  stop(): void {
    this.#isOver = true
    this.#stopWatching()
    this.#stopAsking()
  }

  async #renew(bytes: Uint8Array, before: SignIn): Promise<void> {
    const { principal, signIn } = await this.#options.judge(decodeSignIn(bytes))
    if (this.#isOver) return
    if (signIn?.id !== before.id)
      throw new SyncError('UNAUTHENTICATED', 'a fresh token is of the one who signed in before')
    this.#current = principal
    this.#signIn = signIn
    this.watch()
  }

  /** Each time that the most of what is left is over: what gives the token may have failed the last time. */
  #askBefore(endsAt: number, ask: () => void): void {
    const { clock } = this.#options
    const leftMs = endsAt - clock.now()
    const askMs = (leftMs * limits.signInAskPercent) / 100
    if (leftMs <= ASK_MS_MIN) return
    this.#stopAsking = after(clock, Math.min(askMs, LOOK_MS_MAX), () => {
      // What it brings while another one is judged would end it.
      if (askMs <= LOOK_MS_MAX && !this.#isRenewing) ask()
      this.#askBefore(endsAt, ask)
    })
  }
}
