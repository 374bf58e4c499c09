/**
 * What intents, languages, phrases and tokens may be called. Every name becomes part of a key, so none may hold U+0000 or
 * half a surrogate pair; how long intent, language and phrase are together is bounded by `limits.keyBytesMax`.
 */
import { z } from 'zod'
import { limits, utf8Length } from '@rejoin/core'

export const INTENT_ID_CHARS_MAX = 200

function keyPart(what: string): z.ZodString {
  return z
    .string()
    .min(1, `${what} is empty`)
    .refine((text) => text.isWellFormed(), `${what} holds half a surrogate pair`)
    .refine((text) => !text.includes('\u0000'), `${what} holds U+0000`)
    .refine(
      (text) => keyBytes(text) <= limits.keyBytesMax,
      `${what} is larger than ${limits.keyBytesMax} bytes`,
    )
}

/** Free text; what stands before a first ":" is the intent's domain. */
export const IntentId = keyPart('the intent id').max(
  INTENT_ID_CHARS_MAX,
  `the intent id is longer than ${INTENT_ID_CHARS_MAX} characters`,
)

export const Lang = z
  .string()
  .regex(/^[A-Za-z]{1,8}(?:[-_][A-Za-z0-9]{1,8})*$/, 'a language is a code such as "en" or "pt-BR"')

export const Phrase = keyPart('the phrase').refine((text) => text.trim() !== '', 'the phrase is blank')

/** A term as `terms` makes it: a word, a pair of words, or either with the prefix `not_`. */
export const Token = keyPart('the token')

export const DomainName = keyPart('the domain name')

/** Whether a phrase of this intent and language can be stored; schemas see one part at a time and cannot tell. */
export function fitsKey(...parts: readonly string[]): boolean {
  return keyBytes(...parts) <= limits.keyBytesMax
}

function keyBytes(...parts: readonly string[]): number {
  return parts.reduce((bytes, part) => bytes + utf8Length(part), 0)
}
