/**
 * Term index: for every term the intents whose phrases hold it, kept up to date phrase by phrase. Holds counts and learned
 * weights, not the phrases. Its content follows from what is in it alone, never from the order in which that came.
 */
import { terms } from './terms.ts'

export interface Posting {
  readonly intent: string
  readonly weight: number
}

/** What of a term belongs to one intent. There while `phrases` is above 0 or a weight was learned. */
interface MutablePosting {
  readonly intent: string
  /** How many of the intent's phrases, over all languages, hold the term. */
  phrases: number
  /** The explicit register, which overrides the derived weight. */
  learned: number | undefined
}

/** By how much one phrase moves a weight towards 1. */
export const PHRASE_RATE = 0.4

// Repeated products, since engines differ in the last digit of powers. Beyond these a weight is 1.
const DERIVED_WEIGHTS = Array.from({ length: 72 }, (_, phrases) => {
  let rest = 1
  for (let i = 0; i < phrases; i++) rest *= 1 - PHRASE_RATE
  return 1 - rest
})

/** The weight that `phrases` phrases give a term: 1 − 0.6^phrases. */
export function derivedWeight(phrases: number): number {
  return DERIVED_WEIGHTS[phrases] ?? 1
}

export class TermIndex {
  /** Each intent with the number of its postings. */
  readonly #intents = new Map<string, number>()
  readonly #postings = new Map<string, MutablePosting[]>()

  get intentCount(): number {
    return this.#intents.size
  }

  get termCount(): number {
    return this.#postings.size
  }

  hasIntent(intent: string): boolean {
    return this.#intents.has(intent)
  }

  /** Ids in text order. */
  intentIds(): readonly string[] {
    return [...this.#intents.keys()].sort()
  }

  /** An intent without phrases counts too: it makes every other term rarer. */
  addIntent(intent: string): void {
    if (!this.#intents.has(intent)) this.#intents.set(intent, 0)
  }

  /** Removes the intent with its phrases and learned weights. */
  removeIntent(intent: string): void {
    let left = this.#intents.get(intent) ?? 0
    this.#intents.delete(intent)
    for (const [term, postings] of this.#postings) {
      if (left === 0) return
      const at = postings.findIndex((posting) => posting.intent === intent)
      if (at === -1) continue
      this.#drop(term, postings, at)
      left--
    }
  }

  /** Call once for every (language, phrase) of the intent. Adds the intent where it is not there. */
  addPhrase(intent: string, phrase: string): void {
    this.addIntent(intent)
    for (const term of terms(phrase)) this.#posting(intent, term).phrases++
  }

  /** Takes back one `addPhrase` of the same phrase. Nothing happens where the intent is not there. */
  removePhrase(intent: string, phrase: string): void {
    for (const term of terms(phrase)) {
      const posting = this.#find(intent, term)
      if (posting === undefined || posting.phrases === 0) continue
      posting.phrases--
      this.#dropIfEmpty(term, posting)
    }
  }

  /** Sets the explicit weight of a pair, or with `undefined` gives the pair back to its derived weight. */
  setWeight(intent: string, token: string, weight: number | undefined): void {
    if (weight === undefined) {
      const posting = this.#find(intent, token)
      if (posting === undefined) return
      posting.learned = undefined
      this.#dropIfEmpty(token, posting)
    } else {
      this.addIntent(intent)
      this.#posting(intent, token).learned = weight
    }
  }

  /** The weight in force: the explicit one, else the derived one; 0 for a pair that nothing is known of. */
  weight(intent: string, token: string): number {
    const posting = this.#find(intent, token)
    return posting === undefined ? 0 : weightOf(posting)
  }

  /** Every intent that the term points to, in no particular order. */
  postings(term: string): readonly Posting[] {
    const postings = this.#postings.get(term) ?? []
    return postings.map((posting) => ({ intent: posting.intent, weight: weightOf(posting) }))
  }

  /** How much a term tells: ln(intents / intents that the term points to), 0 where it points to none. */
  idf(term: string): number {
    const found = this.#postings.get(term)?.length
    return found === undefined ? 0 : Math.max(0, Math.log(this.#intents.size / found))
  }

  #find(intent: string, term: string): MutablePosting | undefined {
    return this.#postings.get(term)?.find((posting) => posting.intent === intent)
  }

  #posting(intent: string, term: string): MutablePosting {
    const found = this.#find(intent, term)
    if (found !== undefined) return found
    const posting: MutablePosting = { intent, phrases: 0, learned: undefined }
    const postings = this.#postings.get(term)
    if (postings === undefined) this.#postings.set(term, [posting])
    else postings.push(posting)
    this.#intents.set(intent, (this.#intents.get(intent) ?? 0) + 1)
    return posting
  }

  #dropIfEmpty(term: string, posting: MutablePosting): void {
    if (posting.phrases > 0 || posting.learned !== undefined) return
    const postings = this.#postings.get(term) ?? []
    this.#drop(term, postings, postings.indexOf(posting))
    this.#intents.set(posting.intent, (this.#intents.get(posting.intent) ?? 0) - 1)
  }

  #drop(term: string, postings: MutablePosting[], at: number): void {
    if (postings.length === 1) this.#postings.delete(term)
    else postings.splice(at, 1)
  }
}

function weightOf(posting: MutablePosting): number {
  return posting.learned ?? derivedWeight(posting.phrases)
}
