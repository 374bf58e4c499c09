/**
 * Asking one replica for what the log lost. It is asked once, with what the document holds by now; where others have brought
 * back a part meanwhile it is asked again. Over a one-shot channel everything up was said before it heard that: then it
 * comes again with the answer, and nothing else of this exchange is looked at.
 */
import {
  limits,
  SyncError,
  type AnyDomain,
  type Clock,
  type CrdtUpdates,
  type HealPlan,
  type HealWanted,
  type Hello,
  type HubChannel,
  type Seq,
} from '@rejoin/core'
import { type Healer } from './healer.ts'
import { type Principal } from './principal.ts'
import { type Room } from './room.ts'
import { within } from './waiting.ts'

/** One session, as far as this is its business. */
export interface HealTalk {
  readonly channel: HubChannel
  readonly send: (message: HealWanted) => void
  readonly room: Room
  readonly hello: Hello
  readonly domain: AnyDomain
  readonly principal: Principal
  /** It has just greeted: later its messages are somebody else's to hear. */
  readonly isNew: boolean
}

export interface HealTalkParts {
  readonly healer: Healer
  readonly updates: CrdtUpdates
  readonly clock: Clock
}

/** As `CatchUpOutlet.heal`. @throws SyncError HISTORY_DIVERGED, CHANNEL_CLOSED, TIMED_OUT, or why it cannot be logged. */
export async function healFrom(
  { channel, send, room, hello, domain, principal, isNew }: HealTalk,
  { healer, updates, clock }: HealTalkParts,
  plan: HealPlan,
): Promise<Seq | 'moved' | 'left'> {
  if (!isNew) {
    const what = `${room.namespace}: the log is not the one that this channel began with`
    throw new SyncError('CHANNEL_CLOSED', `${what}; greet again`)
  }
  const marks = plan.wanted === 'all' ? null : room.marks
  send({ type: 'HealWanted', stateVector: updates.stateVector(marks?.clocks ?? new Map()) })
  // A large base takes a while to be read, and its bytes to travel.
  const heal = await within(clock, limits.answerMsMax + limits.fragmentsMsMax, channel.receive())
  if (heal === 'late') throw new SyncError('TIMED_OUT', 'what the hub has lost was not brought back in time')
  // Anything else was said before it could hear that, and may build on what is lost: it is not taken, and comes again.
  if (heal?.type !== 'Heal') return 'left'
  const { namespace } = room
  const { replica } = hello
  return await healer.heal(room, { namespace, plan, domain, replica, principal: principal.id, heal })
}
