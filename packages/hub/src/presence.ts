/** Who presents what in a room: the last of each session, never logged, gone with its session. */
import { limits, SyncError } from '@rejoin/core'
import { type Member } from './member.ts'

export class Presence {
  readonly #members: ReadonlySet<Member>
  readonly #last = new Map<Member, Uint8Array>()

  /** `members` are those of the room, now and later. */
  constructor(members: ReadonlySet<Member>) {
    this.#members = members
  }

  /** Fans out to the others. @throws SyncError MESSAGE_TOO_LARGE */
  show(member: Member, update: Uint8Array): void {
    if (update.length > limits.awarenessBytesMax) {
      throw new SyncError('MESSAGE_TOO_LARGE', `presence has at most ${limits.awarenessBytesMax} bytes`)
    }
    this.#last.set(member, update)
    for (const other of this.#members) if (other !== member) other.deliverAwareness(update)
  }

  /** What the others present, for a session that just arrived. */
  othersThan(member: Member): readonly Uint8Array[] {
    return [...this.#last].filter(([other]) => other !== member).map(([, update]) => update)
  }

  forget(member: Member): void {
    this.#last.delete(member)
  }
}
