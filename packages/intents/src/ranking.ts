/**
 * Ranks intents for a query: REFERENCES 2.2 steps 8 to 13. Sums run over sorted terms and ties are broken by intent id, so
 * that two indexes of equal content rank alike to the last digit.
 */
import { baseOf, isNegated, queryTerms } from './terms.ts'
import type { TermIndex } from './term-index.ts'

export interface ScoredIntent {
  readonly id: string
  readonly score: number
}

export type Band = 'High' | 'Medium' | 'Low'
export type Disposition = 'Confident' | 'LowConfidence' | 'NoMatch'

export interface RankedIntent extends ScoredIntent {
  /** Score divided by the best score of this ranking. */
  readonly confidence: number
  readonly band: Band
}

export interface Ranking {
  /** Best first. */
  readonly intents: readonly RankedIntent[]
  readonly disposition: Disposition
}

/** How sure a ranking has to be. Absent: the namespace's default, else 0.3 and no voting gate. */
export interface RankingOptions {
  /** The score from which a match is sure. Negative counts as 0. */
  readonly threshold?: number | undefined
  /** How many terms have to speak for an intent before its score counts in full; up to 1 there is no gate. */
  readonly minVotingTokens?: number | undefined
  /** What the namespace says where the request says nothing. */
  readonly defaults?: Pick<RankingOptions, 'threshold' | 'minVotingTokens'> | undefined
}

export const DEFAULT_THRESHOLD = 0.3
const CUT_RATIO = 0.2
const CUT_MIN = 0.05
const ROUNDS_MAX = 3
/** A later round counts while its best score reaches this part of the first round's. */
const ROUND_GATE = 0.55
/** Intents this close to the best of their round are meant as well. */
const ROUND_SHARE = 0.9
const VOTE_MIN = 0.05

/** The intents that the query means: several where it asks for several things. */
export function rankIntents(query: string, index: TermIndex, options: RankingOptions = {}): Ranking {
  const threshold = Math.max(0, options.threshold ?? options.defaults?.threshold ?? DEFAULT_THRESHOLD)
  const cut = Math.max(CUT_RATIO * threshold, CUT_MIN)
  const confirmed = confirmIntents(queryTerms(query).terms, index, votesFor(options), cut)
  const top = Math.max(...confirmed.map(({ score }) => score))
  const intents = confirmed.map(({ id, score }) => ({
    id,
    score,
    confidence: score / top,
    band: bandOf(score, threshold, cut),
  }))
  return { intents, disposition: dispositionOf(intents) }
}

/** Every intent whose score is above 0, best first: one round without any threshold. */
export function scoreIntents(
  query: string,
  index: TermIndex,
  options: RankingOptions = {},
): readonly ScoredIntent[] {
  return scoreTerms(queryTerms(query).terms, index, votesFor(options), new Map())
}

/** Confirms intents round by round: what the confirmed ones explain is taken from the query before the next round. */
function confirmIntents(
  terms: readonly string[],
  index: TermIndex,
  minVotes: number,
  cut: number,
): readonly ScoredIntent[] {
  const confirmed = new Map<string, number>()
  let remaining = terms
  let firstTop = 0
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const scored = scoreTerms(remaining, index, minVotes, confirmed)
    const top = scored[0]?.score
    if (top === undefined || top < cut || top < ROUND_GATE * firstTop) break
    if (round === 0) firstTop = top
    for (const { id, score } of scored) {
      if (score >= ROUND_SHARE * top && score >= cut) confirmed.set(id, score)
    }
    remaining = remaining.filter((term) => {
      const strongest = strongestIntent(index, baseOf(term))
      return strongest === undefined || !confirmed.has(strongest)
    })
  }
  return [...confirmed].map(([id, score]) => ({ id, score })).sort(compareScored)
}

function scoreTerms(
  terms: readonly string[],
  index: TermIndex,
  minVotes: number,
  excluded: ReadonlyMap<string, number>,
): readonly ScoredIntent[] {
  const sums = new Map<string, { score: number; votes: number }>()
  for (const term of [...terms].sort()) {
    const base = baseOf(term)
    const negated = isNegated(term)
    const idf = index.idf(base)
    for (const { intent, weight } of index.postings(base)) {
      if (excluded.has(intent)) continue
      let sum = sums.get(intent)
      if (sum === undefined) sums.set(intent, (sum = { score: 0, votes: 0 }))
      const contribution = weight * idf
      sum.score += negated ? -contribution : contribution
      if (!negated && contribution > VOTE_MIN) sum.votes++
    }
  }
  return [...sums]
    .map(([id, { score, votes }]) => ({ id, score: score * votingMultiplier(votes, minVotes) }))
    .filter(({ score }) => score > 0)
    .sort(compareScored)
}

function votesFor(options: RankingOptions): number {
  return options.minVotingTokens ?? options.defaults?.minVotingTokens ?? 1
}

function votingMultiplier(votes: number, minVotes: number): number {
  if (minVotes <= 1 || votes >= minVotes) return 1
  return votes === 0 ? 0 : 0.4 + (0.6 * (votes - 1)) / (minVotes - 1)
}

/** The intent that a term speaks for most; of equals, the first by id. */
function strongestIntent(index: TermIndex, term: string): string | undefined {
  const [strongest] = index
    .postings(term)
    .map(({ intent, weight }) => ({ id: intent, score: weight }))
    .sort(compareScored)
  return strongest?.id
}

/** Best first. Scores that differ only by rounding in their sums are equal, and then the id decides. */
function compareScored(a: ScoredIntent, b: ScoredIntent): number {
  const difference = Math.round(b.score * 1e9) - Math.round(a.score * 1e9)
  if (difference !== 0) return difference
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}

function bandOf(score: number, threshold: number, cut: number): Band {
  if (score >= threshold) return 'High'
  return score >= cut ? 'Medium' : 'Low'
}

function dispositionOf(intents: readonly RankedIntent[]): Disposition {
  if (intents.some(({ band }) => band === 'High')) return 'Confident'
  return intents.length > 0 ? 'LowConfidence' : 'NoMatch'
}
