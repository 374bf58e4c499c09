/** Tells whoever follows a log here that this hub has appended to it. Lossy by contract: followers look now and then too. */
import { type HubSignals, type Namespace } from '@rejoin/core'

export class LogSignals implements HubSignals {
  readonly #followers = new Map<Namespace, Set<() => void>>()

  publish(namespace: Namespace): void {
    for (const wake of this.#followers.get(namespace) ?? []) wake()
  }

  /** The hub's own appends are no news to itself, and nobody else publishes here. */
  listen(): () => void {
    return () => {}
  }

  /** Calls `wake` after each append, until the returned function is called. */
  follow(namespace: Namespace, wake: () => void): () => void {
    const followers = this.#followers.get(namespace) ?? new Set()
    this.#followers.set(namespace, followers.add(wake))
    return () => {
      followers.delete(wake)
      if (followers.size === 0 && this.#followers.get(namespace) === followers) {
        this.#followers.delete(namespace)
      }
    }
  }
}
