/**
 * The change feed: hears the document, works out at once what readers see of it, and tells the app when the replica is
 * consistent again. So a listener may call `apply`: what follows is told after what went before.
 */
import type { AnyDomain, CrdtDocument, RegisterChange, ChangeOrigin } from '@rejoin/core'
import { visibleChanges, visibleDifference, type AnyChange } from './changes.ts'
import type { ReplicaMemory } from './memory.ts'
import { Listeners } from './listeners.ts'

export class ChangeFeed {
  readonly #domain: AnyDomain
  readonly #memory: ReplicaMemory
  readonly #listeners = new Listeners<readonly AnyChange[]>()
  #waiting: (readonly AnyChange[])[] = []
  #telling = false
  /** Ends listening to the document; null while the app has no listener, and nothing is worked out. */
  #stop: (() => void) | null = null

  constructor(domain: AnyDomain, memory: ReplicaMemory) {
    this.#domain = domain
    this.#memory = memory
  }

  subscribe(listener: (changes: readonly AnyChange[]) => void): () => void {
    const remove = this.#listeners.add(listener)
    this.#stop ??= this.#listenTo(this.#memory.document)
    return () => {
      remove()
      if (this.#listeners.size > 0) return
      this.#stop?.()
      this.#stop = null
    }
  }

  /** Tells what was heard, oldest first. */
  release(): void {
    if (this.#telling) return
    this.#telling = true
    for (;;) {
      const changes = this.#waiting.shift()
      if (changes === undefined) break
      this.#listeners.tell(changes)
    }
    this.#telling = false
  }

  /** Puts another document in place of the present one; the app hears the net difference as one change. */
  swap(document: CrdtDocument): void {
    const old = this.#memory.document
    this.#memory.document = document
    this.#memory.absorbNewest()
    if (this.#stop !== null) {
      this.#stop()
      this.#stop = this.#listenTo(document)
      this.#hold(visibleDifference(this.#domain, old, document))
    }
    old.destroy()
  }

  close(): void {
    this.#stop?.()
    this.#memory.document.destroy()
  }

  #listenTo(document: CrdtDocument): () => void {
    return document.listen((changes: readonly RegisterChange[], origin: ChangeOrigin) => {
      this.#hold(visibleChanges(this.#domain, changes, document, origin))
    })
  }

  #hold(changes: readonly AnyChange[]): void {
    if (changes.length > 0) this.#waiting.push(changes)
  }
}
