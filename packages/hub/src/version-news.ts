/**
 * What a session tells its replica of the domain's version: that the document holds commits of a newer one than it knows,
 * before the first of them, and each version once. Whoever does not offer `newer` is told nothing.
 */
import { type Hello, type HubChannel } from '@rejoin/core'

export class VersionNews {
  readonly #channel: HubChannel
  readonly #isWanted: boolean
  /** The newest version that the replica knows of: its own, or what it was told here. */
  #told: number

  constructor(channel: HubChannel, { domainVersion, capabilities }: Hello) {
    this.#channel = channel
    this.#isWanted = capabilities.includes('newer')
    this.#told = domainVersion
  }

  /** What is sent next may hold commits of this version. */
  tell(domainVersion: number): void {
    if (!this.#isWanted || domainVersion <= this.#told) return
    this.#told = domainVersion
    this.#channel.send({ type: 'NewerDomain', domainVersion })
  }
}
