/**
 * The witness of a data folder: `rejoin.count`, one small sealed value that is overwritten in place after each batch: how
 * many batches were synced, then how many were written. It is not synced but on closing, and may always say less than
 * there was (a lost write, a crash), never more, since it is written after the fact: so it raises no false alarm, and
 * costs an acknowledgement nothing.
 */
import { write } from 'node:fs'
import { open, readFile, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import type { BatchWitness } from '../batch-witness.ts'
import { seal, unseal } from '../sealed-value.ts'

export const COUNT = 'rejoin.count'

interface Counts {
  /** Batches that are on the disk whatever happens. */
  readonly synced: number
  /** Batches that were written; at least as many. */
  readonly written: number
}

export class CountFile implements BatchWitness {
  readonly batchesMin: number
  readonly #handle: FileHandle
  readonly #isEachSynced: boolean
  #counts: Counts
  #recorded: Counts
  #lost = 0
  #recording: Promise<void> | null = null

  private constructor(handle: FileHandle, isEachSynced: boolean, counts: Counts) {
    this.#handle = handle
    this.#isEachSynced = isEachSynced
    this.batchesMin = counts.synced
    this.#counts = counts
    this.#recorded = counts
  }

  /**
   * `isNew`: what an interrupted making of the folder left behind does not count. `isEachSynced`: a batch that is written
   * is synced.
   */
  static async open(folder: string, isNew: boolean, isEachSynced: boolean): Promise<CountFile> {
    const path = join(folder, COUNT)
    const counts = isNew ? { synced: 0, written: 0 } : await readCounts(path)
    return new CountFile(await openInPlace(path), isEachSynced, counts)
  }

  /** How many batches were written, as far as anybody said. */
  get batches(): number {
    return this.#counts.written
  }

  /** Batches that were written and not synced, and are gone: known once the store is open. */
  get batchesLost(): number {
    return this.#lost
  }

  opened(batches: number): void {
    this.#lost = Math.max(0, this.#counts.written - batches)
    const counts = { synced: this.#counts.synced, written: batches }
    // Whoever opened it has noted the loss where it outlives this file: the next one counts from here.
    if (this.#lost > 0) this.#become(counts)
    else this.#counts = counts
  }

  written(batches: number): void {
    if (batches <= this.#counts.written) return
    this.#become({ synced: this.#isEachSynced ? batches : this.#counts.synced, written: batches })
  }

  /** The first `batches` are on the disk. */
  synced(batches: number): void {
    if (batches > this.#counts.synced) this.#become({ ...this.#counts, synced: batches })
  }

  /** `isInOrder`: also brings it to the disk. */
  async close(isInOrder: boolean): Promise<void> {
    while (this.#recording !== null) await this.#recording
    // A witness that cannot be kept says less, which is allowed.
    if (isInOrder) await this.#handle.datasync().catch(() => {})
    await this.#handle.close()
  }

  #become(counts: Counts): void {
    this.#counts = counts
    // One that is running goes on to the newest number.
    this.#recording ??= this.#record()
  }

  async #record(): Promise<void> {
    while (this.#recorded !== this.#counts) {
      const counts = this.#counts
      await overwrite(this.#handle, seal(COUNT, encodeCounts(counts)))
      this.#recorded = counts
    }
    this.#recording = null
  }
}

/** By a callback, since it is done for every batch: a file handle's own `write` takes ten times as long. A failure is nobody's. */
function overwrite({ fd }: FileHandle, value: Uint8Array): Promise<void> {
  return new Promise((resolve) => write(fd, value, 0, value.length, 0, () => resolve()))
}

function encodeCounts({ synced, written }: Counts): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeBigUint64(encoder, BigInt(synced))
    encoding.writeBigUint64(encoder, BigInt(written))
  })
}

/** 0 where the file is missing or does not read: then nobody can tell. */
async function readCounts(path: string): Promise<Counts> {
  try {
    const decoder = decoding.createDecoder(unseal(COUNT, await readFile(path)))
    const synced = Number(decoding.readBigUint64(decoder))
    // Release 0.1 synced every batch, and wrote one number.
    const written = decoding.hasContent(decoder) ? Number(decoding.readBigUint64(decoder)) : synced
    return { synced, written }
  } catch {
    return { synced: 0, written: 0 }
  }
}

/** For writing at a place of its own, without cutting what is there. */
async function openInPlace(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return await open(path, 'w+')
    throw error
  }
}
