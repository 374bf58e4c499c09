/** Stored values of the outbox: commits and rejected commits, ops as JSON text. */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { isErrorCode, isHlc, type AnyOp, type Commit, type Hlc, type RejectedCommit } from '@rejoin/core'
import { corrupt, readBody } from '../sealed-value.ts'

export function encodeCommit(commit: Commit): Uint8Array {
  return encoding.encode((encoder) => writeCommit(encoder, commit))
}

export function encodeRejected({ commit, code, message, path }: RejectedCommit): Uint8Array {
  return encoding.encode((encoder) => {
    writeCommit(encoder, commit)
    encoding.writeVarString(encoder, code)
    encoding.writeVarString(encoder, message)
    writeOptional(encoder, path)
  })
}

/** @throws SyncError STORE_CORRUPT */
export function decodeCommit(key: string, body: Uint8Array): Commit {
  return readBody(key, () => readCommit(decoding.createDecoder(body), key))
}

/** @throws SyncError STORE_CORRUPT */
export function decodeRejected(key: string, body: Uint8Array): RejectedCommit {
  return readBody(key, () => readRejected(decoding.createDecoder(body), key))
}

function readRejected(decoder: decoding.Decoder, key: string): RejectedCommit {
  const commit = readCommit(decoder, key)
  const code = decoding.readVarString(decoder)
  if (!isErrorCode(code)) throw corrupt(key, `names ${code}, which is no error code`)
  return { commit, code, message: decoding.readVarString(decoder), path: readOptional(decoder) }
}

export function writeOptional(encoder: encoding.Encoder, text: string | null): void {
  encoding.writeUint8(encoder, text === null ? 0 : 1)
  if (text !== null) encoding.writeVarString(encoder, text)
}

export function readOptional(decoder: decoding.Decoder): string | null {
  return decoding.readUint8(decoder) === 0 ? null : decoding.readVarString(decoder)
}

/** @throws SyncError STORE_CORRUPT */
export function storedHlc(key: string, text: string): Hlc {
  if (!isHlc(text)) throw corrupt(key, 'holds no HLC stamp where one belongs')
  return text
}

function writeCommit(encoder: encoding.Encoder, commit: Commit): void {
  encoding.writeVarString(encoder, commit.id.replica)
  encoding.writeVarUint(encoder, commit.id.counter)
  encoding.writeVarUint(encoder, commit.prev)
  encoding.writeVarString(encoder, commit.hlc)
  encoding.writeVarUint(encoder, commit.domainVersion)
  encoding.writeVarString(encoder, JSON.stringify(commit.ops))
  encoding.writeVarUint8Array(encoder, commit.update)
}

function readCommit(decoder: decoding.Decoder, key: string): Commit {
  return {
    id: { replica: decoding.readVarString(decoder), counter: decoding.readVarUint(decoder) },
    prev: decoding.readVarUint(decoder),
    hlc: storedHlc(key, decoding.readVarString(decoder)),
    domainVersion: decoding.readVarUint(decoder),
    // The seal vouches that these are the ops that were encoded above.
    ops: JSON.parse(decoding.readVarString(decoder)) as readonly AnyOp[],
    update: decoding.readVarUint8Array(decoder),
  }
}
