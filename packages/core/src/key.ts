/**
 * Keys of registers: one or more strings. In memory a key is also one text, its parts joined by U+0000 (which no part may
 * hold), so that text order is key order and a prefix of parts is a prefix of the text.
 */
import { SyncError } from './errors.ts'
import { limits } from './limits.ts'
import { utf8Length } from './value.ts'

/** The parts of a key; a plain string key has one. */
export type KeyParts = readonly string[]
export type KeyText = string

const SEPARATOR = '\u0000'

export function keyText(parts: KeyParts): KeyText {
  return parts.length === 1 ? (parts[0] ?? '') : parts.join(SEPARATOR)
}

export function keyParts(text: KeyText): KeyParts {
  return text.split(SEPARATOR)
}

/** What every key text under `prefix` starts with; empty for the empty prefix. */
export function prefixText(prefix: KeyParts): string {
  return prefix.length === 0 ? '' : keyText(prefix) + SEPARATOR
}

/** @throws SyncError KEY_INVALID */
export function checkKey(parts: KeyParts, path = 'key'): KeyParts {
  if (parts.length === 0) throw new SyncError('KEY_INVALID', `${path} has no parts`, { path })
  let bytes = 0
  for (const part of parts) {
    if (!part.isWellFormed())
      throw new SyncError('KEY_INVALID', `${path} holds half a surrogate pair`, { path })
    if (part.includes(SEPARATOR)) throw new SyncError('KEY_INVALID', `${path} holds U+0000`, { path })
    bytes += utf8Length(part)
  }
  if (bytes > limits.keyBytesMax) {
    throw new SyncError('KEY_INVALID', `${path} is larger than ${limits.keyBytesMax} bytes`, { path })
  }
  return parts
}
