/**
 * The eight ops in the JSON of thin clients: objects told apart by `kind`, names in snake_case (`docs/gateway.md`). What an
 * edit clears is named in `clear`, since there null says "unchanged". Pure translation, both ways.
 */
import { z } from 'zod'
import { SyncError, type AnyOp } from '@rejoin/core'
import { IntentEdit, intents, NamespaceEdit, type IntentsOp } from './domain.ts'
import { cleared, isEmpty, present } from './fields.ts'
import { parseInput } from './input-error.ts'
import { parseJson } from './json-text.ts'

export type WeightChange = readonly [token: string, intentId: string, weight: number]
export type PhrasesByLang = Readonly<Record<string, readonly string[]>>

export type KindOp =
  | {
      readonly kind: 'intent_added'
      readonly id: string
      readonly phrases_by_lang: PhrasesByLang
      readonly description: string | null
      readonly instructions: string | null
      readonly persona: string | null
    }
  | { readonly kind: 'intent_removed'; readonly id: string }
  | {
      readonly kind: 'phrase_added'
      readonly intent_id: string
      readonly phrase: string
      readonly lang: string
    }
  /** In every language. */
  | { readonly kind: 'phrase_removed'; readonly intent_id: string; readonly phrase: string }
  | { readonly kind: 'weight_updates'; readonly changes: readonly WeightChange[] }
  | { readonly kind: 'intent_metadata_updated'; readonly id: string; readonly edit_json: string }
  | { readonly kind: 'namespace_metadata_updated'; readonly edit_json: string }
  | { readonly kind: 'domain_description'; readonly domain: string; readonly description: string | null }

/** An op with the version of the commit that it is of. */
export type VersionedOp = KindOp & { readonly version: number }

/** The domain's own ops, which are those that have a kind; those built into every domain have none. */
export type OwnOp = Exclude<IntentsOp, { readonly type: 'Resolved' | 'Restored' }>

export function hasKind(op: AnyOp): op is OwnOp {
  return Object.hasOwn(intents.ops, op.type)
}

/** What the JSON of an edit holds: its new values, and the names of the fields that it clears. */
export function editJson(edit: IntentEdit | NamespaceEdit): string {
  const clear = cleared(edit)
  // Clients that know no `clear` take the empty text for it, where the field is a text.
  const emptied = clear.filter((field) => texts.has(field)).map((field) => [field, ''])
  const members = { ...Object.fromEntries(emptied), ...present(edit) }
  return JSON.stringify(clear.length === 0 ? members : { ...members, clear })
}

/** The op that a thin client's JSON says. Members that are not known are let be. @throws SyncError OP_UNKNOWN or InputError */
export function opOfKind(json: unknown): readonly IntentsOp[] {
  const { kind } = parseInput(z.looseObject({ kind: z.string() }), json, 'op')
  if (!Object.hasOwn(readers, kind)) {
    throw new SyncError('OP_UNKNOWN', `there is no op of kind ${JSON.stringify(kind.slice(0, 60))}`)
  }
  return readers[kind as KindOp['kind']](json)
}

/** Fields of which the empty text says as much as nothing. */
const texts: ReadonlySet<string> = new Set(['description', 'instructions', 'persona', 'name'])

const PhraseLists = z.record(z.string(), z.array(z.string()))
const Texts = {
  description: z.string().nullish(),
  instructions: z.string().nullish(),
  persona: z.string().nullish(),
}

const readers: Readonly<Record<KindOp['kind'], (json: unknown) => readonly IntentsOp[]>> = {
  intent_added: reader(
    z.object({ id: z.string(), phrases_by_lang: PhraseLists, ...Texts }),
    ({ phrases_by_lang: phrasesByLang, id, ...rest }) => [
      { type: 'IntentAdded', id, phrasesByLang, ...present(rest) },
    ],
  ),
  intent_removed: reader(z.object({ id: z.string() }), ({ id }) => [{ type: 'IntentRemoved', id }]),
  phrase_added: reader(
    z.object({ intent_id: z.string(), phrase: z.string(), lang: z.string() }),
    ({ intent_id: intentId, phrase, lang }) => [{ type: 'PhraseAdded', intentId, phrase, lang }],
  ),
  phrase_removed: reader(
    z.object({ intent_id: z.string(), phrase: z.string() }),
    ({ intent_id: intentId, phrase }) => [{ type: 'PhraseRemoved', intentId, phrase }],
  ),
  weight_updates: reader(
    z.object({ changes: z.array(z.tuple([z.string(), z.string(), z.number()])) }),
    ({ changes }) => [{ type: 'WeightUpdates', changes }],
  ),
  intent_metadata_updated: reader(
    z.object({ id: z.string(), edit_json: z.string() }),
    ({ id, edit_json: text }) => {
      const edit = parseInput(IntentEdit, editOf(text), 'edit_json')
      return isEmpty(edit) ? [] : [{ type: 'IntentMetadataUpdated', id, edit }]
    },
  ),
  namespace_metadata_updated: reader(z.object({ edit_json: z.string() }), ({ edit_json: text }) => {
    const edit = parseInput(NamespaceEdit, editOf(text), 'edit_json')
    return isEmpty(edit) ? [] : [{ type: 'NamespaceMetadataUpdated', edit }]
  }),
  domain_description: reader(
    z.object({ domain: z.string(), description: z.string().nullable() }),
    ({ domain, description }) => [{ type: 'DomainDescription', domain, description }],
  ),
}

function reader<S extends z.ZodType>(schema: S, opsOf: (members: z.output<S>) => readonly IntentsOp[]) {
  return (json: unknown): readonly IntentsOp[] => opsOf(parseInput(schema, json, 'op'))
}

/** An edit as our ops have it: null clears. */
function editOf(text: string): Record<string, unknown> {
  const members = parseInput(
    z.looseObject({ clear: z.array(z.string()).optional() }),
    parseJson(text, 'edit_json'),
    'edit_json',
  )
  const { clear = [], ...values } = members
  return { ...present(values), ...Object.fromEntries(clear.map((field) => [field, null])) }
}
