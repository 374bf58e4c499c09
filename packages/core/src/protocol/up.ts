/** Every message that a replica sends. A channel is one room's, so no message but the first names the namespace. */
import { z } from 'zod'
import { cursorSchema } from '../cursor.ts'
import { isHlc, type Hlc } from '../hlc.ts'
import { counterSchema, namespaceSchema, replicaIdSchema } from '../ids.ts'
import { limits } from '../limits.ts'
import type { AnyOp } from '../domain/op.ts'

export const bytesSchema = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'expected bytes')
export const hlcSchema = z.custom<Hlc>(isHlc, 'expected an HLC stamp')
const opSchema = z.custom<AnyOp>(
  (value) => typeof value === 'object' && value !== null && 'type' in value,
  'expected an op',
)

/** A commit as it is pushed: whose it is follows from the session. */
export const pushedCommitSchema = z.object({
  counter: counterSchema,
  /** The counter before it that still stands; 0 for none. */
  prev: z.number().int().min(0),
  hlc: hlcSchema,
  domainVersion: z.number().int().min(1),
  ops: z.array(opSchema).min(1).max(limits.commitOpsMax),
  update: bytesSchema,
})
export type PushedCommit = z.output<typeof pushedCommitSchema>

/** The first message of a channel. */
export const helloSchema = z.object({
  type: z.literal('Hello'),
  namespace: namespaceSchema,
  domain: z.string().min(1).max(64),
  domainVersion: z.number().int().min(1),
  replica: replicaIdSchema,
  /** Up to where this replica has everything, or null where it never had anything. */
  cursor: cursorSchema.nullable(),
  /** Its highest counter that it knows to be acknowledged; 0 for none. */
  ackedCounter: z.number().int().min(0),
  capabilities: z.array(z.string().max(32)).max(32),
  /**
   * With the capability `trim`, and only then: the Yjs V1 state vector of commits that it has although its cursor does not
   * cover them, with all that they deleted. A tail names those and leaves their bytes out.
   */
  stateVector: bytesSchema
    .refine((bytes) => bytes.length <= limits.helloVectorBytesMax, 'the state vector is too large')
    .optional(),
})
export type Hello = z.output<typeof helloSchema>

/** Commits in counter order. Each is answered exactly once, by `Ack` or `Refused`. */
export const pushSchema = z.object({
  type: z.literal('Push'),
  /** The epoch the updates were made in, or null where their author has never had a base: bytes of no epoch. */
  epoch: z.number().int().min(1).nullable(),
  commits: z.array(pushedCommitSchema).min(1).max(limits.pushCommitsMax),
})
export type Push = z.output<typeof pushSchema>

/**
 * Answers `HealWanted`: what the hub lacks of the replica's acknowledged base, and nothing of its outbox. Whose history it is
 * and up to where, `Hello` has said.
 */
export const healSchema = z.object({
  type: z.literal('Heal'),
  /** The newest of its own commits that the base holds; 0 for none. */
  counter: z.number().int().min(0),
  /** The newest version of the domain that the base holds commits of. */
  domainVersion: z.number().int().min(1),
  /** A state update: newer items than the state vector names, and every deletion. */
  update: bytesSchema,
})
export type Heal = z.output<typeof healSchema>

export const awarenessSchema = z.object({
  type: z.literal('Awareness'),
  update: bytesSchema.refine((bytes) => bytes.length <= limits.awarenessBytesMax, 'awareness is too large'),
})
export type Awareness = z.output<typeof awarenessSchema>

/** The replica leaves the room. */
export const byeSchema = z.object({ type: z.literal('Bye') })
export type Bye = z.output<typeof byeSchema>

export const upMessageSchema = z.discriminatedUnion('type', [
  helloSchema,
  pushSchema,
  healSchema,
  awarenessSchema,
  byeSchema,
])
export type UpMessage = z.output<typeof upMessageSchema>
