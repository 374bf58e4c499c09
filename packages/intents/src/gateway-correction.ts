/** A thin client's correction as ops: what it changes follows from the tables of one intent, so no index is built for it. */
import type { IntentsOp, IntentsTables } from './domain.ts'
import { correct, type Correction, type LearningState } from './learning.ts'
import { derivedWeight } from './term-index.ts'
import { terms } from './terms.ts'

/** @throws SyncError PARENT_MISSING where the right intent is not there. */
export function correctionOps(tables: IntentsTables, correction: Correction): readonly IntentsOp[] {
  return correct(stateOf(tables), correction)
}

function stateOf(tables: IntentsTables): LearningState {
  const phrases = (intent: string): string[] =>
    [...tables.phrases.entries([intent])].map(([[, , phrase]]) => phrase)
  return {
    hasIntent: (intent) => tables.intents.has(intent),
    intentIds: () => [...tables.intents.entries()].map(([id]) => id),
    hasPhrase: (intent, lang, phrase) => tables.phrases.has([intent, lang, phrase]),
    hasPhraseInAnyLang: (intent, phrase) => phrases(intent).includes(phrase),
    learnedWeight: (intent, token) => tables.weights.get([intent, token]),
    weight: (intent, token) =>
      tables.weights.get([intent, token]) ??
      derivedWeight(phrases(intent).filter((phrase) => terms(phrase).includes(token)).length),
  }
}
