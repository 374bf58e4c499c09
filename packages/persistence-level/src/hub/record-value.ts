/** A record's stored value: the seq before it (St2), then the body. */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import type { Seq, StoredRecord } from '@rejoin/core'
import { readBody } from '../sealed-value.ts'
import { seqOf } from '../seq-text.ts'

export function encodeRecord(prev: Seq, body: Uint8Array): Uint8Array {
  const before = encodePrev(prev)
  const value = new Uint8Array(before.length + body.length)
  value.set(before)
  value.set(body, before.length)
  return value
}

/** What stands before the body; a view, until the next record is encoded. */
export function encodePrev(prev: Seq): Uint8Array {
  encoder.cpos = 0
  encoding.writeVarUint(encoder, prev)
  return encoder.cbuf.subarray(0, encoder.cpos)
}

/** Used over and over: its first buffer of 100 bytes holds any number. */
const encoder = encoding.createEncoder()

/** @throws SyncError STORE_CORRUPT */
export function decodeRecord(key: string, value: Uint8Array): StoredRecord {
  const decoder = decoding.createDecoder(value)
  const prev = readBody(key, () => decoding.readVarUint(decoder))
  return { seq: seqOf(key), prev, body: decoding.readTailAsUint8Array(decoder) }
}
