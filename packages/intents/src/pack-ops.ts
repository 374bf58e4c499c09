/**
 * Packs and sentences as ops. They come as commits, each small enough to be pushed as one, and all of them are made before
 * the first is applied, so that an input is taken whole or refused whole.
 */
import type { z } from 'zod'
import { utf8Length } from '@rejoin/core'
import { APPENDED, type IntentsOp } from './domain.ts'
import { isEmpty, present } from './fields.ts'
import {
  extraFields,
  intentFileSchema,
  namespaceFileSchema,
  type IntentFile,
  type Json,
  type NamespaceFile,
  type Pack,
} from './pack-schema.ts'

/** What one commit of an import holds at most; an op that is larger by itself goes alone. */
const COMMIT_ENTRIES_MAX = 5_000
const COMMIT_BYTES_MAX = 700_000

/** The ops of one `apply` after the other. */
export type Commits = readonly (readonly IntentsOp[])[]

/** The ops that add to a namespace what the pack holds. Applied again, they change nothing. */
export function packCommits(pack: Pack): Commits {
  const ops = [...pack.intents].flatMap(([id, file]) => intentOps(id, file))
  return grouped([...namespaceOps(pack.namespace), ...ops], sizeOfOp)
}

/** The ops that add intents with their sentences, as `parseClinc` gives them. */
export function sentenceCommits(sentences: ReadonlyMap<string, readonly string[]>, lang = 'en'): Commits {
  const ops = [...sentences].flatMap(([id, phrases]) => intentAddedOps(id, { [lang]: phrases }, {}))
  return grouped(ops, sizeOfOp)
}

function namespaceOps(file: NamespaceFile): readonly IntentsOp[] {
  const { name, description, default_threshold, default_min_voting_tokens, domain_descriptions } = file
  const extra = extraOf(file, namespaceFileSchema)
  const edit = present({ name, description, default_threshold, default_min_voting_tokens, extra })
  const domains = Object.entries(domain_descriptions ?? {})
  return [
    ...(isEmpty(edit) ? [] : [{ type: 'NamespaceMetadataUpdated', edit } as const]),
    ...domains.map(([domain, text]) => ({ type: 'DomainDescription', domain, description: text }) as const),
  ]
}

function intentOps(id: string, file: IntentFile): readonly IntentsOp[] {
  const { description, instructions, persona, type, guardrails, source, target, schema } = file
  const extra = extraOf(file, intentFileSchema)
  const edit = present({ type, guardrails, source, target, schema, extra })
  const weights = (file.learned_weights ?? []).map(([token, weight]): WeightChange => [token, id, weight])
  return [
    ...intentAddedOps(id, file.phrases, present({ description, instructions, persona })),
    ...(isEmpty(edit) ? [] : [{ type: 'IntentMetadataUpdated', id, edit } as const]),
    ...grouped(weights, sizeOfJson).map((changes): IntentsOp => ({ type: 'WeightUpdates', changes })),
  ]
}

type WeightChange = [token: string, intentId: string, weight: number]
type IntentAdded = Extract<IntentsOp, { type: 'IntentAdded' }>
type PhraseLists = Readonly<Record<string, readonly string[]>>

/** One op, or for an intent too large for a commit one for its texts and one for each part of its lists. */
function intentAddedOps(
  id: string,
  lists: PhraseLists,
  texts: Pick<IntentAdded, 'description' | 'instructions' | 'persona'>,
): readonly IntentAdded[] {
  const whole = { type: 'IntentAdded', id, phrasesByLang: copyOf(lists), ...texts } as const
  if (isWithin(sizeOfOp(whole))) return [whole]
  const ops: IntentAdded[] = [{ ...whole, phrasesByLang: {} }]
  for (const [lang, list] of Object.entries(lists)) {
    let startAt = 0
    for (const part of grouped(list, sizeOfJson)) {
      ops.push({
        type: 'IntentAdded',
        id,
        phrasesByLang: { [lang]: part },
        startAt: Math.min(startAt, APPENDED),
      })
      startAt += part.length
    }
  }
  return ops
}

interface Size {
  /** How many entries it may write. */
  readonly entries: number
  readonly bytes: number
}

/** Neighbours put together as long as they fit one commit. */
function grouped<T>(items: readonly T[], sizeOf: (item: T) => Size): T[][] {
  const groups: T[][] = []
  let total: Size = { entries: Infinity, bytes: Infinity }
  for (const item of items) {
    const size = sizeOf(item)
    total = { entries: total.entries + size.entries, bytes: total.bytes + size.bytes }
    if (isWithin(total)) groups.at(-1)?.push(item)
    else {
      groups.push([item])
      total = size
    }
  }
  return groups
}

function isWithin(size: Size): boolean {
  return size.entries <= COMMIT_ENTRIES_MAX && size.bytes <= COMMIT_BYTES_MAX
}

function sizeOfJson(value: unknown): Size {
  return { entries: 1, bytes: utf8Length(JSON.stringify(value)) }
}

function sizeOfOp(op: IntentsOp): Size {
  return { entries: entriesOf(op), bytes: sizeOfJson(op).bytes }
}

function entriesOf(op: IntentsOp): number {
  if (op.type === 'IntentAdded')
    return Object.values(op.phrasesByLang).reduce((sum, list) => sum + list.length, 1)
  return op.type === 'WeightUpdates' ? op.changes.length : 1
}

function extraOf(file: NamespaceFile | IntentFile, schema: z.ZodObject): Record<string, Json> | undefined {
  const extra = extraFields(file, schema)
  return isEmpty(extra) ? undefined : extra
}

function copyOf(lists: PhraseLists): Record<string, string[]> {
  return Object.fromEntries(Object.entries(lists).map(([lang, list]) => [lang, [...list]]))
}
