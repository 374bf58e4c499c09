/**
 * What is in a database that nobody has open, read from its files past LevelDB, which never sees what is damaged: it may take that for
 * content, or end the process over it. Of each key the newest write counts, and a deletion hides what is older. Where a block is
 * damaged a newer write may be in it of any key that it can hold: what is older is shown then, and asked for by its key it is
 * STORE_CORRUPT, as in `DatabaseMoment`.
 */
import { basename, join } from 'node:path'
import { SyncError } from '@rejoin/core'
import type { KeyRange } from '../level-database.ts'
import { liveFiles, type LiveFiles, type LiveTable } from '../log/live-files.ts'
import { readLogWrites } from '../log/log-writes.ts'
import { TableCursor, type FoundWrite, type TableName, type WriteSource } from '../log/table-cursor.ts'
import { tableDamage, type DamagedBlock } from '../log/table-file.ts'
import { corrupt } from '../sealed-value.ts'

/** Asked of, and in the order of their bytes. */
const [encoder, decoder] = [new TextEncoder(), new TextDecoder()]
const LOGS = -1

interface Doubt extends DamagedBlock {
  readonly file: string
  readonly rank: number
}

export class FileMoment {
  readonly #sources: readonly WriteSource[]
  readonly #doubts: readonly Doubt[]
  /** In the order of their keys. */
  readonly #logged: readonly FoundWrite[]
  /** The newest write of the key that was shown last. */
  #shown: FoundWrite | null = null

  private constructor(
    sources: readonly WriteSource[],
    doubts: readonly Doubt[],
    logged: readonly FoundWrite[],
  ) {
    this.#sources = sources
    this.#doubts = doubts
    this.#logged = logged
  }

  /** @throws SyncError STORE_CORRUPT where the list of its files does not read, or names one that is not there */
  static async open(database: string): Promise<FileMoment> {
    const live = await liveFiles(database)
    const missing = live?.missingTables[0] ?? null
    if (live === null || missing !== null) throw withoutFile(database, missing)
    const sources = sourcesOf(database, live)
    const doubts: Doubt[] = []
    for (const { rank, files } of sources)
      for (const { path, from, to } of files)
        for (const each of await tableDamage(path))
          if (each.kind === 'data')
            doubts.push({ ...each, file: path, rank, from: each.from ?? from, to: each.to ?? to })
    const logged = new Map<string, FoundWrite>()
    for (const log of live.logs)
      await readLogWrites(join(database, log), (entry) =>
        logged.set(decoder.decode(entry.key), { ...entry, rank: LOGS, file: null, at: 0 }),
      )
    return new FileMoment(sources, doubts, [...logged.values()].toSorted(byKey))
  }

  /** Nothing is hidden by a damaged block: every value is as it was written. */
  get isWhole(): boolean {
    return this.#doubts.length === 0
  }

  /** In order; where it is not whole also older values, and such as are gone. */
  async *entries(range: KeyRange): AsyncGenerator<[key: string, shown: Uint8Array], void, undefined> {
    for await (const write of this.#writes(encoder.encode(range.gt ?? range.gte ?? ''))) {
      const key = decoder.decode(write.key)
      if (key === range.gt) continue
      if (!isUpTo(write.key, range)) return
      if (write.value === null) continue
      this.#shown = write
      yield [key, write.value]
    }
  }

  /** Null where there is none. @throws SyncError STORE_CORRUPT where a newer one may be in a damaged block */
  async sealed(key: string): Promise<Uint8Array | null> {
    const bytes = encoder.encode(key)
    const newest =
      this.#shown !== null && isSame(this.#shown.key, bytes) ? this.#shown : await this.#newest(bytes)
    const doubt = this.#doubts.find((each) => mayHoldNewer(each, bytes, newest))
    if (doubt === undefined) return newest?.value ?? null
    throw corrupt(key, `may be in the ${doubt.bytes} damaged bytes at ${doubt.at} of ${basename(doubt.file)}`)
  }

  close(): Promise<void> {
    this.#shown = null
    return Promise.resolve()
  }

  async #newest(key: Uint8Array): Promise<FoundWrite | null> {
    for await (const write of this.#writes(key)) return isSame(write.key, key) ? write : null
    return null
  }

  /** The newest of each key, in order, from that key on. */
  async *#writes(from: Uint8Array): AsyncGenerator<FoundWrite, void, undefined> {
    const cursors = [
      new LoggedCursor(this.#logged, from),
      ...this.#sources.map((each) => new TableCursor(each, from)),
    ]
    let before: FoundWrite | null = null
    try {
      for (;;) {
        let newest: FoundWrite | null = null
        for (const cursor of cursors) {
          const head = await cursor.head()
          if (head !== null && (newest === null || isFirst(head, newest))) newest = head
        }
        if (newest === null) return
        if (before !== null && byKey(newest, before) <= 0) throw disorderly(newest)
        before = newest
        yield newest
        for (const cursor of cursors) await skip(cursor, newest.key)
      }
    } finally {
      for (const cursor of cursors) await cursor.close()
    }
  }
}

interface Cursor {
  head(): Promise<FoundWrite | null>
  step(): void
  close(): Promise<void>
}

class LoggedCursor implements Cursor {
  readonly #writes: readonly FoundWrite[]
  #next: number

  constructor(writes: readonly FoundWrite[], from: Uint8Array) {
    const first = writes.findIndex(({ key }) => Buffer.compare(key, from) >= 0)
    this.#writes = writes
    this.#next = first === -1 ? writes.length : first
  }

  head(): Promise<FoundWrite | null> {
    return Promise.resolve(this.#writes[this.#next] ?? null)
  }

  step(): void {
    this.#next += 1
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

async function skip(cursor: Cursor, key: Uint8Array): Promise<void> {
  for (let head = await cursor.head(); head !== null && isSame(head.key, key); head = await cursor.head())
    cursor.step()
}

/** Tables on level 0 may hold the same keys, the newer of them the newer writes; those on any other level follow each other. */
function sourcesOf(database: string, { tables }: LiveFiles): readonly WriteSource[] {
  const levels = new Map<number, ListedLive[]>()
  for (const table of listed(tables)) {
    const { level } = table.listed
    levels.set(level, [...(levels.get(level) ?? []), table])
  }
  const groups = Array.from(levels)
    .toSorted(([a], [b]) => a - b)
    .flatMap(([level, each]) =>
      level > 0
        ? [each.toSorted((a, b) => byRange(a.listed, b.listed))]
        : each
            .toSorted((a, b) => Number.parseInt(b.name, 10) - Number.parseInt(a.name, 10))
            .map((one) => [one]),
    )
  return groups.map((group, rank) => ({
    rank,
    files: group.map(({ name, listed: { from, to } }): TableName => ({
      path: join(database, name),
      from,
      to,
    })),
  }))
}

type ListedLive = LiveTable & { readonly listed: NonNullable<LiveTable['listed']> }

function listed(tables: readonly LiveTable[]): readonly ListedLive[] {
  return tables.filter((table): table is ListedLive => table.listed !== null)
}

function byRange(a: ListedLive['listed'], b: ListedLive['listed']): number {
  return Buffer.compare(a.from, b.from) || Buffer.compare(a.to, b.to)
}

/** Of one table the newer write of a key stands before the older one. */
function mayHoldNewer(doubt: Doubt, key: Uint8Array, newest: FoundWrite | null): boolean {
  if (doubt.from !== null && Buffer.compare(key, doubt.from) < 0) return false
  if (doubt.to !== null && Buffer.compare(key, doubt.to) > 0) return false
  if (newest === null || newest.rank > doubt.rank) return true
  return newest.rank === doubt.rank && (newest.file !== doubt.file || newest.at > doubt.at)
}

/** Whether it comes before the other one: by its key, and of the same key the newer one. */
function isFirst(write: FoundWrite, other: FoundWrite): boolean {
  const order = byKey(write, other)
  return order < 0 || (order === 0 && write.sequence > other.sequence)
}

function byKey(a: FoundWrite, b: FoundWrite): number {
  return Buffer.compare(a.key, b.key)
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

function isUpTo(key: Uint8Array, { lt, lte }: KeyRange): boolean {
  if (lt !== undefined) return Buffer.compare(key, encoder.encode(lt)) < 0
  return lte === undefined || Buffer.compare(key, encoder.encode(lte)) <= 0
}

/** Nobody could say which of two is the newer one. */
function disorderly({ key, file, at }: FoundWrite): SyncError {
  const where = `the block at ${at} of ${basename(file ?? 'a log')}`
  return corrupt(decoder.decode(key), `is out of order in ${where}, which matches its checksum all the same`)
}

function withoutFile(database: string, missing: string | null): SyncError {
  const why = missing === null ? 'the list of its files does not read' : `it has lost ${missing}`
  return new SyncError(
    'STORE_CORRUPT',
    `${database} is damaged: ${why}; \`rejoin repair\` makes it anew where that is possible`,
  )
}
