/**
 * The strict reader of Yjs V1 updates: the grammar of DESIGN section 3 and nothing else. It reads to the last byte before
 * anything is done with what it read, and never calls a Yjs decoder (HAZARDS part 1). A state update may carry several
 * client sections and runs of deleted items; `inspect.ts` narrows this to the update of one commit.
 */
import { checkKey, SyncError, type ClientId, type Entry, type Hlc, type ItemRange } from '@rejoin/core'
import { ByteReader, noText, TAG_ARRAY, TAG_TEXT, type LastText } from './byte-reader.ts'
import { checkStamp, checkTable, ROOT } from './element.ts'

export interface ItemId {
  readonly client: ClientId
  readonly clock: number
}

/** A run of items that were added together: live entries, or nothing but their length when they were deleted. */
export interface Run {
  readonly clock: number
  readonly length: number
  /** The item that the first of the run follows, or null at the start of the array. */
  readonly origin: ItemId | null
  readonly entries: readonly Entry[] | null
  /** Byte of the update where it starts, and how many it takes. */
  readonly at: number
  readonly bytes: number
}

/** What one client added: runs whose clocks follow each other. */
export interface Section {
  readonly client: ClientId
  readonly clock: number
  readonly length: number
  readonly runs: readonly Run[]
  readonly at: number
}

export interface DeletedRange extends ItemRange {
  readonly at: number
}

export interface StateUpdate {
  /** In falling order of client, each once. */
  readonly sections: readonly Section[]
  /** In falling order of client, then in rising order of clock, never touching. */
  readonly deleted: readonly DeletedRange[]
  /** Byte where those are told. */
  readonly deletedAt: number
}

/** Bounds on one update. */
export interface UpdateBounds {
  readonly entriesMax: number
  readonly deleteRangesMax: number
  /** Runs of items, whatever they hold; no bound where absent. */
  readonly runsMax?: number
}

const CLIENT_MAX = 2 ** 32 - 1
const HAS_ORIGIN = 0x80
const HAS_RIGHT_ORIGIN = 0x40
const HAS_PARENT_SUB = 0x20
const REF_MASK = 0x1f
const REF_DELETED = 1
const REF_ANY = 8
const REF_NAMES: ReadonlyMap<number, string> = new Map([
  [0, 'a collected struct'],
  [2, 'JSON content'],
  [3, 'binary content'],
  [4, 'text'],
  [5, 'an embed'],
  [6, 'a text format'],
  [7, 'a nested type'],
  [9, 'a subdocument'],
  [10, 'a skipped range'],
])
/** Bytes that the smallest section, struct, client of a delete set and range of it take. */
const SECTION_BYTES_MIN = 7
const STRUCT_BYTES_MIN = 4
const DELETE_CLIENT_BYTES_MIN = 4
const DELETE_RANGE_BYTES_MIN = 2

/** @throws SyncError UPDATE_MALFORMED when bytes do not read, UPDATE_DISALLOWED when they are not of the grammar. */
export function readStateUpdate(
  update: Uint8Array,
  bounds: UpdateBounds = { entriesMax: Infinity, deleteRangesMax: Infinity },
): StateUpdate {
  const reader = new ByteReader(update, 'update')
  const sections: Section[] = []
  let previous = CLIENT_MAX + 1
  let entriesLeft = bounds.entriesMax
  let runsLeft = bounds.runsMax ?? Infinity
  for (let left = reader.count(SECTION_BYTES_MIN); left > 0; left--) {
    const section = readSection(reader, previous, entriesLeft, runsLeft)
    sections.push(section)
    previous = section.client
    entriesLeft -= section.length
    runsLeft -= section.runs.length
  }
  const deletedAt = reader.at
  const deleted = readDeleteSet(reader, bounds.deleteRangesMax)
  reader.end()
  return { sections, deleted, deletedAt }
}

function readSection(reader: ByteReader, clientBelow: number, entriesMax: number, runsMax: number): Section {
  const at = reader.at
  const structs = reader.count(STRUCT_BYTES_MIN)
  if (structs === 0) throw reader.disallowed('a client section is empty', at)
  if (structs > runsMax) throw reader.disallowed('the update holds too many runs of items', at)
  const client = readClient(reader, clientBelow)
  const start = reader.uint()
  const runs: Run[] = []
  let clock = start
  for (let i = 0; i < structs; i++) {
    const run = readRun(reader, client, clock)
    runs.push(run)
    clock += run.length
    if (clock > Number.MAX_SAFE_INTEGER) throw reader.malformed('clocks rise above 2^53 - 1', run.at)
    if (clock - start > entriesMax) throw reader.disallowed('the update writes too many entries', run.at)
  }
  return { client, clock: start, length: clock - start, runs, at }
}

function readRun(reader: ByteReader, client: ClientId, clock: number): Run {
  const at = reader.at
  const info = reader.byte()
  const ref = info & REF_MASK
  if (ref !== REF_ANY && ref !== REF_DELETED) {
    const name = REF_NAMES.get(ref)
    if (name === undefined) throw reader.malformed(`${ref} is no kind of content`, at)
    throw reader.disallowed(`the update holds ${name}`, at)
  }
  if ((info & HAS_RIGHT_ORIGIN) !== 0) throw reader.disallowed('an item names the item to its right', at)
  if ((info & HAS_PARENT_SUB) !== 0) throw reader.disallowed('an item is a field of a map', at)
  const origin = (info & HAS_ORIGIN) === 0 ? readRoot(reader) : readOrigin(reader, client, clock)
  if (ref === REF_DELETED) {
    const length = reader.uint()
    if (length === 0) throw reader.malformed('a run of items is empty', at)
    return { clock, length, origin, entries: null, at, bytes: reader.at - at }
  }
  const length = reader.count(1)
  if (length === 0) throw reader.malformed('a run of items is empty', at)
  const entries: Entry[] = []
  const before: EntryBefore = { table: noText(), hlc: noText(), checkedTable: null, checkedHlc: null }
  for (let i = 0; i < length; i++) entries.push(readEntry(reader, before))
  return { clock, length, origin, entries, at, bytes: reader.at - at }
}

function readRoot(reader: ByteReader): null {
  const at = reader.at
  if (reader.uint() !== 1) throw reader.disallowed('an item is in a nested type', at)
  if (reader.text() !== ROOT) throw reader.disallowed(`an item is in another root than ${ROOT}`, at)
  return null
}

function readOrigin(reader: ByteReader, client: ClientId, clock: number): ItemId {
  const at = reader.at
  const origin = { client: reader.uint(CLIENT_MAX), clock: reader.uint() }
  if (origin.client === client && origin.clock >= clock) {
    throw reader.disallowed('an item follows itself or one that comes after it', at)
  }
  return origin
}

/** What the entry before said: mostly the next one has the same table and stamp, read and checked by then. */
interface EntryBefore {
  readonly table: LastText
  readonly hlc: LastText
  checkedTable: string | null
  checkedHlc: Hlc | null
}

function readEntry(reader: ByteReader, before: EntryBefore): Entry {
  const at = reader.at
  if (reader.byte() !== TAG_ARRAY) throw reader.disallowed('an item is no entry', at)
  const parts = reader.count(1)
  if (parts < 4) throw reader.disallowed('an entry has a table, a key, a value and a stamp', at)
  readTextTag(reader)
  const table = reader.textLike(before.table)
  const key: string[] = []
  for (let i = 1; i < parts - 2; i++) {
    readTextTag(reader)
    key.push(reader.text())
  }
  const value = reader.value()
  readTextTag(reader)
  const stamp = reader.textLike(before.hlc)
  try {
    before.checkedTable = table === before.checkedTable ? table : checkTable(table)
    checkKey(key)
    before.checkedHlc = stamp === before.checkedHlc ? before.checkedHlc : checkStamp(stamp)
  } catch (error) {
    if (error instanceof SyncError) throw reader.disallowed(error.message, at, error)
    throw error
  }
  return { table, key, value, hlc: before.checkedHlc }
}

function readTextTag(reader: ByteReader): void {
  const at = reader.at
  if (reader.byte() !== TAG_TEXT)
    throw reader.disallowed('an entry has something else where a text belongs', at)
}

function readDeleteSet(reader: ByteReader, rangesMax: number): readonly DeletedRange[] {
  const deleted: DeletedRange[] = []
  let previous = CLIENT_MAX + 1
  for (let left = reader.count(DELETE_CLIENT_BYTES_MIN); left > 0; left--) {
    const start = reader.at
    const client = readClient(reader, previous)
    previous = client
    const ranges = reader.count(DELETE_RANGE_BYTES_MIN)
    if (ranges === 0) throw reader.malformed('a client of the delete set has no ranges', start)
    if (deleted.length + ranges > rangesMax)
      throw reader.disallowed('the update deletes too many ranges', start)
    let free = 0
    for (let i = 0; i < ranges; i++) {
      const at = reader.at
      const clock = reader.uint()
      const length = reader.uint()
      if (length === 0) throw reader.malformed('a deleted range is empty', at)
      // Yjs merges ranges that touch, so after the first there is at least one item between two.
      if (clock < free) throw reader.malformed('deleted ranges touch or are out of order', at)
      if (clock + length > Number.MAX_SAFE_INTEGER) throw reader.malformed('clocks rise above 2^53 - 1', at)
      deleted.push({ client, clock, length, at })
      free = clock + length + 1
    }
  }
  return deleted
}

function readClient(reader: ByteReader, below: number): ClientId {
  const at = reader.at
  const client = reader.uint(CLIENT_MAX)
  if (client >= below) throw reader.malformed(`client ${client} is there twice or out of order`, at)
  return client
}
