/** Whoever is signed in on a channel, and what they may do. Who it is, the transport or the wiring found out. */
import { type Namespace, type SignIn } from '@rejoin/core'

/** What it may do is asked with every message in and out; so it may change while its sessions live. */
export interface Principal extends SignIn {
  /** For people, in messages. With every commit the id is logged. */
  readonly name: string
  canRead(namespace: Namespace): boolean
  /** Who may not write shows nothing to others either: no commits, no presence. */
  canWrite(namespace: Namespace): boolean
  /** May do what an operator does. */
  canAdmin(namespace: Namespace): boolean
}

/** Of a hub without sign-in, which listens on loopback only. */
export const anyone: Principal = {
  id: 'anyone',
  name: 'anyone',
  expiresAt: null,
  revoked: new AbortController().signal,
  canRead: () => true,
  canWrite: () => true,
  canAdmin: () => true,
}
