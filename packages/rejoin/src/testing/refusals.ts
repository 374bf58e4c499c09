/**
 * Refusals for good: commits that no hub would take are what a hub sees of those that a story has it refuse. Each commit is
 * decided once, when it first comes by, and then stays decided: sent again, late, or twice.
 */
import type { Commit, ErrorCode, HubChannel, PushedCommit, UpMessage } from '@rejoin/core'
import { opsText } from '@rejoin/testkit'
import type { Member } from './member.ts'
import { withMembers } from './proxy.ts'

/** No domain declares it: OP_UNKNOWN, which no retry mends. */
const REFUSED_OP = { type: 'refused by the story' }
/** Refusals that say nothing of the domain: a clock that is wrong, a principal that may not write. */
const ofTheWorld: readonly ErrorCode[] = ['HLC_AHEAD', 'FORBIDDEN']

export class Refusals {
  readonly #due = new Map<number, number>()
  readonly #isRefused = new Map<string, boolean>()

  /** The next `commits` that come by of this replica. */
  ask(replica: number, commits: number): void {
    this.#due.set(replica, commits)
  }

  end(): void {
    this.#due.clear()
  }

  /** Commits that the hub refused for good though no step had it do so: which, what, and why, a line each. */
  unaskedOf({ index, replica }: Member): readonly string[] {
    return replica.rejected
      .filter(({ commit, code }) => !this.#has(commit, index) && !ofTheWorld.includes(code))
      .map(({ commit, code, message }) => {
        const what = `commit ${index}:${commit.id.counter} (${opsText(commit.ops)})`
        return `${what} with ${code}: ${message}`
      })
  }

  /** The hub's end of a connection of `replica`. */
  through(channel: HubChannel, replica: number): HubChannel {
    return withMembers(channel, {
      receive: async (): Promise<UpMessage | null> => {
        const message = await channel.receive()
        return message === null ? null : this.judged(message, replica)
      },
    })
  }

  /** A message of `replica` as the hub sees it. */
  judged(message: UpMessage, replica: number): UpMessage {
    if (message.type !== 'Push') return message
    return { ...message, commits: message.commits.map((commit) => this.#judge(commit, replica)) }
  }

  #has({ id, hlc }: Commit, replica: number): boolean {
    return this.#isRefused.get(nameOf(replica, id.counter, hlc)) === true
  }

  #judge(commit: PushedCommit, replica: number): PushedCommit {
    const name = nameOf(replica, commit.counter, commit.hlc)
    let isRefused = this.#isRefused.get(name)
    if (isRefused === undefined) {
      const due = this.#due.get(replica) ?? 0
      isRefused = due > 0
      if (isRefused) this.#due.set(replica, due - 1)
      this.#isRefused.set(name, isRefused)
    }
    return isRefused ? { ...commit, ops: [REFUSED_OP] } : commit
  }
}

/** A counter is used again, with another stamp, where a crash came before the commit was recorded. */
function nameOf(replica: number, counter: number, hlc: string): string {
  return `${replica}:${counter}:${hlc}`
}
