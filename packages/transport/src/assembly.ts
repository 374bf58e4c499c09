/**
 * Puts a fragmented message together again: within its announced total, without crumbs, and with its hash checked, so that
 * a message cut or altered on the way is refused instead of read.
 */
import { limits, SyncError, type Clock, type CloseReason } from '@rejoin/core'
import { sha256 } from '#sha256'
import { FRAGMENT_BYTES_MIN, type Frame } from './frames.ts'
import { after } from './socket.ts'

const HASH_BYTES = 8

/** The first 8 bytes of SHA-256: against damage and mix-ups, which TLS and TCP leave to chance; no signature. */
export function hashOf(payload: Uint8Array): Uint8Array {
  return Uint8Array.from(sha256(payload).subarray(0, HASH_BYTES))
}

/** The one fragmented message that a connection may be receiving, and its time. */
export class Reassembly {
  readonly #clock: Clock
  readonly #bytesMax: number
  readonly #onLate: (reason: CloseReason) => void
  readonly #hold: (bytes: number) => void
  #bytesHeld = 0
  #current: Assembly | null = null
  #cancelDeadline: () => void = () => {}

  /** @param hold hears how many bytes more are kept, or less (below 0); it throws where they may not be. */
  constructor(
    clock: Clock,
    bytesMax: number,
    onLate: (reason: CloseReason) => void,
    hold: (bytes: number) => void = () => {},
  ) {
    this.#clock = clock
    this.#bytesMax = bytesMax
    this.#onLate = onLate
    this.#hold = hold
  }

  /** The message once it is whole, until then null. @throws SyncError MESSAGE_MALFORMED or MESSAGE_TOO_LARGE, or what `hold` throws */
  add(fragment: Extract<Frame, { kind: 'first' | 'further' }>): Uint8Array | null {
    if (fragment.kind === 'first') this.#begin(fragment)
    if (this.#current?.channel !== fragment.channel) throw malformed('a further fragment without a first one')
    this.#hold(fragment.payload.length)
    this.#bytesHeld += fragment.payload.length
    const payload = this.#current.add(fragment.payload)
    if (payload !== null) this.dropAll()
    return payload
  }

  /** @throws SyncError MESSAGE_MALFORMED where a message of this channel is unfinished. */
  refuseAmid(channel: number): void {
    if (this.#current?.channel === channel) throw malformed('the message before this one is not finished')
  }

  /** Forgets the unfinished message if it is this channel's. */
  drop(channel: number): void {
    if (this.#current?.channel === channel) this.dropAll()
  }

  dropAll(): void {
    this.#current = null
    this.#cancelDeadline()
    if (this.#bytesHeld > 0) this.#hold(-this.#bytesHeld)
    this.#bytesHeld = 0
  }

  #begin(first: Extract<Frame, { kind: 'first' }>): void {
    if (this.#current !== null) throw malformed('another fragmented message is not finished')
    this.#current = new Assembly(first, this.#bytesMax)
    const message = `a message took longer than ${limits.fragmentsMsMax} ms`
    this.#cancelDeadline = after(this.#clock, limits.fragmentsMsMax, () =>
      this.#onLate({ code: 'TIMED_OUT', message }),
    )
  }
}

class Assembly {
  readonly channel: number
  readonly #total: number
  readonly #hash: Uint8Array
  readonly #pieces: Uint8Array[] = []
  #bytes = 0

  /** @throws SyncError MESSAGE_TOO_LARGE before anything is kept. */
  constructor(first: Extract<Frame, { kind: 'first' }>, bytesMax: number) {
    if (first.total > bytesMax) {
      throw new SyncError('MESSAGE_TOO_LARGE', `a message has at most ${bytesMax} bytes, not ${first.total}`)
    }
    this.channel = first.channel
    this.#total = first.total
    this.#hash = first.hash
  }

  /** The message once it is whole, until then null. @throws SyncError MESSAGE_MALFORMED */
  add(piece: Uint8Array): Uint8Array | null {
    this.#bytes += piece.length
    if (this.#bytes > this.#total) throw malformed('fragments are longer than their total')
    if (this.#bytes < this.#total && piece.length < FRAGMENT_BYTES_MIN) {
      throw malformed(`a fragment but the last has at least ${FRAGMENT_BYTES_MIN} bytes`)
    }
    this.#pieces.push(piece)
    return this.#bytes < this.#total ? null : this.#finish()
  }

  #finish(): Uint8Array {
    const payload = new Uint8Array(this.#total)
    let at = 0
    for (const piece of this.#pieces) {
      payload.set(piece, at)
      at += piece.length
    }
    const hash = hashOf(payload)
    if (!hash.every((byte, i) => byte === this.#hash[i])) throw malformed('fragments do not have their hash')
    return payload
  }
}

function malformed(why: string): SyncError {
  return new SyncError('MESSAGE_MALFORMED', why)
}
