/**
 * One value for the whole hub store: its incarnation, how many batches there were, and the sum over the states of all namespaces. Every batch writes it,
 * so a batch that LevelDB dropped from the middle of its log (`HAZARDS.md` F4: in silence) no longer adds up.
 */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { corrupt, isCorrupt, readBody, seal } from '../sealed-value.ts'
import type { Change, SealedDatabase } from '../sealed-database.ts'
import { hubKeys } from './hub-keys.ts'
import { encodeError } from './namespace-damage.ts'
import { readState } from './namespace-state.ts'

export interface StoreRecord {
  readonly incarnation: string
  /** How many batches there were, this one included. */
  readonly batches: number
  /** Exclusive or of the checksums of all namespace states. */
  readonly sum: number
}

export function storeRecordChange(record: StoreRecord): Change {
  return { key: hubKeys.store, value: seal(hubKeys.store, encodeStoreRecord(record)) }
}

export function encodeStoreRecord(record: StoreRecord): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarString(encoder, record.incarnation)
    encoding.writeVarUint(encoder, record.batches)
    encoding.writeUint32(encoder, record.sum >>> 0)
  })
}

export async function readStoreRecord(database: SealedDatabase): Promise<StoreRecord | null> {
  const entry = await database.get(hubKeys.store)
  return entry === null ? null : decodeStoreRecord(entry.body)
}

/** @throws SyncError STORE_CORRUPT */
export function decodeStoreRecord(body: Uint8Array): StoreRecord {
  const decoder = decoding.createDecoder(body)
  return readBody(hubKeys.store, () => ({
    incarnation: decoding.readVarString(decoder),
    batches: decoding.readVarUint(decoder),
    sum: decoding.readUint32(decoder),
  }))
}

/**
 * Reads the state of every namespace and compares their sum with the record's. A namespace whose own state is damaged
 * fails alone, when it is touched: then there is nothing to compare, and the sum of the others goes on.
 * @throws SyncError STORE_CORRUPT when a batch is missing.
 */
export async function checkSum(database: SealedDatabase, record: StoreRecord): Promise<StoreRecord> {
  const { sum, damaged } = await sumOfStates(database)
  if (sum === record.sum || damaged) return { ...record, sum }
  throw corrupt(
    hubKeys.store,
    `does not match the states of the namespaces, so a batch of writes is missing from ${database.name}`,
  )
}

/**
 * Writes the record of a store as it is, with whatever was lost: what it holds is older than what was answered. Every
 * namespace is closed for writing in the same batch, until its log was told so.
 */
export async function acceptStore(
  database: SealedDatabase,
  incarnation: string,
  batchesMin: number,
): Promise<StoreRecord> {
  const found = await readStoreRecord(database).catch((error: unknown) => {
    if (isCorrupt(error)) return null
    throw error
  })
  const batches = Math.max(found?.batches ?? 0, batchesMin) + 1
  const record = { incarnation, batches, sum: (await sumOfStates(database)).sum }
  const changes: Change[] = [storeRecordChange(record)]
  const why = corrupt(hubKeys.store, 'was lost or did not match, and was made anew')
  for await (const [key, sealed] of database.sealedEntries(hubKeys.states)) {
    if (readState(key, sealed)?.state.kind === 'removed') continue
    const closing = hubKeys.damage(hubKeys.namespaceOfState(key))
    changes.push({ key: closing, value: seal(closing, encodeError(why)) })
  }
  for (const key of await lossNotes(database)) changes.push({ key, value: seal(key, new Uint8Array(0)) })
  await database.write(changes)
  return record
}

/** That each namespace's log is to be told of a loss, as values of a batch. */
export async function lossNotes(database: SealedDatabase): Promise<readonly string[]> {
  const keys: string[] = []
  for await (const [key, sealed] of database.sealedEntries(hubKeys.states)) {
    if (readState(key, sealed)?.state.kind !== 'removed')
      keys.push(hubKeys.untold(hubKeys.namespaceOfState(key)))
  }
  return keys
}

/**
 * Of a store with fewer batches than were written the rest went with the power: each log is to be told so, by whoever serves
 * it, however many look at the store before. The record after that.
 */
export async function noteLossAtOpening(
  database: SealedDatabase,
  record: StoreRecord,
  batchesWritten: number,
): Promise<StoreRecord> {
  if (record.batches >= batchesWritten) return record
  const noted = { ...record, batches: record.batches + 1 }
  const notes = (await lossNotes(database)).map((key) => ({ key, value: seal(key, new Uint8Array(0)) }))
  await database.write([storeRecordChange(noted), ...notes])
  return noted
}

async function sumOfStates(database: SealedDatabase): Promise<{ sum: number; damaged: boolean }> {
  let sum = 0
  let damaged = false
  for await (const [key, sealed] of database.sealedEntries(hubKeys.states)) {
    const known = readState(key, sealed)
    if (known === null) damaged = true
    else sum ^= known.checksum
  }
  return { sum: sum >>> 0, damaged }
}
