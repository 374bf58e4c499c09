/**
 * Phrase to terms: REFERENCES 2.2 steps 1 to 6, and the query side of step 9. Terms are the words that are no stop words
 * and the pairs of neighbours among them, each once, in the order of the text. A negated word is named `not_word`.
 */
import { negatedWords } from './negation.ts'
import { normalise, sentences, words } from './text.ts'

const STOP_WORDS = new Set(
  (
    'a an the is are was were be been being in on at to of for with from by and or but ' +
    'i me my we our you your it its he she they them this that'
  ).split(' '),
)

/** No word holds "_", so that a text cannot spell this prefix. */
const NEGATED = 'not_'
const CHINESE_NEGATIONS = /[不没别未]/g

export function terms(text: string): readonly string[] {
  const result = new Set<string>()
  for (const sentence of sentences(normalise(text))) addTerms(sentence, result)
  return [...result]
}

/** A query's terms. Chinese negations are blanked; `negated` tells that the query held any negation. */
export interface QueryTerms {
  readonly terms: readonly string[]
  readonly negated: boolean
}

export function queryTerms(query: string): QueryTerms {
  const blanked = query.replace(CHINESE_NEGATIONS, ' ')
  const found = terms(blanked)
  return { terms: found, negated: blanked !== query || found.some(isNegated) }
}

export function isNegated(term: string): boolean {
  return term.startsWith(NEGATED)
}

/** What a query's term is looked up as: a negated term counts against its base. */
export function baseOf(term: string): string {
  return isNegated(term) ? term.slice(NEGATED.length) : term
}

function addTerms(sentence: string, result: Set<string>): void {
  const all = words(sentence)
  const negated = negatedWords(all.map((word) => word.text))
  const pairable: string[] = []
  for (const [i, { text, segmented }] of all.entries()) {
    if (STOP_WORDS.has(text)) continue
    const term = negated[i] === true ? NEGATED + text : text
    result.add(term)
    if (segmented) pairable.push(term)
  }
  for (const [i, second] of pairable.entries()) {
    const first = pairable[i - 1]
    if (first !== undefined) result.add(`${first} ${second}`)
  }
}
