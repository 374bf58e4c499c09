/**
 * Reads the CLINC150 format: an object of splits, each a list of [sentence, intent]. Intents come in order of appearance
 * over all splits, as do the sentences of each; the class of what is out of scope is an intent named `oos` like any other.
 */
import { z } from 'zod'
import { limits } from '@rejoin/core'
import { InputError, jsonPath, parseInput } from './input-error.ts'
import { parseJson } from './json-text.ts'
import { fitsKey, IntentId, Phrase } from './names.ts'

const Splits = z.record(z.string(), z.array(z.tuple([Phrase, IntentId])))

/**
 * Sentences by intent, equal ones of an intent once.
 * @throws InputError with the JSON path of the first fault, such as `train[17][1]`.
 */
export function parseClinc(text: string, file = 'CLINC150'): ReadonlyMap<string, readonly string[]> {
  const sentences = new Map<string, Set<string>>()
  for (const [split, pairs] of Object.entries(parseInput(Splits, parseJson(text, file), file))) {
    for (const [i, [sentence, intent]] of pairs.entries()) {
      if (!fitsKey(intent, sentence)) throw tooLong(file, [split, i])
      const known = sentences.get(intent)
      if (known === undefined) sentences.set(intent, new Set([sentence]))
      else known.add(sentence)
    }
  }
  if (sentences.size === 0) throw new InputError(file, '', 'holds no sentences')
  return new Map([...sentences].map(([intent, set]) => [intent, [...set]]))
}

function tooLong(file: string, path: readonly PropertyKey[]): InputError {
  return new InputError(
    file,
    jsonPath(path),
    `sentence and intent are together larger than ${limits.keyBytesMax} bytes`,
  )
}
