/** Whether a session may still be sent anything: a sign-in ends, and scopes change, while sessions live. */
import { signInEnd, SyncError, type Clock, type Namespace } from '@rejoin/core'
import { type Principal } from './principal.ts'

/** Why not, or null. @param namespace null: it has not said yet which it wants. */
export function readingEnd(
  principal: Principal,
  namespace: Namespace | null,
  clock: Clock,
): SyncError | null {
  const ended = signInEnd(principal, clock.now())
  if (ended !== null || namespace === null || principal.canRead(namespace)) return ended
  return mayNotRead(principal, namespace)
}

export function mayNotRead(principal: Principal, namespace: Namespace): SyncError {
  return new SyncError('FORBIDDEN', `${principal.name} may not read ${namespace}; ask for that scope`)
}
