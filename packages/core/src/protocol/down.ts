/** Every message that a hub sends. */
import { z } from 'zod'
import { cursorSchema } from '../cursor.ts'
import { isErrorCode, type ErrorCode } from '../errors.ts'
import { counterSchema, replicaIdSchema } from '../ids.ts'
import { limits } from '../limits.ts'
import type { Durability } from '../ports/hub-store.ts'
import { awarenessSchema, bytesSchema, hlcSchema } from './up.ts'

const codeSchema = z.custom<ErrorCode>(
  (value) => typeof value === 'string' && isErrorCode(value),
  'expected an error code',
)
const seqSchema = z.number().int().min(0)
/** What it stands for that a hub says something is in its log. */
const durabilitySchema = z.enum(['durable', 'applied'] as const satisfies readonly Durability[])

/** How a replica catches up. */
export const pathSchema = z.enum(['live', 'tail', 'snapshot', 'reset', 'unknown', 'rebuild', 'heal'])
export type CatchUpPath = z.output<typeof pathSchema>

/** Answers `Hello`. After it come, by path: nothing, or `RevisionGap`, `Snapshot`,
 * `Rebuild` and `Tail`; and then `CaughtUp`. After `heal` comes `HealWanted`, and once that is answered another `Welcome`. */
export const welcomeSchema = z.object({
  type: z.literal('Welcome'),
  path: pathSchema,
  /** One sentence for people. */
  why: z.string().max(300),
  /** Of everything that this hub says is in its log: told first, since a commit's own `Ack` may get lost. */
  durability: durabilitySchema,
})
export type Welcome = z.output<typeof welcomeSchema>

/** The retained commits no longer reach back to the cursor: a snapshot follows. Pending commits are kept. */
export const revisionGapSchema = z.object({
  type: z.literal('RevisionGap'),
  cursor: seqSchema,
  /** Seq of the last dropped record. */
  floor: seqSchema,
  head: seqSchema,
})
export type RevisionGap = z.output<typeof revisionGapSchema>

/** The whole document at a cursor. */
export const snapshotSchema = z.object({
  type: z.literal('Snapshot'),
  cursor: cursorSchema,
  snapshot: bytesSchema,
  /** Where it is there, `snapshot` is packed (zlib, RFC 1950), and this what it inflates to, bytes: for who offers `zlib`. */
  inflatesTo: z.number().int().min(1).max(limits.messageDownBytesMax).optional(),
})
export type Snapshot = z.output<typeof snapshotSchema>

/**
 * The document was rebuilt right after what the replica has: whoever holds the same makes the same bytes of it, so none
 * are sent. `cursor` is where it stands then, in the new epoch.
 */
export const rebuildSchema = z.object({
  type: z.literal('Rebuild'),
  cursor: cursorSchema,
  /** Of the live entries, hexadecimal SHA-256. A replica that computes another one greets again without `rebuild`. */
  digest: z.string().regex(/^[0-9a-f]{64}$/),
})
export type Rebuild = z.output<typeof rebuildSchema>

/**
 * The hub has lost history that the replica has: `stateVector` (Yjs V1) says which items it still holds. The replica answers
 * with `Heal`. Asked again where somebody else has healed a part meanwhile.
 */
export const healWantedSchema = z.object({
  type: z.literal('HealWanted'),
  stateVector: bytesSchema,
})
export type HealWanted = z.output<typeof healWantedSchema>

/**
 * The document holds commits of a newer version of the domain than the one in `Hello`: sent before the first of them, and
 * again when there is a still newer one. What the replica knows it may go on reading; it must not write.
 */
export const newerDomainSchema = z.object({
  type: z.literal('NewerDomain'),
  domainVersion: z.number().int().min(2),
})
export type NewerDomain = z.output<typeof newerDomainSchema>

export const tailCommitSchema = z.object({
  replica: replicaIdSchema,
  counter: counterSchema,
  /**
   * Null in the live tail of the commit's own author, who pushed these very bytes on this channel; and in a catch-up for who
   * has said in `Hello` that it has them.
   */
  update: bytesSchema.nullable(),
})
export type TailCommit = z.output<typeof tailCommitSchema>

/** Commits in log order, complete up to `cursor`. */
export const tailSchema = z.object({
  type: z.literal('Tail'),
  cursor: cursorSchema,
  commits: z.array(tailCommitSchema),
})
export type Tail = z.output<typeof tailSchema>

/**
 * Everything up to `cursor` was sent. `ackedCounter` is the hub's high-water mark of this replica, and `ackedHlc` the stamp
 * of that commit: where it is not the replica's own, somebody else (a copy of its folder) uses its id.
 */
export const caughtUpSchema = z.object({
  type: z.literal('CaughtUp'),
  /** Null while the namespace does not exist. */
  cursor: cursorSchema.nullable(),
  ackedCounter: z.number().int().min(0),
  /** Null where `ackedCounter` is 0, or a heal brought that commit back. */
  ackedHlc: hlcSchema.nullable(),
})
export type CaughtUp = z.output<typeof caughtUpSchema>

/** The commit is in the log, as `durability` says. `duplicate` where it was there already. */
export const ackSchema = z.object({
  type: z.literal('Ack'),
  counter: counterSchema,
  /** Where it is, or for a duplicate the head at the time. */
  seq: seqSchema,
  duplicate: z.boolean(),
  durability: durabilitySchema,
})
export type Ack = z.output<typeof ackSchema>

/** The commit, or for `counter` null the room, was refused; nothing was changed. */
export const refusedSchema = z.object({
  type: z.literal('Refused'),
  counter: counterSchema.nullable(),
  code: codeSchema,
  message: z.string().max(2_000),
  path: z.string().max(500).nullable(),
  retryable: z.boolean(),
  retryAfterMs: z.number().int().min(0).nullable(),
})
export type Refused = z.output<typeof refusedSchema>

/** The hub will close this channel. */
export const closingSchema = z.object({
  type: z.literal('Closing'),
  code: codeSchema.nullable(),
  message: z.string().max(2_000),
  retryAfterMs: z.number().int().min(0).nullable(),
})
export type Closing = z.output<typeof closingSchema>

export const downMessageSchema = z.discriminatedUnion('type', [
  welcomeSchema,
  revisionGapSchema,
  snapshotSchema,
  rebuildSchema,
  healWantedSchema,
  newerDomainSchema,
  tailSchema,
  caughtUpSchema,
  ackSchema,
  refusedSchema,
  awarenessSchema,
  closingSchema,
])
export type DownMessage = z.output<typeof downMessageSchema>
