/**
 * Namespaces in which something is damaged: closed for writing, so that nothing covers the damage up, until they are
 * removed. What was damaged is kept aside as it was found, when it is first met, and outlives the removal. Both are in the
 * database: `hub!damage!NS` says that it is closed and why, `hub!damaged!NS!KEY` holds the bytes.
 */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { SyncError, type Namespace } from '@rejoin/core'
import type { SealedDatabase } from '../sealed-database.ts'
import { isCorrupt } from '../sealed-value.ts'
import { hubKeys } from './hub-keys.ts'

/** What of a batch is needed here. */
interface Draft {
  put(key: string, body: Uint8Array): void
  delete(key: string): void
}

/** Values kept aside of one namespace; of more, the first ones are enough to tell what happened. */
const keptMax = 64
/** Of one value. */
const keptBytesMax = 8 * 1024 * 1024

export class NamespaceDamage {
  readonly #database: SealedDatabase
  readonly #known = new Map<Namespace, { readonly error: SyncError; readonly keys: Set<string> }>()
  #removals = 0
  /** Set by the store: runs a job of the writer, which hears of no failure. */
  keep: (job: (draft: Draft) => Promise<void>) => void = () => {}

  constructor(database: SealedDatabase) {
    this.#database = database
  }

  /** What was met first in the namespace, or null; known once its state was read. */
  of(namespace: Namespace): SyncError | null {
    return this.#known.get(namespace)?.error ?? null
  }

  /** @throws SyncError STORE_CORRUPT while the namespace is closed for writing. */
  checkWritable(namespace: Namespace): void {
    const known = this.#known.get(namespace)
    if (known !== undefined) throw closed(namespace, known.error)
  }

  /** Reads something of a namespace, and takes note where it turns out to be damaged. */
  async watch<T>(namespace: Namespace, read: () => Promise<T>): Promise<T> {
    const removals = this.#removals
    try {
      return await read()
    } catch (error) {
      // A removal meanwhile: then what was read may be gone.
      if (error instanceof SyncError && isCorrupt(error) && removals === this.#removals)
        this.meet(namespace, error)
      throw error
    }
  }

  meet(namespace: Namespace, error: SyncError): void {
    const known = this.#known.get(namespace) ?? { error, keys: new Set() }
    this.#known.set(namespace, known)
    const key = error.path ?? hubKeys.state(namespace)
    if (known.keys.has(key) || known.keys.size >= keptMax) return
    known.keys.add(key)
    this.keep((draft) => this.#keepAside(draft, namespace, key, error))
  }

  /** What an earlier opening of the store met. */
  async load(namespace: Namespace): Promise<void> {
    const error = await this.#stored(namespace)
    if (error !== null && !this.#known.has(namespace)) this.#known.set(namespace, { error, keys: new Set() })
  }

  /** Part of a removal: what is created anew is whole. What was kept aside stays. */
  end(draft: Draft, namespace: Namespace): void {
    draft.delete(hubKeys.damage(namespace))
  }

  ended(namespace: Namespace): void {
    this.#removals += 1
    this.#known.delete(namespace)
  }

  async #keepAside(draft: Draft, namespace: Namespace, key: string, error: SyncError): Promise<void> {
    // Removed before its turn came.
    if (!this.#known.has(namespace)) return
    await this.keepAside(draft, namespace, key, error)
  }

  /** Part of a batch: whoever opens the store from then on finds the namespace closed. */
  close(draft: Draft, namespace: Namespace, error: SyncError): void {
    draft.put(hubKeys.damage(namespace), encodeError(error))
  }

  /** The same, and what stands damaged under `key` is kept, where there is room for it. */
  async keepAside(draft: Draft, namespace: Namespace, key: string, error: SyncError): Promise<void> {
    this.close(draft, namespace, error)
    const kept = await this.#database.keys(hubKeys.damagedRange(namespace))
    const aside = hubKeys.damaged(namespace, key)
    if (kept.includes(aside) || kept.length >= keptMax) return
    const bytes = (await this.#database.sealed(key).catch(nullWhereCorrupt)) ?? new Uint8Array(0)
    const body = encoding.encode((encoder) => {
      writeError(encoder, error)
      encoding.writeVarUint(encoder, bytes.length)
      encoding.writeUint8Array(encoder, bytes.subarray(0, keptBytesMax))
    })
    draft.put(aside, body)
  }

  async #stored(namespace: Namespace): Promise<SyncError | null> {
    try {
      const entry = await this.#database.get(hubKeys.damage(namespace))
      return entry === null ? null : readError(decoding.createDecoder(entry.body))
    } catch (error) {
      // That it is there says enough.
      if (error instanceof SyncError && isCorrupt(error)) return error
      throw error
    }
  }
}

/** In a table that LevelDB cannot read there are no bytes to keep. */
function nullWhereCorrupt(error: unknown): null {
  if (isCorrupt(error)) return null
  throw error
}

function closed(namespace: Namespace, { message, path }: SyncError): SyncError {
  const options = path === null ? {} : { path }
  return new SyncError(
    'STORE_CORRUPT',
    `namespace ${namespace} is closed for writing, since ${message}`,
    options,
  )
}

export function encodeError(error: SyncError): Uint8Array {
  return encoding.encode((encoder) => writeError(encoder, error))
}

function writeError(encoder: encoding.Encoder, error: SyncError): void {
  encoding.writeVarString(encoder, error.path ?? '')
  encoding.writeVarString(encoder, error.message)
}

function readError(decoder: decoding.Decoder): SyncError {
  const path = decoding.readVarString(decoder)
  const message = decoding.readVarString(decoder)
  return new SyncError('STORE_CORRUPT', message, path === '' ? {} : { path })
}
