/**
 * A namespace as one object for thin clients: what an intent's phrases, texts and handlers are, by intent id, and beyond
 * that learned weights, the namespace's own fields and domain descriptions. Equal content gives an equal object.
 */
import type { IntentsTables } from './domain.ts'
import { present } from './fields.ts'
import { packOf } from './pack-of.ts'
import type { IntentFile, Json } from './pack-schema.ts'
import type { WeightChange } from './gateway-ops.ts'

type ByIntent<T> = Readonly<Record<string, T>>

export interface GatewayExport {
  /** Intent → language → phrases, in their order. Every intent is here, also one without phrases. */
  readonly training: ByIntent<Readonly<Record<string, readonly string[]>>>
  readonly descriptions: ByIntent<string>
  readonly instructions: ByIntent<string>
  readonly persona: ByIntent<string>
  readonly sources: ByIntent<Json>
  readonly targets: ByIntent<Json>
  readonly schemas: ByIntent<Json>
  readonly guardrails: ByIntent<readonly string[]>
  readonly version: number
  readonly intent_types: ByIntent<string>
  /** Learned weights alone: all others follow from the phrases. */
  readonly weights: readonly WeightChange[]
  /** Name, description, default_threshold, default_min_voting_tokens, extra; those that are set. */
  readonly namespace: Readonly<Record<string, Json>>
  readonly domain_descriptions: Readonly<Record<string, string>>
  /** What intents' files say beyond what is known here. */
  readonly extras: ByIntent<Json>
}

export function exportOf(tables: IntentsTables, version: number): GatewayExport {
  const { intents } = packOf(tables)
  const by = <T>(valueOf: (file: IntentFile, id: string) => T | null | undefined): ByIntent<T> => {
    const found: [string, T][] = []
    for (const [id, file] of intents) {
      const value = valueOf(file, id)
      if (value !== null && value !== undefined) found.push([id, value])
    }
    return Object.fromEntries(found)
  }
  return {
    training: by(({ phrases }) => phrases),
    descriptions: by(({ description }) => description),
    instructions: by(({ instructions }) => instructions),
    persona: by(({ persona }) => persona),
    sources: by(({ source }) => source as Json),
    targets: by(({ target }) => target as Json),
    schemas: by(({ schema }) => schema),
    guardrails: by(({ guardrails }) => guardrails),
    version,
    intent_types: by(({ type }) => type),
    weights: [...intents].flatMap(([id, { learned_weights: weights }]) =>
      (weights ?? []).map(([token, weight]): WeightChange => [token, id, weight]),
    ),
    namespace: present(tables.namespace.get()) as Record<string, Json>,
    domain_descriptions: Object.fromEntries(tables.domains.entries()),
    extras: by((_, id) => tables.intents.get(id)?.extra),
  }
}
