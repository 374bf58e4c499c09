/** Ops: typed domain intentions, each with the schema of its payload and the writer that carries it out. */
import { z } from 'zod'

/** An op whose domain is not known here: its payload was checked where it came from, or will be where it arrives. */
export type AnyOp = { readonly type: string; readonly [field: string]: unknown }

/**
 * A payload schema and a writer. The writer may read the tables to decide what to remove or to leave out; what it sets
 * follows from the payload alone, since a hub runs it against empty tables to learn what the op may set.
 */
export interface OpDeclaration<S extends z.ZodObject = z.ZodObject> {
  readonly payload: S
  readonly write: (tables: never, payload: z.output<S>) => void
}

export type OpDeclarations = Record<string, OpDeclaration>

/**
 * Brings an op of one version of the domain to the next: the same op with other fields, one of another `type`, or null
 * where the next version has nothing for it to do. A function of the op alone, the same on every replica and hub; what it
 * gives is checked like any op of the next version. Whoever leaves the type out means the same one.
 */
export type Upcaster = (op: AnyOp) => { readonly type?: string; readonly [field: string]: unknown } | null

/** By op type and the version that it comes from: `{ IntentAdded: { 1: (o) => ({ ...o, persona: null }) } }`. */
export type Upcasters = { readonly [type: string]: { readonly [fromVersion: number]: Upcaster } }

export const registerWriteSchema = z.object({
  table: z.string(),
  key: z.array(z.string()).min(1),
  /** Absent: the key is removed. */
  value: z.json().optional(),
})
/** One register as a built-in op names it: the key's parts, with the field's name last for a record's field. */
export type RegisterWrite = z.output<typeof registerWriteSchema>

export const builtInPayload = z.object({ entries: z.array(registerWriteSchema).min(1) })

/** Ops that every domain has: the choice made in a conflict; undo, and orphans brought back. */
export const builtInOps = ['Resolved', 'Restored'] as const
export type BuiltInOpType = (typeof builtInOps)[number]
export type BuiltInOp = { readonly type: BuiltInOpType } & z.input<typeof builtInPayload>

export function isBuiltInOp(type: string): type is BuiltInOpType {
  return builtInOps.some((name) => name === type)
}

/** The ops of declarations `O`, as an app writes them. */
export type OpOfDeclarations<O extends OpDeclarations> =
  | {
      [Type in keyof O & string]: { readonly type: Type } & FieldsOfOp<z.input<O[Type]['payload']>>
    }[keyof O & string]
  | BuiltInOp

/** An empty object's schema allows no field at all, not even the op's own type. */
type FieldsOfOp<Payload> = Payload extends Record<string, never> ? unknown : Payload
