/**
 * Learning: from what is known of an intent to the ops that change it. Weights are post-values, so that a replay changes
 * nothing; where two devices learn at once, the greater weight counts. Nothing is written here.
 */
import { SyncError } from '@rejoin/core'
import type { IntentsOp, IntentsTables } from './domain.ts'
import { fitsKey } from './names.ts'
import { baseOf, isNegated, queryTerms, terms } from './terms.ts'
import { PHRASE_RATE, type TermIndex } from './term-index.ts'
import { isCjk } from './text.ts'

/** By how much one reinforcement moves a weight towards 1. */
export const LEARN_RATE = 0.3
export const DECAY_ALPHA = 0.1
/** Weights closer than this are the same. */
const CHANGE_MIN = 1e-6

/** What learning has to know. */
export interface LearningState {
  hasIntent(intent: string): boolean
  intentIds(): Iterable<string>
  hasPhrase(intent: string, lang: string, phrase: string): boolean
  /** Whether the phrase is there in any language. */
  hasPhraseInAnyLang(intent: string, phrase: string): boolean
  /** The explicit weight of a pair, if it has one. */
  learnedWeight(intent: string, token: string): number | undefined
  /** The weight in force: explicit, else derived from phrases, else 0. */
  weight(intent: string, token: string): number
}

/** The state that tables and the index over them are in, at each call. */
export function learningState(tables: IntentsTables, index: TermIndex): LearningState {
  return {
    hasIntent: (intent) => tables.intents.has(intent),
    intentIds: () => index.intentIds(),
    hasPhrase: (intent, lang, phrase) => tables.phrases.has([intent, lang, phrase]),
    hasPhraseInAnyLang: (intent, phrase) =>
      [...tables.phrases.entries([intent])].some(([[, , known]]) => known === phrase),
    learnedWeight: (intent, token) => tables.weights.get([intent, token]),
    weight: (intent, token) => index.weight(intent, token),
  }
}

/**
 * A phrase that means the intent. Derived weights rise by the phrase being there; explicit ones take their step here.
 * @throws SyncError PARENT_MISSING where there is no such intent.
 */
export function learn(
  state: LearningState,
  intent: string,
  phrase: string,
  lang: string,
): readonly IntentsOp[] {
  if (phrase.trim() === '') return []
  needIntent(state, intent)
  if (state.hasPhrase(intent, lang, phrase)) return []
  const weights = new Map<string, number>()
  for (const term of terms(phrase)) {
    const learned = state.learnedWeight(intent, term)
    if (learned !== undefined) weights.set(term, towardsOne(learned, PHRASE_RATE))
  }
  return [{ type: 'PhraseAdded', intentId: intent, phrase, lang }, ...weightOps(state, intent, weights)]
}

/**
 * A query that was rightly taken to mean the intent: its terms weigh more from now on, the negated ones apart.
 * @throws SyncError PARENT_MISSING where there is no such intent.
 */
export function reinforce(state: LearningState, intent: string, query: string): readonly IntentsOp[] {
  needIntent(state, intent)
  const weights = new Map<string, number>()
  for (const term of queryTerms(query).terms) {
    if (!isNegated(term)) weights.set(term, towardsOne(state.weight(intent, term), LEARN_RATE))
  }
  return weightOps(state, intent, weights)
}

export interface DecayOptions {
  /** The intents that the queries do not mean; absent or empty: none of them do. Unknown ones are left out. */
  readonly intents?: readonly string[]
  /** What part of a weight goes, between 0 and 1. */
  readonly alpha?: number
}

/**
 * Queries that do not mean these intents: what their terms weigh there shrinks, once for each query that holds them.
 * @throws SyncError INPUT_INVALID for an alpha that is not between 0 and 1.
 */
export function decay(
  state: LearningState,
  queries: readonly string[],
  { intents = [], alpha = DECAY_ALPHA }: DecayOptions = {},
): readonly IntentsOp[] {
  if (!(alpha > 0 && alpha < 1)) {
    throw new SyncError('INPUT_INVALID', `alpha is ${alpha}; give a number between 0 and 1`, {
      path: 'alpha',
    })
  }
  const targets = intents.length > 0 ? intents.filter((id) => state.hasIntent(id)) : [...state.intentIds()]
  return [...new Set(targets)].flatMap((intent) => {
    const weights = new Map<string, number>()
    for (const query of queries) {
      for (const token of new Set(queryTerms(query).terms.map(baseOf))) {
        const weight = weights.get(token) ?? state.weight(intent, token)
        if (weight > 0) weights.set(token, weight * (1 - alpha))
      }
    }
    return weightOps(state, intent, weights)
  })
}

export interface Correction {
  readonly query: string
  /** The intent that was found. */
  readonly wrong: string
  /** The intent that was meant. */
  readonly right: string
}

/**
 * Moves a query from the intent that was found to the one that was meant. A blank query changes nothing.
 * @throws SyncError PARENT_MISSING where the right intent is not there.
 */
export function correct(state: LearningState, { query, wrong, right }: Correction): readonly IntentsOp[] {
  if (query.trim() === '') return []
  const removes = wrong !== right && state.hasPhraseInAnyLang(wrong, query)
  const removed: IntentsOp[] = removes ? [{ type: 'PhraseRemoved', intentId: wrong, phrase: query }] : []
  return [...removed, ...learn(state, right, query, isCjk(query) ? 'zh' : 'en')]
}

function towardsOne(weight: number, rate: number): number {
  return weight + rate * (1 - weight)
}

/** The weights that change, as one op or none; tokens too long for a key cannot be learned. */
function weightOps(
  state: LearningState,
  intent: string,
  weights: ReadonlyMap<string, number>,
): readonly IntentsOp[] {
  const changes: [string, string, number][] = []
  for (const [token, weight] of weights) {
    const post = Math.fround(weight)
    if (Math.abs(post - state.weight(intent, token)) > CHANGE_MIN && fitsKey(intent, token)) {
      changes.push([token, intent, post])
    }
  }
  return changes.length === 0 ? [] : [{ type: 'WeightUpdates', changes }]
}

function needIntent(state: LearningState, intent: string): void {
  if (state.hasIntent(intent)) return
  throw new SyncError(
    'PARENT_MISSING',
    `there is no intent ${JSON.stringify(intent.slice(0, 60))}: add it first`,
  )
}
