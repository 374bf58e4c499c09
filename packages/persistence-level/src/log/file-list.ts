/** LevelDB's list of its files: what the edits in its MANIFEST, one after the other, come to. */
import * as decoding from 'lib0/decoding'

export interface FileList {
  /** Logs with a smaller number are in tables. LevelDB deletes none from this number on, so it is there. */
  readonly oldestLog: number
  /** A log that is read all the same: of databases that very old releases of LevelDB wrote. 0 for none. */
  readonly previousLog: number
  /** The number that LevelDB gives next; files with larger ones it writes over. */
  readonly nextFile: number
  /** The tables that hold the content, by their numbers. */
  readonly tables: ReadonlyMap<number, ListedTable>
}

export interface ListedTable {
  /** On 0 one with a larger number is the newer; of one key what is on a smaller level is the newer. */
  readonly level: number
  /** Its smallest and its largest key. */
  readonly from: Uint8Array
  readonly to: Uint8Array
}

/** Behind each key: the number of the write, and what it is. */
const NUMBER_BYTES = 8

export class FileListReading {
  readonly #numbers = new Map<number, number>()
  /** An edit may take a table from one level and put it on another. */
  readonly #tables = new Map<number, ListedTable>()
  #isRefused = false

  /** A whole record of a MANIFEST. */
  take(edit: Uint8Array): void {
    if (this.#isRefused) return
    try {
      this.#take(decoding.createDecoder(edit))
    } catch {
      this.#isRefused = true
    }
  }

  /** Null where LevelDB refuses the list, and opens nothing. */
  end(): FileList | null {
    const oldestLog = this.#numbers.get(fields.oldestLog)
    const nextFile = this.#numbers.get(fields.nextFile)
    const hasSequence = this.#numbers.has(fields.lastSequence)
    if (this.#isRefused || oldestLog === undefined || nextFile === undefined || !hasSequence) return null
    const previousLog = this.#numbers.get(fields.previousLog) ?? 0
    return { oldestLog, previousLog, nextFile, tables: this.#tables }
  }

  #take(decoder: decoding.Decoder): void {
    const added: (readonly [table: number, listed: ListedTable])[] = []
    while (decoding.hasContent(decoder)) {
      const field = decoding.readVarUint(decoder)
      switch (field) {
        case fields.comparator:
          decoding.readVarUint8Array(decoder)
          break
        case fields.oldestLog:
        case fields.previousLog:
        case fields.nextFile:
        case fields.lastSequence:
          this.#numbers.set(field, decoding.readVarUint(decoder))
          break
        case fields.compactedUpTo:
          decoding.readVarUint(decoder)
          decoding.readVarUint8Array(decoder)
          break
        case fields.tableGone: {
          const level = decoding.readVarUint(decoder)
          const table = decoding.readVarUint(decoder)
          if (this.#tables.get(table)?.level === level) this.#tables.delete(table)
          break
        }
        case fields.tableAdded: {
          const level = decoding.readVarUint(decoder)
          const table = decoding.readVarUint(decoder)
          // Its size.
          decoding.readVarUint(decoder)
          const key = (): Uint8Array => decoding.readVarUint8Array(decoder).slice(0, -NUMBER_BYTES)
          added.push([table, { level, from: key(), to: key() }])
          break
        }
        default:
          this.#isRefused = true
          return
      }
    }
    // After what goes, in whichever order they stand.
    for (const [table, listed] of added) this.#tables.set(table, listed)
  }
}

const fields = {
  comparator: 1,
  oldestLog: 2,
  nextFile: 3,
  lastSequence: 4,
  compactedUpTo: 5,
  tableGone: 6,
  tableAdded: 7,
  previousLog: 9,
} as const
