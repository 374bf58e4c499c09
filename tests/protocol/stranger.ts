/**
 * A client that somebody wrote from `docs/PROTOCOL.md` alone: nothing of Rejoin is imported here. It knows a domain with one
 * table, `notes`, of texts by id, and two ops, `Noted` and `Forgotten`. It keeps all in memory and takes no snapshots packed.
 */
import { randomBytes } from 'node:crypto'
import * as from from 'lib0/decoding'
import * as to from 'lib0/encoding'
import * as Y from 'yjs'

const DIGITS = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz'
const paths = ['live', 'tail', 'snapshot', 'reset', 'unknown', 'rebuild', 'heal'] as const

export type Said =
  | { readonly type: 'Welcome'; readonly path: (typeof paths)[number] }
  | { readonly type: 'RevisionGap' | 'Snapshot' | 'Tail' }
  | { readonly type: 'CaughtUp'; readonly acked: number }
  | { readonly type: 'Ack'; readonly counter: number; readonly duplicate: boolean }
  | { readonly type: 'Refused'; readonly counter: number | null; readonly code: string }
  | { readonly type: 'Closing' | 'Presence' }

export class Stranger {
  readonly doc = new Y.Doc({ gc: false })
  /** The bytes of the cursor up to where it has everything. */
  cursor: Uint8Array | null = null
  epoch = 0
  readonly #id = randomBytes(16)
  readonly #client = 1_024 + (randomBytes(4).readUInt32BE() % 4_000_000_000)
  readonly #namespace: string
  #clock = 0
  #counter = 0
  #newestStamp = '-'.repeat(14)
  /** Pushed and not acknowledged, as they stand in a push. */
  readonly outbox = new Map<number, Uint8Array>()
  #acked = 0

  constructor(namespace: string) {
    this.#namespace = namespace
  }

  /** What it reads: of each id the entry with the greatest stamp. */
  get notes(): Readonly<Record<string, string>> {
    const read = new Map<string, { text: string; stamp: string }>()
    for (const { key, text, stamp } of this.#entries())
      if (stamp > (read.get(key)?.stamp ?? '')) read.set(key, { text, stamp })
    return Object.fromEntries(Array.from(read, ([key, { text }]) => [key, text]))
  }

  hello(): Uint8Array {
    return message(0x01, (out) => {
      to.writeVarString(out, this.#namespace)
      to.writeVarString(out, 'notes')
      to.writeVarUint(out, 1)
      to.writeUint8Array(out, this.#id)
      if (this.cursor === null) to.writeUint8(out, 0)
      else to.writeUint8Array(out, this.cursor)
      to.writeVarUint(out, this.#acked)
      to.writeVarUint(out, 1)
      to.writeVarString(out, 'delta')
    })
  }

  /** A commit that sets, or with null removes, each of these. */
  commit(notes: Readonly<Record<string, string | null>>): void {
    const ops = Object.entries(notes).map(([id, text]) =>
      text === null ? { type: 'Forgotten', id } : { type: 'Noted', id, text },
    )
    const stamp = this.#stamp()
    const update = this.#update(notes, stamp)
    const counter = ++this.#counter
    const out = to.createEncoder()
    to.writeVarUint(out, counter)
    to.writeVarUint(out, counter - 1)
    to.writeUint8Array(out, Buffer.from(stamp, 'ascii'))
    to.writeVarUint(out, 1)
    to.writeVarString(out, JSON.stringify(ops))
    to.writeVarUint8Array(out, update)
    this.outbox.set(counter, to.toUint8Array(out))
    Y.applyUpdate(this.doc, update)
  }

  /** Everything in the outbox. */
  push(): Uint8Array {
    return message(0x02, (out) => {
      to.writeVarUint(out, this.epoch)
      to.writeVarUint(out, this.outbox.size)
      for (const commit of this.outbox.values()) to.writeUint8Array(out, commit)
    })
  }

  /** Takes in what the hub says. */
  hear(bytes: Uint8Array): Said {
    const input = from.createDecoder(bytes)
    if (from.readUint8(input) !== 1) throw new Error('another version of the protocol')
    const type = from.readUint8(input)
    switch (type) {
      case 0x41: {
        const path = paths[from.readUint8(input) & 0x7f]
        if (path === undefined || from.readVarString(input) === '') throw new Error('no path, or no reason')
        return { type: 'Welcome', path }
      }
      case 0x42:
        return { type: 'RevisionGap' }
      case 0x43: {
        const cursor = readCursor(input)
        if (from.readUint8(input) !== 0) throw new Error('it is packed, and nobody offered to read that')
        Y.applyUpdate(this.doc, from.readVarUint8Array(input))
        this.#moveTo(cursor)
        return { type: 'Snapshot' }
      }
      case 0x44: {
        const cursor = readCursor(input)
        while (from.hasContent(input)) {
          from.readUint8Array(input, 16)
          for (let left = from.readVarUint(input); left > 0; left--) {
            from.readVarUint(input)
            const length = from.readVarUint(input)
            if (length > 1) Y.applyUpdate(this.doc, from.readUint8Array(input, length - 1))
          }
        }
        this.#moveTo(cursor)
        return { type: 'Tail' }
      }
      case 0x45: {
        const cursor = readCursor(input)
        if (cursor !== null) this.#moveTo(cursor)
        const acked = from.readVarUint(input)
        for (const counter of this.outbox.keys()) if (counter <= acked) this.#settle(counter)
        return { type: 'CaughtUp', acked }
      }
      case 0x46: {
        const counter = from.readVarUint(input)
        from.readVarUint(input)
        this.#settle(counter)
        return { type: 'Ack', counter, duplicate: (from.readUint8(input) & 1) !== 0 }
      }
      case 0x47: {
        const flags = from.readUint8(input)
        const counter = (flags & 2) === 0 ? null : from.readVarUint(input)
        return { type: 'Refused', counter, code: from.readVarString(input) }
      }
      case 0x48:
        return { type: 'Presence' }
      case 0x49:
        return { type: 'Closing' }
      default:
        throw new Error(`nobody offered to read a message ${type}`)
    }
  }

  #settle(counter: number): void {
    this.outbox.delete(counter)
    this.#acked = Math.max(this.#acked, counter)
  }

  #moveTo(cursor: Cursor | null): void {
    this.cursor = cursor?.bytes ?? null
    this.epoch = cursor?.epoch ?? 0
    for (const { stamp } of this.#entries()) if (stamp > this.#newestStamp) this.#newestStamp = stamp
  }

  /** Above all that it has seen. */
  #stamp(): string {
    let ms = numberOf(this.#newestStamp.slice(0, 7))
    let count = numberOf(this.#newestStamp.slice(7, 9)) + 1
    if (Date.now() > ms) [ms, count] = [Date.now(), 0]
    let hash = 0x811c9dc5
    for (const byte of Buffer.from(this.#id.toString('base64url'))) hash = Math.imul(hash ^ byte, 0x01000193)
    this.#newestStamp = digits(ms, 7) + digits(count, 2) + digits((hash >>> 0) % 2 ** 30, 5)
    return this.#newestStamp
  }

  /** One run of its own items behind its last one, and the ranges of those that they replace. */
  #update(notes: Readonly<Record<string, string | null>>, stamp: string): Uint8Array {
    const out = to.createEncoder()
    const sets = Object.entries(notes).filter(([, text]) => text !== null)
    to.writeVarUint(out, sets.length === 0 ? 0 : 1)
    if (sets.length > 0) {
      for (const head of [1, this.#client, this.#clock]) to.writeVarUint(out, head)
      to.writeUint8(out, this.#clock === 0 ? 0x08 : 0x88)
      if (this.#clock === 0) {
        to.writeVarUint(out, 1)
        to.writeVarString(out, 'entries')
      } else {
        to.writeVarUint(out, this.#client)
        to.writeVarUint(out, this.#clock - 1)
      }
      to.writeVarUint(out, sets.length)
      for (const [id, text] of sets) to.writeAny(out, ['notes', id, text, stamp])
      this.#clock += sets.length
    }
    const replaced = new Map<number, number[]>()
    for (const { key, client, clock } of this.#entries())
      if (key in notes) replaced.set(client, [...(replaced.get(client) ?? []), clock])
    to.writeVarUint(out, replaced.size)
    for (const [client, clocks] of [...replaced].toSorted(([a], [b]) => b - a)) {
      const ranges = rangesOf(clocks)
      to.writeVarUint(out, client)
      to.writeVarUint(out, ranges.length)
      for (const range of ranges) for (const field of range) to.writeVarUint(out, field)
    }
    return to.toUint8Array(out)
  }

  /** The live entries, with the ids of their items. */
  *#entries(): Generator<{ key: string; text: string; stamp: string; client: number; clock: number }> {
    for (let item = this.doc.getArray('entries')._start; item !== null; item = item.right) {
      if (item.deleted) continue
      for (const [i, element] of item.content.getContent().entries()) {
        const [, key, text, stamp] = element as [string, string, string, string]
        yield { key, text, stamp, client: item.id.client, clock: item.id.clock + i }
      }
    }
  }
}

interface Cursor {
  readonly epoch: number
  readonly bytes: Uint8Array
}

function readCursor(input: from.Decoder): Cursor | null {
  const start = input.pos
  const epoch = from.readVarUint(input)
  if (epoch === 0) return null
  from.readVarUint(input)
  from.readUint8Array(input, 8)
  return { epoch, bytes: input.arr.slice(start, input.pos) }
}

/** In rising order, those that touch as one. */
function rangesOf(clocks: readonly number[]): readonly [number, number][] {
  const ranges: [number, number][] = []
  for (const clock of clocks.toSorted((a, b) => a - b)) {
    const last = ranges.at(-1)
    if (last !== undefined && last[0] + last[1] === clock) last[1]++
    else ranges.push([clock, 1])
  }
  return ranges
}

function digits(value: number, count: number): string {
  let text = ''
  for (let rest = value; text.length < count; rest = Math.floor(rest / 64)) text = DIGITS[rest % 64] + text
  return text
}

function numberOf(text: string): number {
  return Array.from(text).reduce((sum, digit) => sum * 64 + DIGITS.indexOf(digit), 0)
}

function message(type: number, write: (out: to.Encoder) => void): Uint8Array {
  const out = to.createEncoder()
  to.writeUint8(out, 1)
  to.writeUint8(out, type)
  write(out)
  return to.toUint8Array(out)
}
