/**
 * Which words of a sentence are negated: REFERENCES 2.2 step 5. "do not", never, without and except negate what follows
 * until and, but, or, then. "can not", "is not" and "will not" do not: they tell of a state, not of a wish.
 */

const NEGATORS = new Set(['never', 'without', 'except'])
const CLAUSE_ENDS = new Set(['and', 'but', 'or', 'then'])
/** Sound like negations and are none: one of these switches negation off for its sentence. */
const PSEUDO_NEGATIONS = [
  'no problem',
  'no worries',
  'no wonder',
  'no way',
  'not sure',
  'not bad',
  'not only',
  'not just',
  'can not wait',
  'can not believe',
]

/** For each word of a sentence, whether it stands inside a negation. The negators themselves do not. */
export function negatedWords(words: readonly string[]): readonly boolean[] {
  const sentence = ` ${words.join(' ')} `
  if (PSEUDO_NEGATIONS.some((phrase) => sentence.includes(` ${phrase} `))) return words.map(() => false)
  let negating = false
  return words.map((word, i) => {
    if (NEGATORS.has(word) || (word === 'not' && words[i - 1] === 'do')) {
      negating = true
      return false
    }
    if (CLAUSE_ENDS.has(word)) negating = false
    return negating
  })
}
