/**
 * Reads a log of LevelDB (`NNNNNN.log`, and `MANIFEST-NNNNNN`, which has the same form) as LevelDB does when it opens, and says
 * what LevelDB does not: where it passes over something. A log is blocks of 32 KiB, in them records: checksum (4), length (2),
 * kind (1), content; one that does not fit its block goes on in the next. LevelDB ends without a word at a record that the file
 * is too short for, and passes over the rest of a block behind one that does not match its checksum.
 *
 * Of batches nothing is kept but the beginning of one: a log of any length takes the memory of one block.
 */
import { unreachable } from '@rejoin/core'
import { maskedCrc32c } from './crc32c.ts'

export const BLOCK_BYTES = 32 * 1024
const HEADER_BYTES = 7
/** Sequence (8) and count (4) stand before what a batch writes. */
const BATCH_HEAD_BYTES = 12
/** What is kept of a record's beginning: enough for a batch's head, and all of an edit, which names tables. */
const headBytesMax: Readonly<Record<Content, number>> = {
  batch: 128,
  'whole batch': Infinity,
  edit: Infinity,
}

/** What a record holds: a batch of writes in `.log`, an edit of LevelDB's list of files in MANIFEST. */
export type Content = 'batch' | 'whole batch' | 'edit'

export interface BatchHead {
  /** LevelDB's number of its first write. */
  readonly sequence: number
  /** Writes in it. */
  readonly count: number
}

/**
 * `short`: the file ends inside a record, as a crash leaves it. `zeros`: there are only zeros up to the end, as a power cut may
 * leave it. `mismatch`: all bytes are there, and do not match; a power cut may leave that too, and so does a bad disk.
 */
export type GapKind = 'short' | 'zeros' | 'mismatch'

export type LogEnd =
  | { readonly kind: 'whole' }
  /** LevelDB passes over all from `at` to the end of the file, and there is no whole record in it. */
  | {
      readonly kind: 'cut'
      readonly at: number
      readonly bytes: number
      readonly how: GapKind
      /** Of what is cut, where its beginning is there. */
      readonly batch: BatchHead | null
    }
  /** LevelDB passes over `bytes`, first at `at`, and a whole record stands behind or among them. */
  | { readonly kind: 'damaged'; readonly at: number; readonly bytes: number }

export interface LogReport {
  readonly bytes: number
  /** Records that LevelDB takes. */
  readonly records: number
  readonly end: LogEnd
}

interface Gap {
  readonly at: number
  readonly head: Uint8Array
  how: GapKind
  hidesWhole: boolean
}

export class LogReading {
  readonly #content: Content
  readonly #record: (head: Uint8Array) => void
  /** Bytes before the block under way. */
  #before = 0
  #records = 0
  /** The next write's number, once a batch was read. */
  #sequence: number | null = null
  /** A record whose end is yet to come. */
  #begun: { readonly at: number; head: Uint8Array } | null = null
  /** What LevelDB passes over, up to the next whole record. */
  #gap: Gap | null = null
  #damage: { readonly at: number; readonly bytes: number } | null = null

  /** @param record hears the content of each whole record: the first bytes of a `batch`, at most 128, and all of the others. */
  constructor(content: Content, record: (head: Uint8Array) => void = () => {}) {
    this.#content = content
    this.#record = record
  }

  /** The blocks in order; the last one, and no other, is shorter than 32 KiB, and may be empty. */
  take(block: Uint8Array): void {
    const gap = this.#gap
    if (gap?.how === 'zeros' && !isZero(block, 0)) gap.how = 'mismatch'
    this.#before += this.#takeRecords(block)
  }

  end(): LogReport {
    if (this.#begun !== null) this.#open(this.#begun.at, 'short', this.#begun.head)
    return { bytes: this.#before, records: this.#records, end: this.#end() }
  }

  #end(): LogEnd {
    const gap = this.#gap
    if (gap === null) return this.#damage === null ? { kind: 'whole' } : { kind: 'damaged', ...this.#damage }
    const bytes = this.#before - gap.at
    if (this.#damage === null && !gap.hidesWhole)
      return { kind: 'cut', at: gap.at, bytes, how: gap.how, batch: this.#batchHead(gap.head) }
    return { kind: 'damaged', at: this.#damage?.at ?? gap.at, bytes: (this.#damage?.bytes ?? 0) + bytes }
  }

  /** @returns how long the block is. */
  #takeRecords(block: Uint8Array): number {
    const isLast = block.length < BLOCK_BYTES
    let place = 0
    while (block.length - place >= HEADER_BYTES) {
      const next = place + HEADER_BYTES + lengthAt(block, place)
      const fault = faultAt(block, place, isLast)
      if (fault !== null) {
        this.#fail(block, place, fault)
        return block.length
      }
      this.#takePart(block, place, next)
      place = next
    }
    // Of another block it is the filling before the next one.
    if (isLast && place < block.length) this.#fail(block, place, 'short')
    return block.length
  }

  #takePart(block: Uint8Array, place: number, next: number): void {
    const at = this.#before + place
    const content = block.subarray(place + HEADER_BYTES, next)
    const kind = kindAt(block, place)
    const begun = this.#begun
    switch (kind) {
      case 'full':
      case 'first':
        if (begun !== null) this.#open(begun.at, 'mismatch', begun.head)
        this.#begun = { at, head: content.slice(0, headBytesMax[this.#content]) }
        if (kind === 'full') this.#finish()
        return
      case 'middle':
      case 'last':
        if (begun === null) this.#open(at, 'mismatch', nothing)
        else begun.head = joined(begun.head, content, headBytesMax[this.#content])
        if (kind === 'last') this.#finish()
        return
      case 'unknown':
        this.#open(begun?.at ?? at, 'mismatch', begun?.head ?? nothing)
        this.#begun = null
        return
      default:
        unreachable(kind)
    }
  }

  #finish(): void {
    const begun = this.#begun
    if (begun === null) return
    this.#begun = null
    this.#close(begun.at)
    this.#records += 1
    const batch = this.#batchHead(begun.head)
    if (batch !== null) this.#sequence = batch.sequence + batch.count
    this.#record(begun.head)
  }

  /** LevelDB passes over the rest of the block. */
  #fail(block: Uint8Array, place: number, how: GapKind): void {
    const begun = this.#begun
    this.#begun = null
    const content = place + HEADER_BYTES
    const head =
      begun?.head ?? (how === 'zeros' ? nothing : block.slice(content, content + headBytesMax.batch))
    const gap = this.#open(begun?.at ?? this.#before + place, how, head)
    gap.hidesWhole ||= how !== 'zeros' && this.#hasWhole(block, place + 1)
  }

  /** Whether a record begins, and ends, somewhere in the rest of a block that LevelDB passes over. */
  #hasWhole(block: Uint8Array, from: number): boolean {
    for (let place = from; place + HEADER_BYTES < block.length; place++) {
      const kind = kindAt(block, place)
      if ((kind !== 'full' && kind !== 'first') || isBeyond(block, place)) continue
      if (this.#isDue(block, place) && isMatching(block, place, lengthAt(block, place))) return true
    }
    return false
  }

  /** Whether a batch that begins there could be a later one: looked at first, since a checksum takes longer. */
  #isDue(block: Uint8Array, place: number): boolean {
    if (this.#content === 'edit') return true
    const length = lengthAt(block, place)
    if (length < BATCH_HEAD_BYTES) return kindAt(block, place) === 'first'
    const batch = this.#batchHead(block.subarray(place + HEADER_BYTES, place + HEADER_BYTES + length))
    return batch !== null && batch.sequence >= (this.#sequence ?? 0)
  }

  #batchHead(head: Uint8Array): BatchHead | null {
    if (this.#content === 'edit' || head.length < BATCH_HEAD_BYTES) return null
    const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
    const sequence = Number(view.getBigUint64(0, true))
    return Number.isSafeInteger(sequence) ? { sequence, count: view.getUint32(8, true) } : null
  }

  #open(at: number, how: GapKind, head: Uint8Array): Gap {
    this.#gap ??= { at, how, head, hidesWhole: false }
    return this.#gap
  }

  #close(before: number): void {
    const gap = this.#gap
    if (gap === null) return
    this.#gap = null
    const bytes = (this.#damage?.bytes ?? 0) + before - gap.at
    this.#damage = { at: this.#damage?.at ?? gap.at, bytes }
  }
}

const nothing = new Uint8Array(0)

function faultAt(block: Uint8Array, place: number, isLast: boolean): GapKind | null {
  const length = lengthAt(block, place)
  if (isBeyond(block, place)) {
    const rest = block.length - place - HEADER_BYTES
    // A record that is whole, and whose length is not what it was.
    return isLast && !isMatching(block, place, rest) ? 'short' : 'mismatch'
  }
  // LevelDB looks at no checksum here: files that were made larger beforehand end like that.
  if (block[place + 6] === 0 && length === 0) return isZero(block, place) ? 'zeros' : 'mismatch'
  return isMatching(block, place, length) ? null : 'mismatch'
}

function lengthAt(block: Uint8Array, place: number): number {
  return (block[place + 4] ?? 0) | ((block[place + 5] ?? 0) << 8)
}

function isBeyond(block: Uint8Array, place: number): boolean {
  return place + HEADER_BYTES + lengthAt(block, place) > block.length
}

function isMatching(block: Uint8Array, place: number, length: number): boolean {
  const view = new DataView(block.buffer, block.byteOffset + place, 4)
  return view.getUint32(0, true) === maskedCrc32c(block, place + 6, place + HEADER_BYTES + length)
}

function kindAt(block: Uint8Array, place: number): 'full' | 'first' | 'middle' | 'last' | 'unknown' {
  return kinds[(block[place + 6] ?? 0) - 1] ?? 'unknown'
}

const kinds = ['full', 'first', 'middle', 'last'] as const

function isZero(block: Uint8Array, from: number): boolean {
  for (let i = from; i < block.length; i++) if (block[i] !== 0) return false
  return true
}

/** As much of it as is kept. */
function joined(head: Uint8Array, more: Uint8Array, bytesMax: number): Uint8Array {
  const added = more.subarray(0, bytesMax - head.length)
  if (added.length === 0) return head
  const both = new Uint8Array(head.length + added.length)
  both.set(head)
  both.set(added, head.length)
  return both
}
