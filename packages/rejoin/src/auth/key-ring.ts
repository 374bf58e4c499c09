/**
 * The keys of a running hub: signs in who shows one, and takes back what is revoked, also from those who are connected. While
 * the file cannot be read nobody new is let in, since a key in it may be revoked by now; who is in stays.
 */
import { join } from 'node:path'
import { SyncError, type Clock } from '@rejoin/core'
import type { Principal } from '@rejoin/hub'
import { isKeyOf, nameInKey } from './api-key.ts'
import { followFile, type FollowedFile } from './followed-file.ts'
import { KEY_FILE, readKeyFile, type StoredKey } from './key-file.ts'
import { knownScopes } from './scope.ts'
import { idOfSubject, scopedPrincipal } from './scoped-principal.ts'
import { TokenRevocations } from './token-revocations.ts'

interface Held {
  readonly key: StoredKey
  readonly revoke: AbortController
}

export class KeyRing {
  /** As the same file says. */
  readonly tokens: TokenRevocations
  readonly #clock: Clock
  readonly #failed: (error: unknown) => void
  readonly #file: FollowedFile
  #held = new Map<string, Held>()
  #readable = true

  /** @param failed hears each time that the file cannot be read. */
  constructor(folder: string, keys: readonly StoredKey[], clock: Clock, failed: (error: unknown) => void) {
    this.#clock = clock
    this.#failed = failed
    this.tokens = new TokenRevocations(clock)
    this.#take(keys)
    const read = async (): Promise<void> => {
      const file = await readKeyFile(folder)
      this.#take(file?.keys ?? [])
      this.tokens.take(file?.revokedTokens ?? [])
    }
    this.#file = followFile(join(folder, KEY_FILE), clock, read, (error) => this.#lose(error))
  }

  /** @throws SyncError UNAUTHENTICATED, SIGN_IN_EXPIRED or SIGN_IN_UNAVAILABLE */
  signIn(token: string): Principal {
    if (!this.#readable) throw unreadable()
    const name = nameInKey(token)
    const held = name === null ? undefined : this.#held.get(name)
    if (!isKeyOf(token, held?.key.hash ?? null) || held === undefined) throw unknown()
    const { key, revoke } = held
    if (key.revokedAt !== null) throw revoked(key)
    if (key.expiresAt !== null && key.expiresAt <= this.#clock.now()) {
      throw new SyncError('SIGN_IN_EXPIRED', `the key ${key.name} has expired: ask for a new one`)
    }
    const id = key.subject === null ? `key:${key.name}` : idOfSubject(key.subject)
    const signIn = { id, expiresAt: key.expiresAt, revoked: revoke.signal }
    return scopedPrincipal(signIn, knownScopes(key.scopes))
  }

  /** Looks at the file now. */
  look(): Promise<void> {
    return this.#file.look()
  }

  close(): void {
    this.#file.stop()
  }

  #take(keys: readonly StoredKey[]): void {
    const before = this.#held
    this.#readable = true
    this.#held = new Map()
    for (const key of keys) {
      const held = before.get(key.name)
      const same = held !== undefined && JSON.stringify(held.key) === JSON.stringify(key)
      this.#held.set(key.name, same ? held : { key, revoke: new AbortController() })
    }
    for (const held of before.values()) {
      const now = this.#held.get(held.key.name)
      if (now !== held) held.revoke.abort(whyEnded(held.key, now?.key ?? null))
    }
  }

  #lose(error: unknown): void {
    this.#readable = false
    this.tokens.lose()
    this.#failed(error)
  }
}

/** A key that says something else now is worth another try: with other scopes, or another end. */
function whyEnded(before: StoredKey, now: StoredKey | null): SyncError {
  if (now === null || now.revokedAt !== null || now.hash !== before.hash) return revoked(before)
  return new SyncError('SIGN_IN_EXPIRED', `the key ${before.name} was changed: sign in again`)
}

function revoked({ name }: StoredKey): SyncError {
  return new SyncError('UNAUTHENTICATED', `the key ${name} was revoked: ask for a new one`)
}

function unknown(): SyncError {
  return new SyncError(
    'UNAUTHENTICATED',
    'this key is not known here: is it the right hub, and the whole key?',
  )
}

function unreadable(): SyncError {
  return new SyncError('SIGN_IN_UNAVAILABLE', 'the hub cannot read its keys now; its log says why')
}
