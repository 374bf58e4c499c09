/**
 * What a thin client holds, by the rules that its ops come with (`docs/gateway.md`), and a native replica's tables in the
 * same form, so that the two can be compared. No code is shared with what is tested.
 */
import type { GatewayExport, IntentsTables, VersionedOp } from '@rejoin/intents'

type Fields = Record<string, unknown>

interface ThinIntent {
  /** By language; as sets, since deltas say nothing of the order. */
  phrases: Map<string, Set<string>>
  fields: Fields
}

export interface ThinContent {
  readonly intents: Record<string, { phrases: Record<string, string[]>; weights: object; fields: object }>
  readonly namespace: object
  readonly domains: object
}

/**
 * What clients differ in: whether an intent that is added again loses the phrases it had, and whether weights of an intent
 * that is not there are kept, to be in the way later.
 */
export interface ThinHabits {
  readonly again: 'replaces' | 'adds'
  readonly strayWeights: 'kept' | 'ignored'
}

export class ThinState {
  readonly #habits: ThinHabits
  #intents = new Map<string, ThinIntent>()
  #weights = new Map<string, Map<string, number>>()
  #namespace: Fields = {}
  #domains = new Map<string, string>()

  constructor(habits: ThinHabits) {
    this.#habits = habits
  }

  load(text: string): void {
    const from = JSON.parse(text) as GatewayExport
    this.#intents = new Map()
    this.#weights = new Map()
    for (const [id, lists] of Object.entries(from.training)) {
      const intent = emptyIntent()
      for (const [lang, list] of Object.entries(lists)) intent.phrases.set(lang, new Set(list))
      const fields = {
        description: from.descriptions[id],
        instructions: from.instructions[id],
        persona: from.persona[id],
        source: from.sources[id],
        target: from.targets[id],
        schema: from.schemas[id],
        guardrails: from.guardrails[id],
        type: from.intent_types[id],
        extra: from.extras[id],
      }
      for (const [name, value] of Object.entries(fields)) if (value !== undefined) intent.fields[name] = value
      this.#intents.set(id, intent)
    }
    for (const [token, id, weight] of from.weights) this.#weigh(id, token, weight)
    this.#namespace = { ...from.namespace }
    this.#domains = new Map(Object.entries(from.domain_descriptions))
  }

  apply(op: VersionedOp): void {
    switch (op.kind) {
      case 'intent_added': {
        let intent = this.#intents.get(op.id)
        if (intent === undefined || this.#habits.again === 'replaces') {
          intent = { ...emptyIntent(), fields: intent?.fields ?? {} }
          this.#intents.set(op.id, intent)
        }
        for (const [lang, list] of Object.entries(op.phrases_by_lang))
          for (const phrase of list) add(intent, lang, phrase)
        break
      }
      case 'intent_removed':
        this.#intents.delete(op.id)
        this.#weights.delete(op.id)
        break
      case 'phrase_added': {
        const intent = this.#intents.get(op.intent_id)
        if (intent !== undefined) add(intent, op.lang, op.phrase)
        break
      }
      case 'phrase_removed':
        for (const list of this.#intents.get(op.intent_id)?.phrases.values() ?? []) list.delete(op.phrase)
        break
      case 'weight_updates':
        for (const [token, id, weight] of op.changes) {
          if (this.#intents.has(id) || this.#habits.strayWeights === 'kept') this.#weigh(id, token, weight)
        }
        break
      case 'intent_metadata_updated': {
        const intent = this.#intents.get(op.id)
        if (intent !== undefined) edit(intent.fields, op.edit_json)
        break
      }
      case 'namespace_metadata_updated':
        edit(this.#namespace, op.edit_json)
        break
      case 'domain_description':
        if (op.description === null) this.#domains.delete(op.domain)
        else this.#domains.set(op.domain, op.description)
        break
    }
  }

  content(): ThinContent {
    const stray = [...this.#weights.keys()].filter((id) => !this.#intents.has(id))
    if (stray.length > 0) throw new Error(`weights are left of ${stray.join(', ')}, which is not there`)
    const intents = [...this.#intents].sort(byName).map(([id, { phrases, fields }]) => {
      const weights = this.#weights.get(id) ?? []
      const lists = [...phrases].filter(([, list]) => list.size > 0).sort(byName)
      return [
        id,
        {
          phrases: Object.fromEntries(lists.map(([lang, list]) => [lang, [...list].sort()])),
          weights: Object.fromEntries([...weights].sort(byName)),
          fields: sorted(fields),
        },
      ] as const
    })
    return {
      intents: Object.fromEntries(intents),
      namespace: sorted(this.#namespace),
      domains: Object.fromEntries([...this.#domains].sort(byName)),
    }
  }

  #weigh(id: string, token: string, weight: number): void {
    const weights = this.#weights.get(id)
    if (weights === undefined) this.#weights.set(id, new Map([[token, weight]]))
    else weights.set(token, weight)
  }
}

/** What a native replica reads, as a thin client would hold it. */
export function contentOf(tables: IntentsTables): ThinContent {
  const intents = [...tables.intents.entries()].map(([id, fields]) => {
    const lists = new Map<string, string[]>()
    for (const [[, lang, phrase]] of tables.phrases.entries([id])) {
      lists.set(lang, [...(lists.get(lang) ?? []), phrase].sort())
    }
    const weights = [...tables.weights.entries([id])].map(([[, token], weight]): [string, number] => [
      token,
      weight,
    ])
    return [
      id,
      {
        phrases: Object.fromEntries([...lists].sort(byName)),
        weights: Object.fromEntries(weights.sort(byName)),
        fields: sorted(fields),
      },
    ] as const
  })
  return {
    intents: Object.fromEntries(intents.sort(byName)),
    namespace: sorted(tables.namespace.get()),
    domains: Object.fromEntries([...tables.domains.entries()].sort(byName)),
  }
}

function emptyIntent(): ThinIntent {
  return { phrases: new Map(), fields: {} }
}

function add(intent: ThinIntent, lang: string, phrase: string): void {
  const list = intent.phrases.get(lang)
  if (list === undefined) intent.phrases.set(lang, new Set([phrase]))
  else list.add(phrase)
}

function edit(fields: Fields, json: string): void {
  const { clear = [], ...values } = JSON.parse(json) as { clear?: string[] } & Fields
  Object.assign(fields, values)
  for (const field of clear) delete fields[field]
}

function sorted(fields: object): object {
  const present = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null)
  return Object.fromEntries(present.sort(byName))
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0
}
