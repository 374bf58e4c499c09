/** Follows the logs of a hub from outside, by their stream of ops: what was logged is noted before the log lets go of it. */
import type { ReplicaId } from '@rejoin/core'
import { commitName } from '@rejoin/core'

interface Line {
  readonly kind: string
  readonly seq: number
  readonly replica: ReplicaId
  readonly counter: number
}

export class Witness {
  readonly #hub: string
  readonly #at = new Map<string, number>()
  /** Seq by commit. */
  readonly #logged = new Map<string, number>()

  constructor(hub: string) {
    this.#hub = hub
  }

  get commits(): number {
    return this.#logged.size
  }

  has(commit: string): boolean {
    return this.#logged.has(commit)
  }

  /** Reads what was logged since. @throws Error where a commit is logged twice, or something was let go of unread. */
  async look(namespace: string): Promise<void> {
    const after = this.#at.get(namespace) ?? 0
    const response = await fetch(`${this.#hub}/v1/${namespace}/ops?after=${after}`)
    const text = await response.text()
    if (response.status === 404) return
    if (response.status !== 200) throw new Error(`${namespace} after ${after}: ${response.status} ${text}`)
    for (const json of text.split('\n')) if (json !== '') this.#note(namespace, JSON.parse(json) as Line)
  }

  #note(namespace: string, { kind, seq, replica, counter }: Line): void {
    if (kind === 'gap') throw new Error(`${namespace}: the log let go of what nobody had read yet`)
    this.#at.set(namespace, seq)
    if (kind !== 'commit') return
    const commit = commitName({ replica, counter })
    const before = this.#logged.get(commit)
    if (before !== undefined) throw new Error(`${commit} is logged twice: at ${before} and at ${seq}`)
    this.#logged.set(commit, seq)
  }
}
