/** The first message of a channel, and whether whoever sent it may enter. */
import {
  domainTooNew,
  limits,
  SyncError,
  type AnyDomain,
  type Clock,
  type Cursor,
  type Hello,
  type HubChannel,
} from '@rejoin/core'
import { type HubLog } from './log-event.ts'
import { type Marks } from './marks.ts'
import { checkNoPlainReplica } from './plain-identity.ts'
import { type Principal } from './principal.ts'
import { mayNotRead } from './reading-right.ts'
import { type Room } from './room.ts'
import { type ReplicaStanding } from './log-view.ts'
import { within } from './waiting.ts'

/**
 * Resolves when it may be answered; null where the peer went before that.
 * @throws SyncError TIMED_OUT, MESSAGE_UNEXPECTED, or RATE_LIMITED where others keep it waiting
 */
export async function receiveHello(channel: HubChannel, clock: Clock): Promise<Hello | null> {
  const message = await within(clock, limits.answerMsMax, channel.receive())
  if (message === 'late') throw new SyncError('TIMED_OUT', `no Hello came within ${limits.answerMsMax} ms`)
  if (message === null) return null
  if (message.type !== 'Hello')
    throw new SyncError('MESSAGE_UNEXPECTED', `a channel starts with Hello, not with ${message.type}`)
  return (await mayBeAnswered(channel, clock)) ? message : null
}

/** A channel drains when its turn has come. @returns false where it has closed. @throws SyncError RATE_LIMITED */
async function mayBeAnswered(channel: HubChannel, clock: Clock): Promise<boolean> {
  const gone = channel.closed.then(() => 'gone' as const)
  const turn = await within(clock, limits.greetingMsMax, Promise.race([gone, channel.drained()]))
  if (turn !== 'late') return turn !== 'gone'
  const why = 'too much waits to be read by others of this sign-in'
  throw new SyncError('RATE_LIMITED', `${why}: no turn came within ${limits.greetingMsMax} ms; come again`)
}

/**
 * The domain it asks for, in the version that this hub knows: a newer replica may read, and each of its commits is held
 * against what is known here.
 * @throws SyncError FORBIDDEN or DOMAIN_UNKNOWN
 */
export function checkHello(
  hello: Hello,
  principal: Principal,
  domains: ReadonlyMap<string, AnyDomain>,
): AnyDomain {
  const { namespace, replica } = hello
  checkNoPlainReplica(replica)
  // First of all: whoever may not read a namespace does not learn whether it exists, or what is in it.
  if (!principal.canRead(namespace)) throw mayNotRead(principal, namespace)
  const domain = domains.get(hello.domain)
  if (domain === undefined) {
    const known = [...domains.keys()].join(', ')
    throw new SyncError(
      'DOMAIN_UNKNOWN',
      `this hub does not know the domain ${hello.domain}; it knows ${known}`,
    )
  }
  return domain
}

/** @throws SyncError DOMAIN_MISMATCH */
export function checkDomain(room: Room, domain: AnyDomain): void {
  if (room.domain === null || room.domain === domain.name) return
  throw new SyncError(
    'DOMAIN_MISMATCH',
    `${room.namespace} holds the domain ${room.domain}, not ${domain.name}`,
  )
}

/** A document that is newer than the hub: bytes need no domain, so the room is served; every push to it is refused. */
export function warnOfNewer({ namespace, marks }: Room, domain: AnyDomain, log: HubLog): void {
  if (marks === null || marks.domainVersion <= domain.version) return
  const error = domainTooNew(domain, marks.domainVersion, 'this hub')
  log({ level: 'warn', namespace, message: 'served, but nothing is taken in', error })
}

/** What the replica says of itself; later what it was sent tells more. */
export function standingOf(
  { replica, ackedCounter, capabilities }: Hello,
  cursor: Cursor | null,
  why: 'greeting' | 'behind',
  marks: Marks | null,
): ReplicaStanding {
  if (why === 'behind') return { replica, cursor, ackedCounter: 0, holdsMore: false }
  const acked = marks?.mayBeForgotten(replica) === true ? 0 : ackedCounter
  return { replica, cursor, ackedCounter: acked, holdsMore: capabilities.includes('more') }
}
