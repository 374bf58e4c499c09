/** What the tables hold, as a pack. Equal content gives an equal pack, whoever wrote it in whatever order. */
import type { IntentsTables } from './domain.ts'
import { present } from './fields.ts'
import type { IntentFile, Pack } from './pack-schema.ts'

export function packOf(tables: IntentsTables): Pack {
  const { extra, ...fields } = tables.namespace.get()
  const descriptions = [...tables.domains.entries()]
  const intents = new Map<string, IntentFile>()
  for (const [id] of tables.intents.entries()) intents.set(id, intentFileOf(id, tables))
  return {
    namespace: {
      ...extra,
      ...fields,
      ...(descriptions.length > 0 && { domain_descriptions: Object.fromEntries(descriptions) }),
    },
    intents,
  }
}

function intentFileOf(id: string, tables: IntentsTables): IntentFile {
  const { extra, description, instructions, persona, guardrails, type, source, target, schema } =
    tables.intents.get(id) ?? {}
  const weights = [...tables.weights.entries([id])].map(([[, token], weight]): [string, number] => [
    token,
    weight,
  ])
  return {
    ...extra,
    ...present({ description, guardrails, instructions, persona }),
    phrases: phrasesOf(id, tables),
    // Other tools write these three even where there is nothing to say.
    schema: schema ?? null,
    source: source ?? null,
    target: target ?? null,
    ...present({ type }),
    ...(weights.length > 0 && { learned_weights: weights }),
  }
}

/** Phrases by language, in the order of their places. */
function phrasesOf(id: string, tables: IntentsTables): Record<string, string[]> {
  const lists = new Map<string, { phrase: string; place: number }[]>()
  for (const [[, lang, phrase], place] of tables.phrases.entries([id])) {
    const list = lists.get(lang)
    if (list === undefined) lists.set(lang, [{ phrase, place }])
    else list.push({ phrase, place })
  }
  // Rows come in text order and sorting keeps the order of equals: phrases of one place are ordered by their text.
  const sorted = [...lists].map(([lang, list]): [string, string[]] => {
    return [lang, list.sort((a, b) => a.place - b.place).map(({ phrase }) => phrase)]
  })
  return Object.fromEntries(sorted)
}
