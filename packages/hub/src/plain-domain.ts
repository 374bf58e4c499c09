/** Of which domain a plain Yjs client's room is: what it asks for, else what the room holds, else the only one there is. */
import { SyncError, type AnyDomain, type PlainRequest } from '@rejoin/core'
import { type Room } from './room.ts'

/** @throws SyncError DOMAIN_UNKNOWN */
export function plainDomainOf(
  request: Pick<PlainRequest, 'domain'>,
  room: Room,
  domains: ReadonlyMap<string, AnyDomain>,
): AnyDomain {
  const only = domains.size === 1 ? [...domains.keys()][0] : undefined
  const name = request.domain ?? room.domain ?? only
  const domain = name === undefined ? undefined : domains.get(name)
  if (domain !== undefined) return domain
  const known = [...domains.keys()].join(', ')
  const what = name === undefined ? 'say which with ?domain=' : `not ${name}`
  throw new SyncError('DOMAIN_UNKNOWN', `this hub knows the domains ${known}; ${what}`)
}
