/** What a hub store knows of one namespace, as one small value. */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import type { LogRange, Seq } from '@rejoin/core'
import { checksumOf, corrupt, isCorrupt, readBody, unseal } from '../sealed-value.ts'

export type NamespaceState =
  | {
      readonly kind: 'present'
      readonly floor: Seq
      readonly head: Seq
      /** Seq of the newest checkpoint, 0 where there is none. */
      readonly checkpoint: Seq
    }
  /** Nothing is appended any more. `last` is the newest seq it ever had. */
  | { readonly kind: 'removed'; readonly last: Seq }

export type PresentNamespace = Extract<NamespaceState, { kind: 'present' }>

export const emptyRange: LogRange = { floor: 0, head: 0 }

export function rangeOf(state: PresentNamespace): LogRange {
  return { floor: state.floor, head: state.head }
}

export interface KnownState {
  readonly state: NamespaceState
  /** Of the sealed value: what it adds to the store's sum. */
  readonly checksum: number
}

/** Null where the stored value is damaged. @throws SyncError FORMAT_TOO_NEW */
export function readState(key: string, sealed: Uint8Array): KnownState | null {
  try {
    return { state: decodeState(key, unseal(key, sealed)), checksum: checksumOf(sealed) }
  } catch (error) {
    if (isCorrupt(error)) return null
    throw error
  }
}

const PRESENT = 1
const REMOVED = 2

export function encodeState(state: NamespaceState): Uint8Array {
  encoder.cpos = 0
  if (state.kind === 'removed') {
    encoding.writeUint8(encoder, REMOVED)
    encoding.writeVarUint(encoder, state.last)
  } else {
    encoding.writeUint8(encoder, PRESENT)
    encoding.writeVarUint(encoder, state.floor)
    encoding.writeVarUint(encoder, state.head)
    encoding.writeVarUint(encoder, state.checkpoint)
  }
  return encoding.toUint8Array(encoder)
}

/** Used over and over: its first buffer of 100 bytes holds any state. */
const encoder = encoding.createEncoder()

/** @throws SyncError STORE_CORRUPT */
export function decodeState(key: string, body: Uint8Array): NamespaceState {
  return readBody(key, () => readKind(key, body))
}

function readKind(key: string, body: Uint8Array): NamespaceState {
  const decoder = decoding.createDecoder(body)
  const kind = decoding.readUint8(decoder)
  if (kind === REMOVED) return { kind: 'removed', last: decoding.readVarUint(decoder) }
  if (kind !== PRESENT) throw corrupt(key, `is of kind ${kind}, which never was`)
  return {
    kind: 'present',
    floor: decoding.readVarUint(decoder),
    head: decoding.readVarUint(decoder),
    checkpoint: decoding.readVarUint(decoder),
  }
}
