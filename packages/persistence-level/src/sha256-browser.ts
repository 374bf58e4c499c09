/** SHA-256 for browsers, whose own is asynchronous. In Node `sha256-node.ts` stands in its place. */
import { sha256 as noble } from '@noble/hashes/sha2.js'

/** Of parts, one after the other. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = noble.create()
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** Its first 32 bits. */
export function sha256Start(bytes: Uint8Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = noble(bytes)
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
}
