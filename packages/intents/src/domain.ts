/**
 * The intents domain: namespace, intents, their phrases by language, learned weights (DESIGN section 4). What an op sets
 * follows from its payload alone; what is there already only decides what it removes or leaves out.
 */
import { z } from 'zod'
import { defineDomain, map, records, singleton, type OpOf, type TablesReads } from '@rejoin/core'
import { cleared, present } from './fields.ts'
import { DomainName, IntentId, Lang, Phrase, Token } from './names.ts'

/** Where a phrase stands that was added by itself: after all that came in lists. */
export const APPENDED = 1_000_000

/** Where an intent was taken from: a protocol, a specification, a person. */
const Source = z.looseObject({
  type: z.string().min(1),
  label: z.string().nullish(),
  url: z.string().nullish(),
})

/** What handles an intent. */
const Target = z.looseObject({
  type: z.string().min(1),
  url: z.string().nullish(),
  model: z.string().nullish(),
  handler: z.string().nullish(),
})

const Extra = z.record(z.string(), z.json())

export const namespaceFields = {
  name: z.string(),
  description: z.string(),
  /** The score from which a match is sure; below 0 counts as 0. */
  default_threshold: z.number(),
  default_min_voting_tokens: z.int().min(0),
  /** What a pack's `_ns.json` says beyond these. */
  extra: Extra,
}

export const intentFields = {
  description: z.string(),
  instructions: z.string(),
  persona: z.string(),
  type: z.string(),
  guardrails: z.array(z.string()),
  source: Source,
  target: Target,
  /** Any JSON but null, which in an edit means: no schema. */
  schema: z.json(),
  /** What an intent's file says beyond these. */
  extra: Extra,
}

/** In an edit a field that is absent stays, null clears it, and anything else is its new value. */
function editOf<F extends Record<string, z.ZodType>>(
  fields: F,
): z.ZodObject<{ [Name in keyof F]: z.ZodOptional<z.ZodNullable<F[Name]>> }, z.core.$strict> {
  const edits = Object.entries(fields).map(([name, field]) => [name, field.nullable().optional()])
  // Built name by name from `fields`, which is what the type says.
  return z.strictObject(Object.fromEntries(edits)) as never
}

export const IntentEdit = editOf(intentFields)
export const NamespaceEdit = editOf(namespaceFields)
export type IntentEdit = z.input<typeof IntentEdit>
export type NamespaceEdit = z.input<typeof NamespaceEdit>

const PhrasesByLang = z.record(Lang, z.array(Phrase))
const WeightChange = z.tuple([Token, IntentId, z.number().min(0).max(1)])

export const intents = defineDomain({
  name: 'intents',
  version: 1,
  tables: {
    namespace: singleton(namespaceFields),
    intents: records(intentFields, { key: IntentId }),
    /** The value is the phrase's place among those of its language; equal places are ordered by text. */
    phrases: map({
      key: z.tuple([IntentId, Lang, Phrase]),
      value: z.int().min(0),
      under: 'intents',
      merge: 'min',
    }),
    /** Learning on two devices must not undo itself, so the greater of two concurrent weights counts. */
    weights: map({
      key: z.tuple([IntentId, Token]),
      value: z.number().min(0).max(1),
      under: 'intents',
      merge: 'max',
    }),
    domains: map({ key: DomainName, value: z.string() }),
  },
  ops: (op) => ({
    /** Adds the intent, or to it what it lacks. `startAt`: the place of each list's first phrase, for lists sent in parts. */
    IntentAdded: op(
      z.object({
        id: IntentId,
        phrasesByLang: PhrasesByLang,
        startAt: z.int().min(0).max(APPENDED).optional(),
        description: z.string().nullish(),
        instructions: z.string().nullish(),
        persona: z.string().nullish(),
      }),
      (tables, { id, phrasesByLang, startAt = 0, description, instructions, persona }) => {
        tables.intents.add(id, present({ description, instructions, persona }))
        for (const [lang, phrases] of Object.entries(phrasesByLang)) {
          for (const [i, phrase] of [...new Set(phrases)].entries()) {
            tables.phrases.set([id, lang, phrase], startAt + i)
          }
        }
      },
    ),
    IntentRemoved: op(z.object({ id: IntentId }), (tables, { id }) => tables.intents.remove(id)),
    PhraseAdded: op(
      z.object({ intentId: IntentId, phrase: Phrase, lang: Lang }),
      (tables, { intentId, phrase, lang }) => {
        // One that is there keeps its place.
        if (!tables.phrases.has([intentId, lang, phrase]))
          tables.phrases.set([intentId, lang, phrase], APPENDED)
      },
    ),
    /** Removes the phrase in every language. */
    PhraseRemoved: op(z.object({ intentId: IntentId, phrase: Phrase }), (tables, { intentId, phrase }) => {
      const keys = [...tables.phrases.entries([intentId])].map(([key]) => key)
      for (const key of keys) if (key[2] === phrase) tables.phrases.remove(key)
    }),
    /** Post-values, so that a replay is harmless. */
    WeightUpdates: op(z.object({ changes: z.array(WeightChange) }), (tables, { changes }) => {
      for (const [token, intentId, weight] of changes)
        tables.weights.set([intentId, token], Math.fround(weight))
    }),
    IntentMetadataUpdated: op(z.object({ id: IntentId, edit: IntentEdit }), (tables, { id, edit }) => {
      tables.intents.set(id, present(edit))
      tables.intents.clear(id, ...cleared(edit))
    }),
    NamespaceMetadataUpdated: op(z.object({ edit: NamespaceEdit }), (tables, { edit }) => {
      tables.namespace.set(present(edit))
      tables.namespace.clear(...cleared(edit))
    }),
    /** Null removes the description. */
    DomainDescription: op(
      z.object({ domain: DomainName, description: z.string().nullable() }),
      (tables, { domain, description }) => {
        if (description === null) tables.domains.remove(domain)
        else tables.domains.set(domain, description)
      },
    ),
  }),
})

export type IntentsOp = OpOf<typeof intents>
/** The tables as anyone reads them: a replica's, or a document's through `readTables`. */
export type IntentsTables = TablesReads<(typeof intents)['tables']>
