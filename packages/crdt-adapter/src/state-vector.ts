/** State vectors: which items a document holds, as Yjs writes it. Those of strangers are read strictly and bounded (`HAZARDS.md` A10). */
import { limits, type ClientClocks, type ClientId } from '@rejoin/core'
import { createEncoder, toUint8Array, writeVarUint } from 'lib0/encoding'
import { ByteReader } from './byte-reader.ts'

/** @throws SyncError UPDATE_MALFORMED */
export function readStateVector(bytes: Uint8Array): ClientClocks {
  const reader = new ByteReader(bytes, 'state vector')
  const count = reader.count(2)
  if (count > limits.stateVectorClientsMax) throw reader.malformed(`it names ${count} clients`)
  const clocks = new Map<ClientId, number>()
  for (let i = 0; i < count; i++) {
    const client = reader.uint(2 ** 32 - 1)
    if (clocks.has(client)) throw reader.malformed(`client ${client} is named twice`)
    clocks.set(client, reader.uint())
  }
  reader.end()
  return clocks
}

/** In falling order of client, as Yjs writes it. */
export function encodeStateVector(clocks: ClientClocks): Uint8Array {
  const out = createEncoder()
  const written = [...clocks].filter(([, clock]) => clock > 0).sort(([a], [b]) => b - a)
  writeVarUint(out, written.length)
  for (const [client, clock] of written) {
    writeVarUint(out, client)
    writeVarUint(out, clock)
  }
  return toUint8Array(out)
}
