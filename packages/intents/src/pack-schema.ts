/**
 * An intent pack in memory: what its files hold, checked. Names are those of the files; whatever a file says beyond what
 * is known here is kept beside it.
 */
import { z } from 'zod'
import { intentFields, namespaceFields } from './domain.ts'
import { DomainName, Lang, Phrase, Token } from './names.ts'

/** Equal phrases of one language count once, at the first place. */
const PhraseList = z.array(Phrase).transform((phrases) => [...new Set(phrases)])

const learnedWeight = z.tuple([Token, z.number().min(0).max(1)])

/** `_ns.json`. */
export const namespaceFileSchema = z.looseObject({
  name: namespaceFields.name.nullish(),
  description: namespaceFields.description.nullish(),
  default_threshold: namespaceFields.default_threshold.nullish(),
  default_min_voting_tokens: namespaceFields.default_min_voting_tokens.nullish(),
  domain_descriptions: z.record(DomainName, z.string()).nullish(),
})

/** `<domain>/_domain.json`: another place for one of `domain_descriptions`. */
export const domainFileSchema = z.looseObject({ description: z.string().nullish() })

/** `<intent>.json`, or `<domain>/<intent>.json` for the intent `domain:intent`. */
export const intentFileSchema = z.looseObject({
  description: intentFields.description.nullish(),
  guardrails: intentFields.guardrails.nullish(),
  instructions: intentFields.instructions.nullish(),
  persona: intentFields.persona.nullish(),
  phrases: z.record(Lang, PhraseList),
  schema: intentFields.schema.nullish(),
  source: intentFields.source.nullish(),
  target: intentFields.target.nullish(),
  type: intentFields.type.nullish(),
  /** Weights that were learned, as pairs since a token may be called anything. Ours: other tools do not write it. */
  learned_weights: z.array(learnedWeight).nullish(),
})

/** Any JSON value. */
export type Json = z.output<typeof intentFields.schema>
export type NamespaceFile = z.output<typeof namespaceFileSchema>
export type IntentFile = z.output<typeof intentFileSchema>

export interface Pack {
  readonly namespace: NamespaceFile
  /** By intent id, in text order. */
  readonly intents: ReadonlyMap<string, IntentFile>
}

/** What a file says beyond the fields of its schema. */
export function extraFields(file: NamespaceFile | IntentFile, schema: z.ZodObject): Record<string, Json> {
  const extra = Object.entries(file).filter(([name]) => !Object.hasOwn(schema.shape, name))
  // Files are read as JSON, and what no schema changed still is.
  return Object.fromEntries(extra) as Record<string, Json>
}
