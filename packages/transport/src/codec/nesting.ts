/** Bounds the depth of JSON before it is parsed: whoever reads the value after us recurses (`HAZARDS.md` D9). */
import { limits } from '@rejoin/core'
import type { Reader } from './reader.ts'

/** An op's array, its object and a few levels of payload around values of the greatest depth. */
const DEPTH_MAX = limits.valueDepthMax + 8

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** @throws SyncError MESSAGE_MALFORMED where brackets nest deeper than any op of any domain. */
export function checkNesting(json: Uint8Array, from: Reader): void {
  let depth = 0
  let quoted = false
  for (let i = 0; i < json.length; i++) {
    const byte = json[i]
    if (quoted) {
      if (byte === BACKSLASH) i++
      else if (byte === QUOTE) quoted = false
    } else if (byte === QUOTE) quoted = true
    // [ is 0x5b and { is 0x7b, ] is 0x5d and } is 0x7d.
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > DEPTH_MAX) throw from.malformed(`ops are nested deeper than ${DEPTH_MAX} levels`)
    } else if (byte === 0x5d || byte === 0x7d) depth--
  }
}
