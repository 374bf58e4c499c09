/**
 * Interests: names for what somebody may want to hear of, which is one register or all registers whose keys start with some
 * parts. A change goes by a handful of such names, so who is to hear of it is looked up, and nobody else is asked.
 */
import { keyText, prefixText, type KeyParts } from '@rejoin/core'

export type Interest = string

/** In one register. */
export function registerInterest(table: string, key: KeyParts): Interest {
  return `${table}\u0001=${keyText(key)}`
}

/** In every register whose key goes on after `prefix`: what `Registers.scan` yields for it. */
export function prefixInterest(table: string, prefix: KeyParts): Interest {
  return `${table}\u0001<${prefixText(prefix)}`
}

/** Every interest that a change of this register is of. */
export function* interestsIn(table: string, key: KeyParts): Iterable<Interest> {
  yield registerInterest(table, key)
  for (let length = 0; length < key.length; length++) yield prefixInterest(table, key.slice(0, length))
}

/** Who has which interest. */
export class InterestIndex<T> {
  readonly #interested = new Map<Interest, Set<T>>()

  add(interests: Iterable<Interest>, who: T): void {
    for (const interest of interests) {
      const known = this.#interested.get(interest)
      if (known === undefined) this.#interested.set(interest, new Set([who]))
      else known.add(who)
    }
  }

  delete(interests: Iterable<Interest>, who: T): void {
    for (const interest of interests) {
      const known = this.#interested.get(interest)
      known?.delete(who)
      if (known?.size === 0) this.#interested.delete(interest)
    }
  }

  /** May yield the same one more than once. */
  *in(table: string, key: KeyParts): Iterable<T> {
    for (const interest of interestsIn(table, key)) yield* this.#interested.get(interest) ?? []
  }
}
