/**
 * Text to words: REFERENCES 2.2 steps 1 to 3. Lower case, contractions expanded, sentences, words; runs of scripts that
 * put no spaces between words become the run and its character bigrams. The same text gives the same words everywhere.
 */

export interface Word {
  readonly text: string
  /** False for a piece of an unsegmented run: such pieces are their own bigrams. */
  readonly segmented: boolean
}

const LETTER = '\\p{Alphabetic}\\p{N}'
// Marks belong to the letter before them: without them Thai tone marks or a decomposed accent would cut a word in two.
const WORD = new RegExp(`[${LETTER}\\p{M}-]+`, 'gu')
const HAS_LETTER = new RegExp(`[${LETTER}]`, 'u')

const SCRIPTS = ['Han', 'Hiragana', 'Katakana', 'Hangul', 'Thai', 'Lao', 'Myanmar', 'Khmer']
const RUN = SCRIPTS.map((script) => `\\p{Script_Extensions=${script}}`).join('')
const IN_RUN = new RegExp(`[${RUN}]`, 'u')
const RUN_OR_REST = new RegExp(`[${RUN}]+|[^${RUN}]+`, 'gu')

/** Characters that carry grammar and no topic: particles, and the repetition and abbreviation marks of the last line. */
const STOP_CHARACTERS = new Set(
  ['的了着把被让给', 'のはがをにでともかよねわへや', '은는이가을를에서와과도의로으', 'ๆฯໆຯៗ'].join(''),
)

const END = `(?![${LETTER}])`
const CONTRACTIONS: readonly (readonly [RegExp, string])[] = [
  [new RegExp(`(?<![${LETTER}])won't${END}`, 'gu'), 'will not'],
  [new RegExp(`(?<![${LETTER}])can't${END}`, 'gu'), 'can not'],
  [new RegExp(`(?<![${LETTER}])shan't${END}`, 'gu'), 'shall not'],
  [new RegExp(`n't${END}`, 'gu'), ' not'],
  // What these stand for are stop words anyway.
  [new RegExp(`'(?:re|ve|ll|d|m|s)${END}`, 'gu'), ' '],
]

/** Lower case, one form of each accented letter, contractions written out. */
export function normalise(text: string): string {
  let result = text.toLowerCase().normalize('NFC').replaceAll('\u2019', "'")
  if (!result.includes("'")) return result
  for (const [contraction, expansion] of CONTRACTIONS) result = result.replace(contraction, expansion)
  return result
}

/** Negation and word pairs never reach over the end of a sentence. */
export function sentences(normalised: string): readonly string[] {
  return normalised.split(/[.!?]/)
}

/** The words of one normalised sentence, stop words included. A word has at least one letter or digit. */
export function words(sentence: string): readonly Word[] {
  const found = sentence.match(WORD)
  if (found === null) return []
  const hasRuns = IN_RUN.test(sentence)
  const result: Word[] = []
  for (const text of found) {
    if (!HAS_LETTER.test(text)) continue
    if (hasRuns && IN_RUN.test(text)) result.push(...piecesOf(text))
    else result.push({ text, segmented: true })
  }
  return result
}

/** Whether the text holds Chinese characters, kana or Hangul. */
export function isCjk(text: string): boolean {
  return /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u.test(text)
}

/** A word such as "sql查询": its unsegmented runs become pieces, the rest stays whole. */
function* piecesOf(word: string): Iterable<Word> {
  for (const part of word.match(RUN_OR_REST) ?? []) {
    if (IN_RUN.test(part)) for (const text of runPieces(part)) yield { text, segmented: false }
    else if (HAS_LETTER.test(part)) yield { text: part, segmented: true }
  }
}

function runPieces(run: string): readonly string[] {
  const characters = Array.from(run).filter((character) => !STOP_CHARACTERS.has(character))
  if (characters.length === 0) return []
  if (characters.length === 1) return characters
  const pairs = characters.slice(1).map((character, i) => `${characters[i] ?? ''}${character}`)
  return [characters.join(''), ...pairs]
}
