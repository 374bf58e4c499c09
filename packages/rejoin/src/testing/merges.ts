/** Merge functions of a domain on trial: what they must ignore, and what they must leave alone. */
import {
  canonicalJson,
  checkRegister,
  findPlace,
  keyText,
  mergeOf,
  mergeValues,
  type AnyDomain,
  type Entry,
  type KeyParts,
  type Merge,
  type Value,
} from '@rejoin/core'
import type { EntryLine } from '@rejoin/testkit'

/** Different values of one register that are tried against each other; more say little that is new. */
const VALUES_MAX = 6

interface Trial {
  readonly table: string
  readonly key: KeyParts
  readonly where: string
  readonly merge: Exclude<Merge, string>
  /** By their text: what was ever set there. */
  readonly values: Map<string, Value>
}

/**
 * One line for each merge function that depends on the order of its values, on anything but them, or changes them: on
 * values that some register was given at any time, since nobody knows which of them may meet.
 */
export function unrulyMerges(domain: AnyDomain, lines: Iterable<EntryLine>): readonly string[] {
  const trials = new Map<string, Trial>()
  for (const line of lines) {
    const [table, key, value] = JSON.parse(line) as [Entry['table'], Entry['key'], Entry['value']]
    const name = `${table}\u0001${keyText(key)}`
    const trial = trials.get(name) ?? trialOf(domain, table, key)
    if (trial === null) continue
    trials.set(name, trial)
    if (trial.values.size < VALUES_MAX) trial.values.set(canonicalJson(value), value)
  }
  const unruly = new Map<string, string>()
  for (const trial of trials.values()) {
    if (unruly.has(trial.where)) continue
    const wrong = wrongWith(domain, trial)
    if (wrong !== null) unruly.set(trial.where, `the merge function of ${trial.where} ${wrong}`)
  }
  return [...unruly.values()]
}

function trialOf(domain: AnyDomain, table: string, key: KeyParts): Trial | null {
  const layout = domain.layouts.get(table)
  const place = layout === undefined ? null : findPlace(layout, key)
  if (layout === undefined || place === null) return null
  const merge = mergeOf(layout.table, place.field)
  if (typeof merge !== 'function') return null
  const where = place.field === null ? table : `${table}.${place.field}`
  return { table, key, where, merge, values: new Map() }
}

function wrongWith(domain: AnyDomain, trial: Trial): string | null {
  const texts = [...trial.values.keys()].sort()
  for (const chosen of groups(texts)) {
    const first = read(domain, trial, chosen)
    if (first.changed) return `changes the values that it is given: ${chosen.join(' and ')}`
    const again = read(domain, trial, chosen)
    if (again.text !== first.text)
      return `says something else each time: of ${chosen.join(' and ')} first ${first.text}, then ${again.text}`
    for (const other of orders(chosen)) {
      const { text } = read(domain, trial, other)
      if (text === first.text) continue
      return `depends on the order of its values: ${chosen.join(', ')} are ${first.text}, but ${other.join(', ')} are ${text}`
    }
  }
  return null
}

/** Every two, and all. */
function groups(texts: readonly string[]): readonly (readonly string[])[] {
  const pairs = texts.flatMap((a, i) => texts.slice(i + 1).map((b) => [a, b]))
  return texts.length > 2 ? [...pairs, texts] : pairs
}

function orders(texts: readonly string[]): readonly (readonly string[])[] {
  const turned = texts.map((_, i) => [...texts.slice(i), ...texts.slice(0, i)])
  return [texts.toReversed(), ...turned]
}

/** What the register reads as, with its values in this order. The function gets copies, and must leave them as they are. */
function read(
  domain: AnyDomain,
  { table, key, merge }: Trial,
  texts: readonly string[],
): { readonly text: string; readonly changed: boolean } {
  const values = texts.map((text) => JSON.parse(text) as Value)
  const given = [...values]
  let text: string
  try {
    const merged = mergeValues(merge, values)
    text = canonicalJson(merged)
    // What the schema forbids is not read: the register is one without a merge then.
    if (canonicalJson(checkRegister(domain, table, key, merged)) !== text) text = 'nothing'
  } catch {
    text = 'nothing'
  }
  return { text, changed: given.some((value, i) => canonicalJson(value) !== texts[i]) }
}
