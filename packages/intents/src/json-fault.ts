/**
 * Finds where a text stops being JSON. Engines word this differently and some name no place, so it is found here; only
 * texts that `JSON.parse` refused come this way.
 */

export interface JsonFault {
  readonly offset: number
  readonly reason: string
}

const DEPTH_MAX = 1000
const SPACE = /[ \t\n\r]*/y
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y
// Control characters are what JSON forbids in strings.
// oxlint-disable-next-line no-control-regex
const STRING = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*/y

export function findJsonFault(text: string): JsonFault {
  const reader = new Reader(text)
  return reader.value(0) ?? reader.end()
}

/** Each method reads one thing and returns the fault that stopped it, or null. */
class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(depth: number): JsonFault | null {
    this.#match(SPACE)
    if (depth > DEPTH_MAX) return this.#fault('nested too deeply')
    switch (this.#text[this.#at]) {
      case '{':
        return this.#list('}', () => this.#member(depth + 1))
      case '[':
        return this.#list(']', () => this.value(depth + 1))
      case '"':
        return this.#string()
      default:
        return this.#match(SCALAR) ? null : this.#fault('expected a value')
    }
  }

  end(): JsonFault {
    this.#match(SPACE)
    return this.#fault(this.#at < this.#text.length ? 'expected the end of the file' : 'not read as JSON')
  }

  #member(depth: number): JsonFault | null {
    this.#match(SPACE)
    if (this.#text[this.#at] !== '"') return this.#fault('expected a name in double quotes')
    const fault = this.#string()
    if (fault !== null) return fault
    this.#match(SPACE)
    if (this.#text[this.#at] !== ':') return this.#fault('expected ":"')
    this.#at++
    return this.value(depth)
  }

  #list(close: string, item: () => JsonFault | null): JsonFault | null {
    this.#at++
    this.#match(SPACE)
    if (this.#text[this.#at] === close) {
      this.#at++
      return null
    }
    for (;;) {
      const fault = item()
      if (fault !== null) return fault
      this.#match(SPACE)
      const next = this.#text[this.#at]
      if (next !== close && next !== ',') return this.#fault(`expected "," or "${close}"`)
      this.#at++
      if (next === close) return null
    }
  }

  #string(): JsonFault | null {
    this.#match(STRING)
    if (this.#text[this.#at] === '"') {
      this.#at++
      return null
    }
    return this.#fault('a string does not end here, or holds a character that must be escaped')
  }

  #match(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at
    const matched = pattern.test(this.#text)
    if (matched) this.#at = pattern.lastIndex
    return matched
  }

  #fault(reason: string): JsonFault {
    const ended = this.#at >= this.#text.length
    return { offset: this.#at, reason: ended ? `${reason}, found the end of the file` : reason }
  }
}
