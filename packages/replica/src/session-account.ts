/** What one session has brought and cost, added to the sums of all exchanges: commits, and by path bytes and time. */
import { PathMeter, type ReplicaChannel, type Welcome } from '@rejoin/core'
import type { Brought } from './brought.ts'
import type { SessionParts, Tally } from './session-parts.ts'

export class SessionAccount {
  readonly #tally: Tally
  readonly #meter: PathMeter
  #isWelcome = false

  constructor(channel: ReplicaChannel, { clock, tally }: Pick<SessionParts, 'clock' | 'tally'>) {
    this.#tally = tally
    this.#meter = new PathMeter(channel, () => clock.now(), tally.paths)
  }

  /** The hub has answered the greeting. */
  get isWelcome(): boolean {
    return this.#isWelcome
  }

  welcome(welcome: Welcome): void {
    this.#isWelcome = true
    this.#meter.welcome(welcome.path)
    const before = this.#tally.welcome
    if (before === null || before.path === 'live' || welcome.path === 'heal') this.#tally.welcome = welcome
  }

  brought({ pulled, applied }: Brought): void {
    this.#tally.pulled += pulled
    this.#tally.applied += applied
  }

  /** Everything that the hub had is here. */
  arrived(): void {
    this.#meter.arrived(null)
  }

  ended(): void {
    this.#meter.ended()
  }
}
