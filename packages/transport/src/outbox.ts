/** What one channel still has to send, in order, cut into frames as they are asked for. */
import { assert, type CloseReason } from '@rejoin/core'
import { hashOf } from './assembly.ts'
import { PAYLOAD_BYTES_MAX, type Frame } from './frames.ts'

export type Outgoing =
  | { readonly kind: 'message'; readonly payload: Uint8Array }
  | { readonly kind: 'end' }
  | { readonly kind: 'close'; readonly reason: CloseReason }

export class Outbox {
  readonly #waiting: Outgoing[] = []
  #bytes = 0
  /** Bytes of the first message that left already. */
  #sent = 0

  /** Bytes of messages not yet in a frame. */
  get bytes(): number {
    return this.#bytes
  }

  get empty(): boolean {
    return this.#waiting.length === 0
  }

  /** True between the first fragment of a message and its last. */
  get midMessage(): boolean {
    return this.#sent > 0
  }

  /** Whether the next frame is a fragment. */
  get fragmentNext(): boolean {
    const next = this.#waiting[0]
    return next?.kind === 'message' && next.payload.length > PAYLOAD_BYTES_MAX
  }

  push(outgoing: Outgoing): void {
    this.#waiting.push(outgoing)
    if (outgoing.kind === 'message') this.#bytes += outgoing.payload.length
  }

  /** The next frame of channel number `channel`; there must be one. */
  next(channel: number): Frame {
    const next = this.#waiting[0]
    assert(next !== undefined, 'a channel is asked for a frame only while it has one')
    if (next.kind !== 'message') {
      this.#waiting.shift()
      return next.kind === 'end' ? { kind: 'end', channel } : { kind: 'close', channel, reason: next.reason }
    }
    const piece = next.payload.subarray(this.#sent, this.#sent + PAYLOAD_BYTES_MAX)
    const first = this.#sent === 0
    this.#sent += piece.length
    this.#bytes -= piece.length
    if (this.#sent === next.payload.length) {
      this.#waiting.shift()
      this.#sent = 0
    }
    if (piece.length === next.payload.length) return { kind: 'whole', channel, payload: piece }
    if (!first) return { kind: 'further', channel, payload: piece }
    return { kind: 'first', channel, total: next.payload.length, hash: hashOf(next.payload), payload: piece }
  }

  clear(): void {
    this.#waiting.length = 0
    this.#bytes = 0
    this.#sent = 0
  }
}
