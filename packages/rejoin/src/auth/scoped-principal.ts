/** A principal whose rights are its scopes. */
import type { SignIn } from '@rejoin/core'
import type { Principal } from '@rejoin/hub'
import { allows, type Scope } from './scope.ts'

export function scopedPrincipal(signIn: SignIn, scopes: readonly Scope[]): Principal {
  return {
    ...signIn,
    name: signIn.id,
    canRead: (namespace) => allows(scopes, 'read', namespace),
    canWrite: (namespace) => allows(scopes, 'write', namespace),
    canAdmin: (namespace) => allows(scopes, 'admin', namespace),
  }
}

/** One that is, at each moment, the one that `current` gives: whoever is connected may bring a fresh token. */
export function renewablePrincipal(current: () => Principal): Principal {
  return {
    get id() {
      return current().id
    },
    get name() {
      return current().name
    },
    get expiresAt() {
      return current().expiresAt
    },
    get revoked() {
      return current().revoked
    },
    canRead: (namespace) => current().canRead(namespace),
    canWrite: (namespace) => current().canWrite(namespace),
    canAdmin: (namespace) => current().canAdmin(namespace),
  }
}

/** Who it is, whatever they sign in with: the subject of a token, or of a key that was made for the same one. */
export function idOfSubject(subject: string): string {
  return `user:${subject}`
}

/** No control characters: it is logged, and shown to people. */
export const SUBJECT_PATTERN = /^[^\p{C}]{1,200}$/u
