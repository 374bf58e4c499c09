/**
 * What a thin client has of the registers that a delta touches, as far as the delta's ops tell: told value by told value.
 * Whatever they leave open counts as not told, so that settling says too much rather than too little.
 */
import { canonicalJson, type Value } from '@rejoin/core'
import type { IntentEdit, IntentsTables } from './domain.ts'
import { isEmpty, present } from './fields.ts'
import { editJson, type KindOp, type PhrasesByLang, type WeightChange } from './gateway-ops.ts'

interface Texts {
  readonly description: string | null
  readonly instructions: string | null
  readonly persona: string | null
}

type Fields = Readonly<Record<string, unknown>>

/** Named fields of one thing. */
export class FollowedFields {
  /** Null: told to be cleared. */
  readonly #told = new Map<string, unknown>()

  edit(edit: Fields): void {
    for (const [field, value] of Object.entries(edit)) if (value !== undefined) this.#told.set(field, value)
  }

  entries(): IterableIterator<[string, unknown]> {
    return this.#told.entries()
  }

  forget(): void {
    this.#told.clear()
  }

  /** The edit after which told fields (or with `all`, every field) are as in `fields`. */
  differing(fields: Fields, all = false): Record<string, unknown> {
    const names = new Set([...this.#told.keys(), ...(all ? Object.keys(fields) : [])])
    const edit: Record<string, unknown> = {}
    for (const name of names) {
      const value = fields[name] ?? null
      if (!this.#told.has(name) || !same(this.#told.get(name), value)) edit[name] = value
    }
    return edit
  }
}

/** Languages of a phrase as told; null: some op named it, and whether it is there is open. */
interface FollowedPhrase {
  readonly langs: Map<string, boolean | null>
  /** Told to be gone in every language that is not named. */
  wiped: boolean
}

export class FollowedIntent {
  /** Null: as the client has it, which no op of the delta has changed. */
  #present: boolean | null = null
  #isStructural = false
  readonly #phrases = new Map<string, FollowedPhrase>()
  /** Null: open. */
  readonly #weights = new Map<string, number | null>()
  readonly #fields = new FollowedFields()

  /** Told to be gone: what is said of it is ignored, so it need not be said. */
  get isGone(): boolean {
    return this.#present === false
  }

  /** Whether the delta itself adds or removes it; else the client has it exactly if the document does. */
  get isStructural(): boolean {
    return this.#isStructural
  }

  added(id: string, lists: PhrasesByLang, texts: Texts): readonly KindOp[] {
    const isKnown = this.#present === true
    // Some clients replace the phrases of an intent that they have, others add to them.
    if (this.#present === null) this.#open()
    this.#present = true
    this.#isStructural = true
    const phrases = Object.entries(lists).flatMap(([lang, list]) =>
      list.map((phrase) => ({ kind: 'phrase_added', intent_id: id, phrase, lang }) as const),
    )
    for (const { phrase, lang } of phrases) this.phraseAdded(phrase, lang)
    const edit = present(texts)
    this.#fields.edit(edit)
    const first = isKnown
      ? phrases
      : [{ kind: 'intent_added', id, phrases_by_lang: lists, ...texts } as const]
    return isEmpty(edit) ? first : [...first, edited(id, edit)]
  }

  removed(): void {
    this.#present = false
    this.#isStructural = true
    this.#phrases.clear()
    this.#weights.clear()
    this.#fields.forget()
  }

  phraseAdded(phrase: string, lang: string): void {
    this.#phrase(phrase).langs.set(lang, true)
  }

  phraseRemoved(phrase: string): void {
    this.#phrases.set(phrase, { langs: new Map(), wiped: true })
  }

  weighed(token: string, weight: number): void {
    this.#weights.set(token, weight)
  }

  edited(edit: Fields): void {
    this.#fields.edit(edit)
  }

  /** What is left to say so that the client has of it what `tables` read; null where no kind says it. */
  settle(id: string, tables: IntentsTables): readonly KindOp[] | null {
    const fields = tables.intents.get(id)
    if (fields === undefined) return this.#present === true ? [{ kind: 'intent_removed', id }] : []
    const held = phrasesOf(id, tables)
    const ops: KindOp[] = []
    if (this.#present === false) {
      const none = { description: null, instructions: null, persona: null }
      ops.push(...this.added(id, listsOf(held), none))
    }
    ops.push(...this.#phraseOps(id, held))
    const edit = this.#fields.differing(fields, this.#isStructural)
    if (!isEmpty(edit)) ops.push(edited(id, edit))
    const changes = this.#weightChanges(id, tables)
    if (changes === null) return null
    return changes.length === 0 ? ops : [...ops, { kind: 'weight_updates', changes }]
  }

  #phraseOps(id: string, held: ReadonlyMap<string, ReadonlySet<string>>): readonly KindOp[] {
    const ops: KindOp[] = []
    const touched = this.#isStructural ? [...this.#phrases.keys(), ...held.keys()] : this.#phrases.keys()
    for (const phrase of new Set(touched)) {
      const told = this.#phrases.get(phrase)
      const langs = held.get(phrase) ?? new Set<string>()
      const add = (lang: string): KindOp => ({ kind: 'phrase_added', intent_id: id, phrase, lang })
      const isTooMuch = [...(told?.langs ?? [])].some(([lang, there]) => there !== false && !langs.has(lang))
      if (isTooMuch) {
        ops.push({ kind: 'phrase_removed', intent_id: id, phrase }, ...[...langs].map(add))
        continue
      }
      // A language that nobody named is as the client has it, unless everything of the phrase or the intent was named.
      const isAllNamed = this.#isStructural || told?.wiped === true
      for (const lang of langs) {
        const isNamed = isAllNamed || told?.langs.has(lang) === true
        if (isNamed && told?.langs.get(lang) !== true) ops.push(add(lang))
      }
    }
    return ops
  }

  #weightChanges(id: string, tables: IntentsTables): readonly WeightChange[] | null {
    const changes: WeightChange[] = []
    const tokens = new Set(this.#weights.keys())
    if (this.#isStructural) for (const [[, token]] of tables.weights.entries([id])) tokens.add(token)
    for (const token of tokens) {
      const weight = tables.weights.get([id, token])
      if (weight === undefined) return null
      if (this.#weights.get(token) !== weight) changes.push([token, id, weight])
    }
    return changes
  }

  /** What was told of an intent that the client may not have had. */
  #open(): void {
    for (const { langs } of this.#phrases.values()) for (const lang of langs.keys()) langs.set(lang, null)
    for (const token of this.#weights.keys()) this.#weights.set(token, null)
    const fields = [...this.#fields.entries()].map(([field]) => [field, open])
    this.#fields.edit(Object.fromEntries(fields) as Fields)
  }

  #phrase(phrase: string): FollowedPhrase {
    let followed = this.#phrases.get(phrase)
    if (followed === undefined) this.#phrases.set(phrase, (followed = { langs: new Map(), wiped: false }))
    return followed
  }
}

/** Equal to no value that a field can have. */
const open = Symbol('open')

function same(told: unknown, value: unknown): boolean {
  if (told === open) return false
  // Fields of edits and rows are JSON: their schemas say so.
  return canonicalJson(told as Value) === canonicalJson(value as Value)
}

function edited(id: string, edit: Fields): KindOp {
  return { kind: 'intent_metadata_updated', id, edit_json: editJson(edit as IntentEdit) }
}

/** Languages by phrase. */
function phrasesOf(id: string, tables: IntentsTables): ReadonlyMap<string, ReadonlySet<string>> {
  const held = new Map<string, Set<string>>()
  for (const [[, lang, phrase]] of tables.phrases.entries([id])) {
    const langs = held.get(phrase)
    if (langs === undefined) held.set(phrase, new Set([lang]))
    else langs.add(lang)
  }
  return held
}

function listsOf(held: ReadonlyMap<string, ReadonlySet<string>>): PhrasesByLang {
  const lists = new Map<string, string[]>()
  for (const [phrase, langs] of held) {
    for (const lang of langs) {
      const list = lists.get(lang)
      if (list === undefined) lists.set(lang, [phrase])
      else list.push(phrase)
    }
  }
  return Object.fromEntries(lists)
}
