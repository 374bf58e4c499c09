/** What the writers of the fault runs write: commits each known by a phrase of its own that stays, among overwrites. */
import type { OpOf } from '@rejoin/core'
import { intents } from 'rejoin'

export const intentId = 'greet'

export function nextOps(phrase: string, n: number): readonly OpOf<typeof intents>[] {
  const ops: OpOf<typeof intents>[] = [
    { type: 'PhraseAdded', intentId, phrase, lang: 'en' },
    { type: 'WeightUpdates', changes: [[`token${n % 7}`, intentId, Math.fround((n % 97) / 97)]] },
  ]
  // Everyone begins with it: setting what is there already writes nothing.
  return n === 0 ? [{ type: 'IntentAdded', id: intentId, phrasesByLang: {} }, ...ops] : ops
}
