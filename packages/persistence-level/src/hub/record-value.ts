/** A record's stored value: the seq before it (St2), then the body. */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import type { Seq, StoredRecord } from '@rejoin/core'

export function encodeRecord(prev: Seq, body: Uint8Array): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, prev)
    encoding.writeUint8Array(encoder, body)
  })
}

export function decodeRecord(seq: Seq, value: Uint8Array): StoredRecord {
  const decoder = decoding.createDecoder(value)
  return { seq, prev: decoding.readVarUint(decoder), body: decoding.readTailAsUint8Array(decoder) }
}
