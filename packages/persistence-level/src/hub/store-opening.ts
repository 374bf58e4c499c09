/** Opening a hub store: the record that is there and adds up, or a new one; a store that does not add up stays shut. */
import { SyncError } from '@rejoin/core'
import { noWitness, type BatchWitness } from '../batch-witness.ts'
import { claim } from '../claims.ts'
import { BareGate, type DatabaseGate } from '../gate/database-gate.ts'
import { durabilityOf } from '../gate/sync-policy.ts'
import type { LevelDatabase } from '../level-database.ts'
import { SealedDatabase } from '../sealed-database.ts'
import { corrupt, isCorrupt, tooShort } from '../sealed-value.ts'
import { hubKeys } from './hub-keys.ts'
import { LevelHubStore } from './hub-store.ts'
import {
  checkSum,
  noteLossAtOpening,
  readStoreRecord,
  storeRecordChange,
  type StoreRecord,
} from './store-record.ts'

export interface HubContentsOptions {
  /** What a new store is called: a text never used twice. A store that is there keeps its own. */
  readonly incarnation: string
  /** False: a database without a hub store is refused with STORE_CORRUPT instead of being taken as new. */
  readonly createIfMissing?: boolean
  /** For messages; `the hub store` where it is left out. */
  readonly name?: string
  /** Somebody outside the database who remembers how much there was. */
  readonly witness?: BatchWitness
  /** Hears what is wrong with a store that is damaged as a whole; it is opened in spite of that, and takes no writes. */
  readonly despite?: (fault: SyncError) => void
}

export interface HubStoreOptions extends HubContentsOptions {
  /** `each batch` (the default) asks the database to sync before a write is answered; what that means is its own. */
  readonly sync?: 'each batch' | 'never'
}

/**
 * Opens the hub store in `database` and takes it over: closing the store closes the database. Opening reads the state of
 * every namespace once.
 * @throws SyncError STORE_CORRUPT when a batch of writes is missing, FORMAT_TOO_NEW, STORE_LOCKED when it is open already,
 * STORE_UNAVAILABLE.
 */
export async function openHubStore(
  database: LevelDatabase,
  options: HubStoreOptions,
): Promise<LevelHubStore> {
  return await openHubStoreBehind(new BareGate(database, durabilityOf(options.sync ?? 'each batch')), options)
}

export async function openHubStoreBehind(
  gate: DatabaseGate,
  options: HubContentsOptions,
): Promise<LevelHubStore> {
  const name = options.name ?? 'the hub store'
  const release = claim(gate.database, 'hub', name)
  try {
    const sealed = new SealedDatabase(gate, name)
    await sealed.open()
    const record = await storeRecord(sealed, options).catch((error: unknown) => {
      if (options.despite === undefined || !(error instanceof SyncError) || !isCorrupt(error)) throw error
      options.despite(error)
      return null
    })
    const witness = options.witness ?? noWitness
    const noted = record === null ? null : await noteLossAtOpening(sealed, record, witness.batches)
    // Only now: a crash before it leaves the loss to be noted again.
    if (record !== null) witness.opened(record.batches)
    if (noted !== null && noted !== record) witness.written(noted.batches)
    const known = noted ?? { incarnation: options.incarnation, batches: 0, sum: 0 }
    const store = new LevelHubStore(sealed, gate.durability, known, witness, release)
    if (record === null) await store.refuseWrites()
    return store
  } catch (error) {
    release()
    throw error
  }
}

/** The record of the store that is there, or of a new one. */
async function storeRecord(database: SealedDatabase, options: HubContentsOptions): Promise<StoreRecord> {
  const found = await readStoreRecord(database)
  if (found !== null) {
    const batchesMin = options.witness?.batchesMin ?? 0
    if (found.batches < batchesMin) throw tooShort(hubKeys.store, database.name, found.batches, batchesMin)
    return await checkSum(database, found)
  }
  if (options.createIfMissing === false || (await database.lastKey({ gt: 'hub!', lt: 'hub!~' })) !== null) {
    throw corrupt(hubKeys.store, `is missing from ${database.name}`)
  }
  const record: StoreRecord = { incarnation: options.incarnation, batches: 1, sum: 0 }
  await database.write([storeRecordChange(record)])
  return record
}
