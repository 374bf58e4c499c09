/** The first message of a channel, and whether whoever sent it may enter. */
import { limits, SyncError, type AnyDomain, type Clock, type Hello, type HubChannel } from '@rejoin/core'
import { tooNew } from './admission.ts'
import { type Principal } from './principal.ts'
import { type Room } from './room.ts'
import { within } from './waiting.ts'

/** Null where the peer went before it said anything. @throws SyncError TIMED_OUT or MESSAGE_UNEXPECTED */
export async function receiveHello(channel: HubChannel, clock: Clock): Promise<Hello | null> {
  const message = await within(clock, limits.answerMsMax, channel.receive())
  if (message === 'late') throw new SyncError('TIMED_OUT', `no Hello came within ${limits.answerMsMax} ms`)
  if (message === null || message.type === 'Hello') return message
  throw new SyncError('MESSAGE_UNEXPECTED', `a channel starts with Hello, not with ${message.type}`)
}

/** The domain it asks for. @throws SyncError FORBIDDEN, DOMAIN_UNKNOWN or DOMAIN_TOO_NEW */
export function checkHello(
  hello: Hello,
  principal: Principal,
  domains: ReadonlyMap<string, AnyDomain>,
): AnyDomain {
  const { namespace } = hello
  if (!principal.canRead(namespace)) {
    throw new SyncError('FORBIDDEN', `${principal.name} may not read ${namespace}; ask for that scope`)
  }
  const domain = domains.get(hello.domain)
  if (domain === undefined) {
    const known = [...domains.keys()].join(', ')
    throw new SyncError(
      'DOMAIN_UNKNOWN',
      `this hub does not know the domain ${hello.domain}; it knows ${known}`,
    )
  }
  if (hello.domainVersion > domain.version) throw tooNew(domain, hello.domainVersion)
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
