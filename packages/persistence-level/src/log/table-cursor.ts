/** Goes through tables that follow each other, a block at a time: every entry knows in which block it stands. */
import { TableFile, type DataBlock, type TableEntry } from './table-file.ts'

/** Sorted writes: of one file or several, none of which holds a key that is before what the one before it holds. */
export interface WriteSource {
  /** Which is newer: of one key what is in a source of a smaller rank is newer than all in one of a larger. */
  readonly rank: number
  readonly files: readonly TableName[]
}

export interface TableName {
  readonly path: string
  /** Between which keys all of it is; null where nobody says so. */
  readonly from: Uint8Array | null
  readonly to: Uint8Array | null
}

export interface FoundWrite extends TableEntry {
  readonly rank: number
  /** Null for a log. */
  readonly file: string | null
  /** Where its block begins. */
  readonly at: number
}

interface OpenTable {
  readonly file: TableFile
  readonly path: string
  /** That are yet to come. */
  readonly blocks: DataBlock[]
}

export class TableCursor {
  readonly #source: WriteSource
  readonly #from: Uint8Array
  #files = 0
  #table: OpenTable | null = null
  #entries: readonly FoundWrite[] = []
  #next = 0

  /** @param from where it begins: no key before it is of interest. */
  constructor(source: WriteSource, from: Uint8Array) {
    this.#source = source
    this.#from = from
  }

  /** The entry that it stands at; null at the end. */
  async head(): Promise<FoundWrite | null> {
    for (;;) {
      const entry = this.#entries[this.#next]
      if (entry === undefined) {
        if (!(await this.#readBlock())) return null
      } else if (Buffer.compare(entry.key, this.#from) < 0) this.#next += 1
      else return entry
    }
  }

  /** To the next one. */
  step(): void {
    this.#next += 1
  }

  async close(): Promise<void> {
    const table = this.#table
    this.#table = null
    await table?.file.close()
  }

  /** False where there is no more. */
  async #readBlock(): Promise<boolean> {
    const table = this.#table ?? (await this.#openNext())
    if (table === null) return false
    const block = table.blocks.shift()
    if (block === undefined) {
      await this.close()
      return true
    }
    const { rank } = this.#source
    const found = (await table.file.entries(block)) ?? []
    this.#entries = found.map((entry) => ({ ...entry, rank, file: table.path, at: block.at }))
    this.#next = 0
    return true
  }

  async #openNext(): Promise<OpenTable | null> {
    let name = this.#source.files[this.#files++]
    while (name !== undefined && isBefore(name.to, this.#from)) name = this.#source.files[this.#files++]
    if (name === undefined) return null
    const file = await TableFile.open(name.path)
    this.#table = { file, path: name.path, blocks: file.blocks.filter(({ to }) => !isBefore(to, this.#from)) }
    return this.#table
  }
}

function isBefore(to: Uint8Array | null, key: Uint8Array): boolean {
  return to !== null && Buffer.compare(to, key) < 0
}
