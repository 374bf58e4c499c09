/** Writes the fields that `Reader` reads, with lib0's encoding. What is written is our own, so a wrong value is a bug. */
import { assert, type ReplicaId, type Tag } from '@rejoin/core'
import {
  createEncoder,
  toUint8Array,
  writeUint8,
  writeUint8Array,
  writeVarString,
  writeVarUint,
  writeVarUint8Array,
  type Encoder,
} from 'lib0/encoding'
import { bytesOfBase64url, bytesOfHex } from './text.ts'

export class Writer {
  readonly #encoder: Encoder = createEncoder()

  byte(value: number): void {
    writeUint8(this.#encoder, value)
  }

  uint(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, `numbers on the wire are 0 to 2^53 - 1, not ${value}`)
    writeVarUint(this.#encoder, value)
  }

  raw(bytes: Uint8Array): void {
    writeUint8Array(this.#encoder, bytes)
  }

  bytes(bytes: Uint8Array): void {
    writeVarUint8Array(this.#encoder, bytes)
  }

  /** Half a surrogate pair becomes U+FFFD. */
  text(text: string): void {
    writeVarString(this.#encoder, text)
  }

  replica(id: ReplicaId): void {
    this.raw(bytesOfBase64url(id))
  }

  tag(tag: Tag): void {
    this.raw(bytesOfHex(tag))
  }

  ascii(text: string): void {
    for (let i = 0; i < text.length; i++) this.byte(text.charCodeAt(i))
  }

  finish(): Uint8Array {
    return toUint8Array(this.#encoder)
  }
}
