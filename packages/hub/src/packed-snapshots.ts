/**
 * Snapshots as they travel packed, made once for each checkpoint and kept for whoever needs the same, up to a bound; where
 * packing does not save enough, fails, or as many are being packed already as may be, they travel as they are: nobody waits
 * for the packing of another document.
 */
import { limits, type Cursor, type Namespace } from '@rejoin/core'
import { type CatchUpSnapshot } from './catch-up.ts'
import { type HubLog } from './log-event.ts'

/** Packs in the zlib format, RFC 1950; off the main thread where it can. */
export type PackSnapshot = (snapshot: Uint8Array) => Promise<Uint8Array>

interface Kept {
  readonly cursor: Cursor
  /** Null: it travels as it is. */
  readonly packed: Promise<Uint8Array | null>
  /** 0 while it is being packed. */
  bytes: number
}

export class PackedSnapshots {
  readonly #pack: PackSnapshot | null
  readonly #log: HubLog
  readonly #bytesMax: number
  /** The one used longest ago first. */
  readonly #kept = new Map<Namespace, Kept>()
  #bytes = 0
  #packings = 0

  /** @param pack null: nothing is packed. */
  constructor(pack: PackSnapshot | null, log: HubLog, bytesMax: number = limits.packedBytesMax) {
    this.#pack = pack
    this.#log = log
    this.#bytesMax = bytesMax
  }

  /** Null where it travels as it is. Never rejects. */
  of(namespace: Namespace, { cursor, snapshot }: CatchUpSnapshot): Promise<Uint8Array | null> {
    if (this.#pack === null || snapshot.length < limits.packedBytesMin) return Promise.resolve(null)
    const known = this.#kept.get(namespace)
    const isSame = known?.cursor.epoch === cursor.epoch && known.cursor.seq === cursor.seq
    // Not kept: whoever comes next may find room.
    if (!isSame && this.#packings >= limits.packingsMax) return Promise.resolve(null)
    const kept = isSame ? known : this.#begin(namespace, cursor, snapshot, this.#pack)
    this.#forget(namespace)
    this.#keep(namespace, kept)
    return kept.packed
  }

  #begin(namespace: Namespace, cursor: Cursor, snapshot: Uint8Array, pack: PackSnapshot): Kept {
    const packed = this.#packed(namespace, snapshot, pack)
    const kept: Kept = { cursor, packed, bytes: 0 }
    void packed.then((result) => {
      if (this.#kept.get(namespace) !== kept) return
      this.#forget(namespace)
      kept.bytes = result?.length ?? 0
      this.#keep(namespace, kept)
    })
    return kept
  }

  async #packed(namespace: Namespace, snapshot: Uint8Array, pack: PackSnapshot): Promise<Uint8Array | null> {
    this.#packings++
    try {
      const packed = await pack(snapshot)
      return packed.length <= snapshot.length * SAVING_MAX ? packed : null
    } catch (error) {
      this.#log({
        level: 'warn',
        namespace,
        message: 'a snapshot could not be packed, it is sent as it is',
        error,
      })
      return null
    } finally {
      this.#packings--
    }
  }

  #keep(namespace: Namespace, kept: Kept): void {
    this.#kept.set(namespace, kept)
    this.#bytes += kept.bytes
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#bytesMax && this.#kept.size <= limits.packedSnapshotsMax) return
      this.#forget(oldest)
    }
  }

  #forget(namespace: Namespace): void {
    this.#bytes -= this.#kept.get(namespace)?.bytes ?? 0
    this.#kept.delete(namespace)
  }
}

/** Of the bytes as they are: below that the work of both sides is not worth it. */
const SAVING_MAX = 0.9
