/** SHA-256 by Node: some seven times as fast as in JavaScript, and every record is hashed. */
import { createHash, hash } from 'node:crypto'

/** Of parts, one after the other. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = createHash('sha256')
  for (const part of parts) whole.update(part)
  return whole.digest()
}

/** In hexadecimal. In one call, and as a text: a hash object and a buffer for the result take four times as long. */
export function sha256Hex(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex')
}
