/** What ranking needs of a namespace, read from its tables in one pass. Afterwards the index is kept up to date by hand. */
import type { IntentsTables } from './domain.ts'
import type { RankingOptions } from './ranking.ts'
import { TermIndex } from './term-index.ts'

export function indexOf(tables: IntentsTables): TermIndex {
  const index = new TermIndex()
  for (const [id] of tables.intents.entries()) index.addIntent(id)
  for (const [[intent, , phrase]] of tables.phrases.entries()) index.addPhrase(intent, phrase)
  for (const [[intent, token], weight] of tables.weights.entries()) index.setWeight(intent, token, weight)
  return index
}

/** What the namespace says of ranking, for `RankingOptions.defaults`. */
export function rankingDefaults(tables: IntentsTables): NonNullable<RankingOptions['defaults']> {
  const { default_threshold: threshold, default_min_voting_tokens: minVotingTokens } = tables.namespace.get()
  return { threshold, minVotingTokens }
}
