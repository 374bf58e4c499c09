/** Fields of the messages down, byte by byte as `docs/PROTOCOL.md` lists them. */
import {
  assert,
  limits,
  unreachable,
  type Ack,
  type CatchUpPath,
  type CaughtUp,
  type Closing,
  type DownMessage,
  type Refused,
  type Tail,
  type TailCommit,
  type Welcome,
} from '@rejoin/core'
import {
  clipped,
  needCursor,
  readAwareness,
  readCursor,
  readRefusal,
  writeAwareness,
  writeCursor,
} from './fields.ts'
import type { Reader } from './reader.ts'
import { bytesOfHex, hexOf } from './text.ts'
import type { Writer } from './writer.ts'

/** Type bytes of the messages down: from 0x41. A number is never used again for another message. */
export const downTypes = {
  Welcome: 0x41,
  RevisionGap: 0x42,
  Snapshot: 0x43,
  Tail: 0x44,
  CaughtUp: 0x45,
  Ack: 0x46,
  Refused: 0x47,
  Awareness: 0x48,
  Closing: 0x49,
  Rebuild: 0x4a,
  NewerDomain: 0x4b,
  HealWanted: 0x4c,
} as const satisfies Record<DownMessage['type'], number>

const paths = [
  'live',
  'tail',
  'snapshot',
  'reset',
  'unknown',
  'rebuild',
  'heal',
] as const satisfies readonly CatchUpPath[]

/** A digest travels as the bytes that its hexadecimal text stands for. */
const DIGEST_BYTES = 32

/** A tail message ends at `limits.tailBytesMax`, and no commit takes less than two bytes of it. */
const TAIL_COMMITS_MAX = limits.tailBytesMax / 2

/** In the byte of `Welcome` that names the path, for a hub whose answers stand for less than `durable`. */
const WELCOME_APPLIED = 0x80

const snapshotFlags = { packed: 1 } as const
const ackFlags = { duplicate: 1, applied: 2 } as const
const refusedFlags = { retryable: 1, counter: 2, path: 4, retryAfterMs: 8 } as const
const closingFlags = { code: 1, retryAfterMs: 2 } as const

export function writeDown(out: Writer, message: DownMessage): void {
  switch (message.type) {
    case 'Welcome':
      out.byte(paths.indexOf(message.path) | (message.durability === 'applied' ? WELCOME_APPLIED : 0))
      return out.text(clipped(message.why, 300))
    case 'RevisionGap':
      out.uint(message.cursor)
      out.uint(message.floor)
      return out.uint(message.head)
    case 'Snapshot':
      writeCursor(out, message.cursor)
      out.byte(message.inflatesTo === undefined ? 0 : snapshotFlags.packed)
      if (message.inflatesTo !== undefined) out.uint(message.inflatesTo)
      return out.bytes(message.snapshot)
    case 'Rebuild':
      writeCursor(out, message.cursor)
      return out.raw(bytesOfHex(message.digest))
    case 'HealWanted':
      return out.bytes(message.stateVector)
    case 'NewerDomain':
      return out.uint(message.domainVersion)
    case 'Tail':
      return writeTail(out, message)
    case 'CaughtUp':
      return writeCaughtUp(out, message)
    case 'Ack':
      out.uint(message.counter)
      out.uint(message.seq)
      return out.byte(
        (message.duplicate ? ackFlags.duplicate : 0) |
          (message.durability === 'applied' ? ackFlags.applied : 0),
      )
    case 'Refused':
      return writeRefused(out, message)
    case 'Awareness':
      return writeAwareness(out, message)
    case 'Closing':
      return writeClosing(out, message)
    default:
      unreachable(message)
  }
}

export function readDown(from: Reader, type: DownMessage['type']): DownMessage {
  switch (type) {
    case 'Welcome':
      return readWelcome(from)
    case 'RevisionGap':
      return { type, cursor: from.uint('cursor'), floor: from.uint('floor'), head: from.uint('head') }
    case 'Snapshot': {
      const cursor = needCursor(from)
      const flags = from.flags('flags', snapshotFlags.packed)
      if (flags === 0) return { type, cursor, snapshot: from.view('snapshot') }
      const inflatesTo = from.uint('inflatesTo')
      return { type, cursor, snapshot: from.view('snapshot'), inflatesTo }
    }
    case 'Rebuild':
      return { type, cursor: needCursor(from), digest: hexOf(from.raw(DIGEST_BYTES, 'digest')) }
    case 'HealWanted':
      return { type, stateVector: from.bytes('stateVector') }
    case 'NewerDomain':
      return { type, domainVersion: from.uint('domainVersion') }
    case 'Tail':
      return readTail(from)
    case 'CaughtUp':
      return readCaughtUp(from)
    case 'Ack':
      return readAck(from)
    case 'Refused':
      return readRefused(from)
    case 'Awareness':
      return readAwareness(from)
    case 'Closing':
      return readClosing(from)
    default:
      return unreachable(type)
  }
}

function readWelcome(from: Reader): Welcome {
  const byte = from.byte('path')
  const path = paths[byte & ~WELCOME_APPLIED]
  if (path === undefined) throw from.malformed('path is none of the seven')
  const durability = byte & WELCOME_APPLIED ? 'applied' : 'durable'
  return { type: 'Welcome', path, why: from.text('why'), durability }
}

/** Groups of consecutive commits of one replica, to the end of the message: id, count, commits. */
function writeTail(out: Writer, tail: Tail): void {
  writeCursor(out, tail.cursor)
  let start = 0
  while (start < tail.commits.length) {
    const replica = tail.commits[start]?.replica ?? ''
    let end = start + 1
    while (tail.commits[end]?.replica === replica) end++
    out.replica(replica)
    out.uint(end - start)
    for (const commit of tail.commits.slice(start, end)) {
      out.uint(commit.counter)
      writeOptionalBytes(out, commit.update)
    }
    start = end
  }
}

function readTail(from: Reader): Tail {
  const cursor = needCursor(from)
  const commits: TailCommit[] = []
  while (from.bytesLeft > 0) {
    const replica = from.replica('replica')
    const count = from.count('commits', 2, TAIL_COMMITS_MAX - commits.length)
    if (count === 0) throw from.malformed('a group of commits is empty')
    for (let i = 0; i < count; i++) {
      commits.push({ replica, counter: from.uint('counter'), update: readOptionalBytes(from) })
    }
  }
  return { type: 'Tail', cursor, commits }
}

/** Null is 0, else the length and one. */
function writeOptionalBytes(out: Writer, bytes: Uint8Array | null): void {
  out.uint(bytes === null ? 0 : bytes.length + 1)
  if (bytes !== null) out.raw(bytes)
}

function readOptionalBytes(from: Reader): Uint8Array | null {
  const length = from.uint('update')
  return length === 0 ? null : from.raw(length - 1, 'update').slice()
}

/** A counter above 0 is its own flag: the stamp of that commit follows it, or one byte 0; and nothing follows 0. */
function writeCaughtUp(out: Writer, caughtUp: CaughtUp): void {
  const { cursor, ackedCounter, ackedHlc } = caughtUp
  assert(ackedHlc === null || ackedCounter > 0, 'no commit, no stamp')
  writeCursor(out, cursor)
  out.uint(ackedCounter)
  if (ackedHlc !== null) out.ascii(ackedHlc)
  else if (ackedCounter > 0) out.uint(0)
}

function readCaughtUp(from: Reader): CaughtUp {
  const cursor = readCursor(from)
  const ackedCounter = from.uint('ackedCounter')
  return {
    type: 'CaughtUp',
    cursor,
    ackedCounter,
    ackedHlc: ackedCounter === 0 ? null : from.hlcOrNone('ackedHlc'),
  }
}

function readAck(from: Reader): Ack {
  const [counter, seq] = [from.uint('counter'), from.uint('seq')]
  const flags = from.flags('flags', 3)
  const duplicate = (flags & ackFlags.duplicate) !== 0
  return {
    type: 'Ack',
    counter,
    seq,
    duplicate,
    durability: flags & ackFlags.applied ? 'applied' : 'durable',
  }
}

function writeRefused(out: Writer, refused: Refused): void {
  const { counter, path, retryAfterMs } = refused
  out.byte(
    (refused.retryable ? refusedFlags.retryable : 0) |
      (counter === null ? 0 : refusedFlags.counter) |
      (path === null ? 0 : refusedFlags.path) |
      (retryAfterMs === null ? 0 : refusedFlags.retryAfterMs),
  )
  if (counter !== null) out.uint(counter)
  out.text(refused.code)
  out.text(clipped(refused.message, 2_000))
  if (path !== null) out.text(clipped(path, 500))
  if (retryAfterMs !== null) out.uint(retryAfterMs)
}

function readRefused(from: Reader): Refused {
  const flags = from.flags('flags', 15)
  const counter = flags & refusedFlags.counter ? from.uint('counter') : null
  const { code, message } = readRefusal(from)
  const path = flags & refusedFlags.path ? from.text('path') : null
  const retryAfterMs = flags & refusedFlags.retryAfterMs ? from.uint('retryAfterMs') : null
  const retryable = (flags & refusedFlags.retryable) !== 0
  return { type: 'Refused', counter, code, message, path, retryable, retryAfterMs }
}

function writeClosing(out: Writer, closing: Closing): void {
  const { code, retryAfterMs } = closing
  out.byte((code === null ? 0 : closingFlags.code) | (retryAfterMs === null ? 0 : closingFlags.retryAfterMs))
  if (code !== null) out.text(code)
  out.text(clipped(closing.message, 2_000))
  if (retryAfterMs !== null) out.uint(retryAfterMs)
}

function readClosing(from: Reader): Closing {
  const flags = from.flags('flags', 3)
  const said = flags & closingFlags.code ? readRefusal(from) : { code: null, message: from.text('message') }
  const retryAfterMs = flags & closingFlags.retryAfterMs ? from.uint('retryAfterMs') : null
  return { type: 'Closing', ...said, retryAfterMs }
}
