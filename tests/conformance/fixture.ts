/** What a fixture may say. Unknown members are refused, so that a slip is not taken for a check. */
import { z } from 'zod'

const json = z.json()
/** A pattern of a message: members that are named must match, see `matching.ts`. */
const pattern = z.record(z.string(), json)
const ops = z.array(z.looseObject({ type: z.string() }))
const actor = z.string().regex(/^[a-z]+$/)
/** Phrases by language by intent, sorted: what the actor's replica reads. */
const training = z.record(z.string(), z.record(z.string(), z.array(z.string())))

const stepSchema = z.discriminatedUnion('do', [
  /** An edit on the actor's replica: there at once, sent when it syncs or is connected. */
  z.strictObject({ do: z.literal('apply'), actor, ops }),
  /**
   * One exchange of the actor's replica. `says` and `hears`: messages up and down, in this order, others may stand between.
   * `cutBefore`: the connection breaks before the first message down of this type arrives. `fails`: the code it ends with.
   * `keep`: the first Push is remembered under this name.
   */
  z.strictObject({
    do: z.literal('sync'),
    actor,
    says: z.array(pattern).optional(),
    hears: z.array(pattern).optional(),
    cutBefore: z.string().optional(),
    fails: z.string().optional(),
    keep: z.string().optional(),
  }),
  /** A channel spoken by hand: all of `says`, then the end. The hub's messages are `hears` and `answers`, each whole and in order. */
  z.strictObject({
    do: z.literal('exchange'),
    says: z.array(json),
    /** All but Ack and Refused. */
    hears: z.array(pattern),
    /** Ack and Refused. */
    answers: z.array(pattern),
  }),
  /** What is so on the actor's side, now; `until`: or in a while. */
  z.strictObject({
    do: z.enum(['check', 'until']),
    actor,
    pending: z.number().optional(),
    rejected: z.number().optional(),
    state: z.string().optional(),
    seq: json.optional(),
    training: training.optional(),
  }),
  /** Stays connected from now on. */
  z.strictObject({ do: z.literal('connect'), actor }),
  z.strictObject({ do: z.literal('disconnect'), actor }),
  /** What a connected actor has heard since it was asked last, in this order, others may stand between. */
  z.strictObject({ do: z.literal('heard'), actor, hears: z.array(pattern) }),
  /** Another replica makes so many commits of one op each, every one a revision of its own; `{n}` counts them. */
  z.strictObject({ do: z.literal('fill'), count: z.number(), op: z.looseObject({ type: z.string() }) }),
  /** What an operator does. */
  z.strictObject({
    do: z.literal('operate'),
    what: z.enum(['checkpoint', 'rebuild', 'remove', 'backup', 'restore', 'restart']),
  }),
])
export type Step = z.output<typeof stepSchema>

export const fixtureSchema = z.strictObject({
  schemaVersion: z.literal('1.0.0'),
  fixtureVersion: z.string(),
  name: z.string(),
  description: z.string(),
  /** Of docs/PROTOCOL.md. */
  protocolVersion: z.literal(1),
  /** Whether it stays connected: over HTTP nobody does. */
  live: z.boolean(),
  /** Commits that the hub has to retain; absent: its default or any other. */
  retentionCommits: z.number().optional(),
  steps: z.array(stepSchema).min(1),
})
export type Fixture = z.output<typeof fixtureSchema>

/** Whether it asks for an operator at the hub. */
export function isOperated({ steps, retentionCommits }: Fixture): boolean {
  return retentionCommits !== undefined || steps.some((step) => step.do === 'operate')
}
