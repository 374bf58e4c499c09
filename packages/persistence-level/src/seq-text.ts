/** Numbers inside keys: fixed width, so that text order is numeric order. */

const DIGITS = 14

/** 14 hexadecimal digits: any safe integer from 0. */
export function seqText(seq: number): string {
  return seq.toString(16).padStart(DIGITS, '0')
}

/** The number at the end of `key`. */
export function seqOf(key: string): number {
  return Number.parseInt(key.slice(-DIGITS), 16)
}
