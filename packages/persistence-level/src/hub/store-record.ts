/**
 * One value for the whole hub store: its incarnation, how many batches there were, and the sum over the states of all namespaces. Every batch writes it,
 * so a batch that LevelDB dropped from the middle of its log (`HAZARDS.md` F4: in silence) no longer adds up.
 */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { corrupt, seal } from '../sealed-value.ts'
import type { Change, SealedDatabase } from '../sealed-database.ts'
import { hubKeys } from './hub-keys.ts'
import { readState } from './namespace-state.ts'

export interface StoreRecord {
  readonly incarnation: string
  /** How many batches there were, this one included. */
  readonly batches: number
  /** Exclusive or of the checksums of all namespace states. */
  readonly sum: number
}

export function storeRecordChange(record: StoreRecord): Change {
  const body = encoding.encode((encoder) => {
    encoding.writeVarString(encoder, record.incarnation)
    encoding.writeVarUint(encoder, record.batches)
    encoding.writeUint32(encoder, record.sum >>> 0)
  })
  return { key: hubKeys.store, value: seal(hubKeys.store, body) }
}

export async function readStoreRecord(database: SealedDatabase): Promise<StoreRecord | null> {
  const entry = await database.get(hubKeys.store)
  if (entry === null) return null
  const decoder = decoding.createDecoder(entry.body)
  return {
    incarnation: decoding.readVarString(decoder),
    batches: decoding.readVarUint(decoder),
    sum: decoding.readUint32(decoder),
  }
}

/**
 * Reads the state of every namespace and compares their sum with the record's. A namespace whose own state is damaged
 * fails alone, when it is touched: then there is nothing to compare, and the sum of the others goes on.
 * @throws SyncError STORE_CORRUPT when a batch is missing.
 */
export async function checkSum(database: SealedDatabase, record: StoreRecord): Promise<StoreRecord> {
  let sum = 0
  let damaged = false
  for await (const [key, sealed] of database.sealedEntries(hubKeys.states)) {
    const known = readState(key, sealed)
    if (known === null) damaged = true
    else sum ^= known.checksum
  }
  sum >>>= 0
  if (sum === record.sum || damaged) return { ...record, sum }
  throw corrupt(
    hubKeys.store,
    `does not match the states of the namespaces, so a batch of writes is missing from ${database.name}`,
  )
}
