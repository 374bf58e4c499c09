/** Fields of the messages up, byte by byte as `docs/PROTOCOL.md` lists them. */
import {
  assert,
  limits,
  unreachable,
  type AnyOp,
  type Capability,
  type Heal,
  type Hello,
  type Push,
  type PushedCommit,
  type UpMessage,
} from '@rejoin/core'
import { readAwareness, readCursor, writeAwareness, writeCursor } from './fields.ts'
import { checkNesting } from './nesting.ts'
import type { Reader } from './reader.ts'
import type { Writer } from './writer.ts'

/** Type bytes of the messages up: below 0x40. A number is never used again for another message. */
export const upTypes = {
  Hello: 0x01,
  Push: 0x02,
  Awareness: 0x03,
  Bye: 0x04,
  Heal: 0x05,
} as const satisfies Record<UpMessage['type'], number>

/** Counter, `prev`, HLC, domain version, ops `[]`, update: the least that a commit takes. */
const COMMIT_BYTES_MIN = 1 + 1 + 14 + 1 + 3 + 1

/** As the schema of `Hello` has it; known here so that no long list is made first. */
const CAPABILITIES_MAX = 32

/** With it a field follows that an older hub does not know. */
const TRIM: Capability = 'trim'

export function writeUp(out: Writer, message: UpMessage): void {
  switch (message.type) {
    case 'Hello':
      return writeHello(out, message)
    case 'Push':
      return writePush(out, message)
    case 'Heal':
      return writeHeal(out, message)
    case 'Awareness':
      return writeAwareness(out, message)
    case 'Bye':
      return
    default:
      unreachable(message)
  }
}

export function readUp(from: Reader, type: UpMessage['type']): UpMessage {
  switch (type) {
    case 'Hello':
      return readHello(from)
    case 'Push':
      return readPush(from)
    case 'Heal':
      return readHeal(from)
    case 'Awareness':
      return readAwareness(from)
    case 'Bye':
      return { type: 'Bye' }
    default:
      return unreachable(type)
  }
}

function writeHello(out: Writer, hello: Hello): void {
  out.text(hello.namespace)
  out.text(hello.domain)
  out.uint(hello.domainVersion)
  out.replica(hello.replica)
  writeCursor(out, hello.cursor)
  out.uint(hello.ackedCounter)
  out.uint(hello.capabilities.length)
  for (const capability of hello.capabilities) out.text(capability)
  const { stateVector } = hello
  assert(
    (stateVector !== undefined) === hello.capabilities.includes(TRIM),
    'a state vector is what `trim` says',
  )
  if (stateVector !== undefined) out.bytes(stateVector)
}

function readHello(from: Reader): Hello {
  const hello: Hello = {
    type: 'Hello',
    namespace: from.text('namespace'),
    domain: from.text('domain'),
    domainVersion: from.uint('domainVersion'),
    replica: from.replica('replica'),
    cursor: readCursor(from),
    ackedCounter: from.uint('ackedCounter'),
    capabilities: Array.from({ length: from.count('capabilities', 1, CAPABILITIES_MAX) }, () =>
      from.text('capability'),
    ),
  }
  return hello.capabilities.includes(TRIM) ? { ...hello, stateVector: from.bytes('stateVector') } : hello
}

function writePush(out: Writer, push: Push): void {
  out.uint(push.epoch ?? 0)
  out.uint(push.commits.length)
  for (const commit of push.commits) {
    out.uint(commit.counter)
    out.uint(commit.prev)
    out.ascii(commit.hlc)
    out.uint(commit.domainVersion)
    out.text(JSON.stringify(commit.ops))
    out.bytes(commit.update)
  }
}

function readPush(from: Reader): Push {
  const epoch = from.uint('epoch')
  return {
    type: 'Push',
    epoch: epoch === 0 ? null : epoch,
    commits: Array.from({ length: from.count('commits', COMMIT_BYTES_MIN, limits.pushCommitsMax) }, () =>
      readCommit(from),
    ),
  }
}

function writeHeal(out: Writer, heal: Heal): void {
  out.uint(heal.counter)
  out.uint(heal.domainVersion)
  out.bytes(heal.update)
}

/** The bytes stay a view of the message: they may be nearly all of it. */
function readHeal(from: Reader): Heal {
  return {
    type: 'Heal',
    counter: from.uint('counter'),
    domainVersion: from.uint('domainVersion'),
    update: from.view('update'),
  }
}

function readCommit(from: Reader): PushedCommit {
  return {
    counter: from.uint('counter'),
    prev: from.uint('prev'),
    hlc: from.hlc('hlc'),
    domainVersion: from.uint('domainVersion'),
    ops: readOps(from),
    update: from.bytes('update'),
  }
}

function readOps(from: Reader): AnyOp[] {
  const bytes = from.view('ops')
  if (bytes.length > limits.commitBytesMax) throw from.malformed('ops are larger than a commit may be')
  checkNesting(bytes, from)
  const ops = parse(from.decodeText(bytes, 'ops'), from)
  if (!Array.isArray(ops)) throw from.malformed('ops are no JSON array')
  // The message's schema looks at each op; the hub checks them against their domain.
  return ops as AnyOp[]
}

function parse(text: string, from: Reader): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw from.malformed('ops are no JSON')
  }
}
