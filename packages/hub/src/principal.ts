/** Whoever is signed in on a channel, and what they may do. Who it is, the transport or the wiring found out. */
import { type Namespace } from '@rejoin/core'

export interface Principal {
  /** Logged with every commit. */
  readonly name: string
  canRead(namespace: Namespace): boolean
  canWrite(namespace: Namespace): boolean
}

/** Of a hub without sign-in, which listens on loopback only. */
export const anyone: Principal = { name: 'anyone', canRead: () => true, canWrite: () => true }
