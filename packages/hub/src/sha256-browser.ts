/** SHA-256 for browsers, whose own is asynchronous. In Node `sha256-node.ts` stands in its place. */
import { sha256 as noble } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'

/** Of parts, one after the other. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = noble.create()
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** In hexadecimal. */
export function sha256Hex(bytes: Uint8Array): string {
  return bytesToHex(noble(bytes))
}
