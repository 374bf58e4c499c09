/** Identities as text in memory and as raw bytes on the wire: 16 bytes as 22 characters of base64url, 8 as 16 of hex. */
import { assert } from '@rejoin/core'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const NO_DIGIT = 255
const base64urlValues = valuesOf(ALPHABET)
const hexValues = valuesOf('0123456789abcdef')

export function base64urlOf(bytes: Uint8Array): string {
  let text = ''
  let held = 0
  let bits = 0
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xffff
    for (bits += 8; bits >= 6; bits -= 6) text += ALPHABET.charAt((held >> (bits - 6)) & 63)
  }
  return bits === 0 ? text : text + ALPHABET.charAt((held << (6 - bits)) & 63)
}

/** The bytes of `text`, which must be exactly what `base64urlOf` makes of them: no two texts name one replica. */
export function bytesOfBase64url(text: string): Uint8Array {
  const bytes = new Uint8Array((text.length * 6) >> 3)
  let held = 0
  let bits = 0
  let at = 0
  for (let i = 0; i < text.length; i++) {
    held = ((held << 6) | valueOf(base64urlValues, text, i)) & 0xffff
    bits += 6
    if (bits >= 8) bytes[at++] = (held >> (bits -= 8)) & 0xff
  }
  assert((held & ((1 << bits) - 1)) === 0, `${JSON.stringify(text)} is base64url of whole bytes`)
  return bytes
}

export function hexOf(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}

export function bytesOfHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] = (valueOf(hexValues, text, 2 * i) << 4) | valueOf(hexValues, text, 2 * i + 1)
  }
  return bytes
}

/** The value of the digit at `index`. A character of another alphabet is a bug: ids are checked where they enter. */
function valueOf(values: Uint8Array, text: string, index: number): number {
  const value = values[text.charCodeAt(index)] ?? NO_DIGIT
  assert(value !== NO_DIGIT, `${JSON.stringify(text)} is of its alphabet`)
  return value
}

function valuesOf(alphabet: string): Uint8Array {
  const values = new Uint8Array(128).fill(NO_DIGIT)
  for (let i = 0; i < alphabet.length; i++) values[alphabet.charCodeAt(i)] = i
  return values
}
