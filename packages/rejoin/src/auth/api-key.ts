/**
 * API keys: `rj_NAME_SECRET`, the secret 256 random bits in hexadecimal, so that scanners of secrets find one that got loose.
 * A hub keeps the SHA-256 of a key, and nothing it could be made from. That is enough for random keys: a slow hash makes up
 * for passwords that can be guessed, and 256 random bits cannot; it would only make each request slow.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Clock } from '@rejoin/core'

export const KEY_NAME_PATTERN = /^[a-z0-9][a-z0-9-]{0,31}$/
const KEY_PATTERN = /^rj_([a-z0-9][a-z0-9-]{0,31})_[0-9a-f]{64}$/
const SECRET_BYTES = 32

export function newKey(name: string, clock: Clock): string {
  return `rj_${name}_${Buffer.from(clock.random(SECRET_BYTES)).toString('hex')}`
}

/** Whether it is meant as one, so that no other way of signing in is tried with it. */
export function looksLikeKey(token: string): boolean {
  return token.startsWith('rj_')
}

/** The name in a key, which is no secret; null where it is none. */
export function nameInKey(key: string): string | null {
  return KEY_PATTERN.exec(key)?.[1] ?? null
}

export function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

/** In constant time, and in the same time where there is no such key: `hash` null. */
export function isKeyOf(key: string, hash: string | null): boolean {
  const given = createHash('sha256').update(key).digest()
  const kept = hash === null ? Buffer.alloc(given.length) : Buffer.from(hash, 'hex')
  return timingSafeEqual(given, kept) && hash !== null
}
