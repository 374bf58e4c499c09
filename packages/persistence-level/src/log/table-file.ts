/**
 * Reads a table of LevelDB (`NNNNNN.ldb`), a block at a time, and says which blocks are not what was written: LevelDB looks at no
 * checksum, as it is opened here, and may end the process over what it takes for content. A table is data blocks, a filter, a list of
 * filters, an index (the last key of each data block, and where that is), and a footer that says where those two are, each directly
 * behind the one before: so where the index is lost the blocks are found all the same, each by its checksum.
 */
import { open, type FileHandle } from 'node:fs/promises'
import * as decoding from 'lib0/decoding'
import { checkedEnd } from './crc32c.ts'
import {
  blockEntries,
  isMatching,
  readPlace,
  TRAILER_BYTES,
  type BlockEntry,
  type BlockPlace,
} from './table-block.ts'

export interface TableEntry {
  readonly key: Uint8Array
  /** LevelDB's number of the write: of two of one key the larger one is the newer. */
  readonly sequence: number
  /** Null where the key is deleted. */
  readonly value: Uint8Array | null
}

export interface DamagedBlock {
  readonly kind: 'data' | 'filter' | 'metaindex' | 'index' | 'footer'
  /** Where in the file it begins, and how long it is, with its trailer. */
  readonly at: number
  readonly bytes: number
  /** Of a data block: it holds no key before `from`, and none behind `to`; null where that is not known. */
  readonly from: Uint8Array | null
  readonly to: Uint8Array | null
}

/** A data block, whole or not, and between which keys it is. */
export type DataBlock = BlockPlace & Pick<DamagedBlock, 'from' | 'to'>

/** Two places, filled up with zeros, and what every table ends with. */
const FOOTER_BYTES = 48
const PLACES_BYTES = 40
const MAGIC = 0xdb4775248b80fb57n
/** Number of the write (7) and what it is (1) stand behind each key. */
const NUMBER_BYTES = 8
const DELETION = 0
const PUT = 1

/** What is not as it was written, of the whole file: its checksums are looked at, and no values. Errors are the system's. */
export async function tableDamage(path: string): Promise<readonly DamagedBlock[]> {
  const table = await TableFile.open(path)
  try {
    for (const block of table.blocks) await table.check(block)
    return table.damaged
  } finally {
    await table.close()
  }
}

/**
 * All entries of blocks that are whole, in order: of one key the newer one first.
 * @param damaged hears what is left out, and what else is damaged. Errors are the system's.
 */
export async function* readTable(
  path: string,
  damaged: (block: DamagedBlock) => void,
): AsyncGenerator<TableEntry, void, undefined> {
  const table = await TableFile.open(path)
  try {
    for (const block of table.blocks) yield* (await table.entries(block)) ?? []
    for (const block of table.damaged) damaged(block)
  } finally {
    await table.close()
  }
}

export class TableFile {
  readonly #file: FileHandle
  readonly #damaged = new Map<number, DamagedBlock>()
  #blocks: readonly DataBlock[] = []

  private constructor(file: FileHandle) {
    this.#file = file
  }

  /** A file that is no table at all is one of which all is damaged. */
  static async open(path: string): Promise<TableFile> {
    const table = new TableFile(await open(path, 'r'))
    try {
      await table.#readIndex()
      return table
    } catch (error) {
      await table.close()
      throw error
    }
  }

  /** Data blocks, in order. */
  get blocks(): readonly DataBlock[] {
    return this.#blocks
  }

  /** What was found to be, so far; of data blocks those that were read. */
  get damaged(): readonly DamagedBlock[] {
    return [...this.#damaged.values()].sort((a, b) => a.at - b.at)
  }

  /** Null where the block is not as it was written. */
  async entries(block: DataBlock): Promise<readonly TableEntry[] | null> {
    const found = blockEntries(await this.#stored(block))
    if (found !== null && found.every(isWrite)) return found.map(tableEntry)
    this.#note('data', block)
    return null
  }

  async check(block: DataBlock): Promise<void> {
    if (!isMatching(await this.#stored(block))) this.#note('data', block)
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  async #readIndex(): Promise<void> {
    const { size } = await this.#file.stat()
    const end = Math.max(0, size - FOOTER_BYTES)
    const footer = await this.#footer(end)
    if (footer === null) {
      this.#note('footer', { at: end, bytes: size - end - TRAILER_BYTES })
      return await this.#search(end)
    }
    const { index, metaindex } = footer
    const hasFilters = isMatching(await this.#stored(metaindex))
    if (!hasFilters) this.#note('metaindex', metaindex)
    const blocks = dataBlocks(blockEntries(await this.#stored(index)))
    if (blocks === null) {
      this.#note('index', index)
      return await this.#search(metaindex.at)
    }
    this.#blocks = blocks
    // All that is between the data and the list of filters is one, as they are made here.
    const at = dataEnd(blocks)
    const filter = { at, bytes: metaindex.at - at - TRAILER_BYTES }
    if (at !== metaindex.at && !isMatching(await this.#stored(filter))) this.#note('filter', filter)
  }

  /** Null where it does not read, or names places that are not where they are in a table. */
  async #footer(end: number): Promise<{ index: BlockPlace; metaindex: BlockPlace } | null> {
    const footer = await this.#read(end, FOOTER_BYTES)
    if (footer === null) return null
    if (new DataView(footer.buffer).getBigUint64(PLACES_BYTES, true) !== MAGIC) return null
    try {
      const decoder = decoding.createDecoder(footer.subarray(0, PLACES_BYTES))
      const [metaindex, index] = [readPlace(decoder), readPlace(decoder)]
      return endOf(metaindex) === index.at && endOf(index) === end ? { metaindex, index } : null
    } catch {
      return null
    }
  }

  /** Without an index: what is there up to `end`, where data ends, or all but the footer; a block ends at its checksum. */
  async #search(end: number): Promise<void> {
    const file = (await this.#read(0, end)) ?? new Uint8Array(0)
    const places: BlockPlace[] = []
    let at = 0
    for (let next = checkedEnd(file, at); next !== null; next = checkedEnd(file, at)) {
      places.push({ at, bytes: next - at - 1 })
      at = next + 4
    }
    const found = places.map((place) => ({ ...place, entries: blockEntries(storedIn(file, place)) }))
    // Where all is there but the footer it ends with the index.
    const indexed = at === end ? dataBlocks(found.at(-1)?.entries ?? null) : null
    const last = indexed?.at(-1)
    if (indexed !== null && last !== undefined && found.some((each) => endOf(each) === endOf(last))) {
      this.#blocks = indexed
      return
    }
    // A filter is no block of entries, and what is behind it is no data.
    const filter = found.findIndex(({ entries }) => entries === null || !entries.every(isWrite))
    const data = filter === -1 ? found : found.slice(0, filter)
    this.#blocks = data.map(({ at: begin, bytes, entries }) => {
      const [first, final] = [entries?.at(0), entries?.at(-1)]
      return { at: begin, bytes, from: userKey(first), to: userKey(final) }
    })
    if (at === end) return
    const from = this.#blocks.at(-1)?.to ?? null
    this.#note('data', { at, bytes: end - at - TRAILER_BYTES, from, to: null })
  }

  /** Of a place that is not in the file nothing: that matches no checksum. */
  async #stored({ at, bytes }: BlockPlace): Promise<Uint8Array> {
    return (await this.#read(at, bytes + TRAILER_BYTES)) ?? new Uint8Array(0)
  }

  async #read(at: number, bytes: number): Promise<Uint8Array | null> {
    const { size } = await this.#file.stat()
    if (at < 0 || bytes < 0 || at + bytes > size) return null
    const into = new Uint8Array(bytes)
    let done = 0
    while (done < bytes) {
      const { bytesRead } = await this.#file.read(into, done, bytes - done, at + done)
      if (bytesRead === 0) return null
      done += bytesRead
    }
    return into
  }

  #note(kind: DamagedBlock['kind'], { at, bytes, ...keys }: BlockPlace & Partial<DataBlock>): void {
    const { from = null, to = null } = keys
    this.#damaged.set(at, { kind, at, bytes: bytes + TRAILER_BYTES, from, to })
  }
}

/** Null where they are no index. LevelDB may shorten the last key of a block to one that is before the next block's first. */
function dataBlocks(index: readonly BlockEntry[] | null): readonly DataBlock[] | null {
  if (index === null || index.length === 0) return null
  const blocks: DataBlock[] = []
  for (const { key, value } of index) {
    const place = placeOf(value)
    const before = blocks.at(-1)
    if (place === null || key.length < NUMBER_BYTES || place.at !== dataEnd(blocks)) return null
    blocks.push({ ...place, from: before?.to ?? null, to: key.subarray(0, -NUMBER_BYTES) })
  }
  return blocks
}

function placeOf(value: Uint8Array): BlockPlace | null {
  try {
    const decoder = decoding.createDecoder(value)
    const place = readPlace(decoder)
    return decoding.hasContent(decoder) ? null : place
  } catch {
    return null
  }
}

function dataEnd(blocks: readonly BlockPlace[]): number {
  const last = blocks.at(-1)
  return last === undefined ? 0 : endOf(last)
}

function endOf({ at, bytes }: BlockPlace): number {
  return at + bytes + TRAILER_BYTES
}

function storedIn(file: Uint8Array, place: BlockPlace): Uint8Array {
  return file.subarray(place.at, endOf(place))
}

/** Of a key as it stands in a table. */
function isWrite({ key }: BlockEntry): boolean {
  const kind = key.at(-NUMBER_BYTES)
  return key.length >= NUMBER_BYTES && (kind === DELETION || kind === PUT)
}

function tableEntry({ key, value }: BlockEntry): TableEntry {
  const at = key.length - NUMBER_BYTES
  const number = new DataView(key.buffer, key.byteOffset + at, NUMBER_BYTES).getBigUint64(0, true)
  const isDeleted = key[at] === DELETION
  return { key: key.subarray(0, at), sequence: Number(number >> 8n), value: isDeleted ? null : value }
}

function userKey(entry: BlockEntry | undefined): Uint8Array | null {
  return entry?.key.subarray(0, -NUMBER_BYTES) ?? null
}
