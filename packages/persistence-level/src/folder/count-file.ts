/**
 * The witness of a data folder: `rejoin.count`, one small sealed value that is overwritten in place after each batch. It is
 * not synced but on closing, and may always say less than the database holds (a lost write, a crash), never more, since
 * it is written after a batch is on the disk: so it raises no false alarm, and costs an acknowledgement nothing.
 */
import { open, readFile, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import type { BatchWitness } from '../batch-witness.ts'
import { seal, unseal } from '../sealed-value.ts'

export const COUNT = 'rejoin.count'

export class CountFile implements BatchWitness {
  readonly batchesMin: number
  readonly #handle: FileHandle
  #batches: number
  #recorded: number
  #recording: Promise<void> | null = null

  private constructor(handle: FileHandle, batchesMin: number) {
    this.#handle = handle
    this.batchesMin = batchesMin
    this.#batches = batchesMin
    this.#recorded = batchesMin
  }

  /** `isNew`: what an interrupted making of the folder left behind does not count. */
  static async open(folder: string, isNew: boolean): Promise<CountFile> {
    const path = join(folder, COUNT)
    const batchesMin = isNew ? 0 : await readCount(path)
    return new CountFile(await openInPlace(path), batchesMin)
  }

  written(batches: number): void {
    if (batches <= this.#batches) return
    this.#batches = batches
    // One that is running goes on to the newest number.
    this.#recording ??= this.#record()
  }

  async close(): Promise<void> {
    while (this.#recording !== null) await this.#recording
    // A witness that cannot be kept says less, which is allowed.
    await this.#handle.datasync().catch(() => {})
    await this.#handle.close()
  }

  async #record(): Promise<void> {
    while (this.#recorded < this.#batches) {
      const batches = this.#batches
      const value = seal(
        COUNT,
        encoding.encode((encoder) => encoding.writeBigUint64(encoder, BigInt(batches))),
      )
      await this.#handle.write(value, 0, value.length, 0).catch(() => {})
      this.#recorded = batches
    }
    this.#recording = null
  }
}

/** 0 where the file is missing or does not read: then nobody can tell. */
async function readCount(path: string): Promise<number> {
  try {
    return Number(decoding.readBigUint64(decoding.createDecoder(unseal(COUNT, await readFile(path)))))
  } catch {
    return 0
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
