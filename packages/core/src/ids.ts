/** Names of things that travel: replicas, namespaces, commits. Each is checked where it enters and trusted inside. */
import { z } from 'zod'
import { SyncError } from './errors.ts'
import { limits } from './limits.ts'

/** 22 characters of base64url: 16 random bytes. One installation of a client in one namespace. */
export const replicaIdSchema = z
  .string()
  .regex(/^[-_A-Za-z0-9]{21}[AQgw]$/, 'a replica id is 16 bytes in base64url')
export type ReplicaId = z.output<typeof replicaIdSchema>

/** `HAZARDS.md` G13: compared byte for byte, never part of a path. */
export const namespaceSchema = z
  .string()
  .max(limits.namespaceCharsMax)
  .regex(
    /^[a-z0-9][a-z0-9._-]*$/,
    'a namespace is lowercase letters, digits, ".", "_" and "-", starting with a letter or digit',
  )
export type Namespace = z.output<typeof namespaceSchema>

/** Counts the commits of one replica from 1. */
export const counterSchema = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER)
export type Counter = number

/** Names a commit for ever, through resends and recommits. */
export interface CommitId {
  readonly replica: ReplicaId
  readonly counter: Counter
}

/** @throws SyncError NAMESPACE_INVALID */
export function checkNamespace(text: string): Namespace {
  const parsed = namespaceSchema.safeParse(text)
  if (parsed.success) return parsed.data
  throw new SyncError(
    'NAMESPACE_INVALID',
    `${JSON.stringify(text.slice(0, 60))} is no namespace: use up to ${limits.namespaceCharsMax} lowercase letters, digits, ".", "_" or "-"`,
  )
}

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Makes a replica id of 16 random bytes. */
export function replicaIdOf(random: Uint8Array): ReplicaId {
  if (random.length !== 16)
    throw new SyncError('INPUT_INVALID', `a replica id takes 16 random bytes, got ${random.length}`)
  let text = ''
  let bits = 0
  let held = 0
  for (const byte of random) {
    bits = (bits << 8) | byte
    held += 8
    while (held >= 6) {
      held -= 6
      text += BASE64URL.charAt((bits >> held) & 63)
      bits &= (1 << held) - 1
    }
  }
  return text + BASE64URL.charAt((bits << (6 - held)) & 63)
}
