// [14] At each limit one below and at it passes, and one above is refused with its code. `every-limit.test.ts` names the others.
import { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import {
  createEncoder,
  toUint8Array,
  writeUint8,
  writeVarString,
  writeVarUint,
  type Encoder,
} from 'lib0/encoding'
import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { canonicalValue, checkKey, checkNamespace, limits, SyncError, type UpMessage } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { decodeDown, decodeUp, encodeDown, encodeUp } from '@rejoin/transport'
import { VirtualClock } from '@rejoin/testkit'
import { checkOps } from '../../packages/core/src/domain/planning.ts'
import { checkSize } from '../../packages/hub/src/admission.ts'
import { Reassembly } from '../../packages/transport/src/assembly.ts'
import { decodeFrame, encodeFrame } from '../../packages/transport/src/frames.ts'
import { BODY_BYTES_MAX } from '../../packages/transport/src/frame-stream.ts'
import { checkAnnounced } from '../../packages/transport/src/server/body.ts'
import { tokenOf } from '../../packages/transport/src/server/credentials.ts'
import { BytesBound } from '../../packages/transport/src/server/receive-token.ts'
import { intents } from 'rejoin'

interface Bound {
  readonly max: number
  readonly code: string
  readonly use: (size: number) => unknown
}

const hash = new Uint8Array(8)

function pushOf(commits: number): UpMessage {
  return {
    type: 'Push',
    epoch: null,
    commits: Array.from({ length: commits }, (_, i) => ({
      counter: i + 1,
      prev: i,
      hlc: '00000000000000' as never,
      domainVersion: 1,
      ops: [{ type: 'Noted' }],
      update: new Uint8Array(1),
    })),
  }
}

const hello: UpMessage = {
  type: 'Hello',
  namespace: 'support',
  domain: 'intents',
  domainVersion: 1,
  replica: 'AAECAwQFBgcICQoLDA0ODw',
  cursor: null,
  ackedCounter: 0,
  capabilities: ['trim'],
}

const { updates } = yjsCrdt
const hlc = 'P6zd8pV--yrbOv'

/** An update that writes so many entries. */
function writing(entries: number): Uint8Array {
  const doc = new Y.Doc()
  doc.clientID = 5_000
  const elements = Array.from({ length: entries }, (_, i) => ['t', `k${i}`, 1, hlc])
  doc.getArray('entries').insert(0, elements)
  const update = Y.encodeStateAsUpdate(doc)
  doc.destroy()
  return update
}

/** An update that deletes so many ranges of one item each. */
function deleting(ranges: number): Uint8Array {
  return encoded((to) => {
    for (const head of [0, 1, 5_000, ranges]) writeVarUint(to, head)
    for (let i = 0; i < ranges; i++) for (const field of [2 * i, 1]) writeVarUint(to, field)
  })
}

/** A state update of so many runs of deleted items: the first at the beginning, each further one behind the one before it. */
function ofRuns(runs: number): Uint8Array {
  return encoded((to) => {
    for (const head of [1, runs, 5_000, 0]) writeVarUint(to, head)
    for (let i = 0; i < runs; i++) {
      writeUint8(to, i === 0 ? 0x01 : 0x81)
      writeVarUint(to, i === 0 ? 1 : 5_000)
      if (i === 0) writeVarString(to, 'entries')
      else writeVarUint(to, i - 1)
      writeVarUint(to, 1)
    }
    writeVarUint(to, 0)
  })
}

function stateVectorOf(clients: number): Uint8Array {
  return encoded((to) => {
    writeVarUint(to, clients)
    for (let i = 0; i < clients; i++) for (const field of [2_000 + i, 1]) writeVarUint(to, field)
  })
}

function encoded(write: (to: Encoder) => void): Uint8Array {
  const to = createEncoder()
  write(to)
  return toUint8Array(to)
}

/** What a socket has sent before it signs in, in crumbs. @throws SyncError as the socket is closed with. */
function sentBeforeSignIn(bytes: number): void {
  const socket = new EventEmitter()
  const bound = new BytesBound(socket as Duplex)
  bound.onExceeded = () => {
    throw new SyncError('MESSAGE_TOO_LARGE', 'too much')
  }
  for (let left = bytes; left > 0; left -= 1_000) socket.emit('data', new Uint8Array(Math.min(left, 1_000)))
}

function firstOf(bytesMax: number, total: number): unknown {
  const payload = new Uint8Array(4_096)
  const late = (): void => {}
  const first = { kind: 'first', channel: 1, total, hash, payload } as const
  return new Reassembly(new VirtualClock(1), bytesMax, late).add(first)
}

function nested(levels: number): unknown {
  let value: unknown = 1
  for (let i = 0; i < levels; i++) value = [value]
  return value
}

const bounds: Readonly<Record<string, Bound>> = {
  'a namespace’s name': {
    max: limits.namespaceCharsMax,
    code: 'NAMESPACE_INVALID',
    use: (size) => checkNamespace('a'.repeat(size)),
  },
  'a key, all its parts together': {
    max: limits.keyBytesMax,
    code: 'KEY_INVALID',
    use: (size) => checkKey(['ä', 'a'.repeat(size - 2)]),
  },
  'a value, its quotes counted': {
    max: limits.valueBytesMax,
    code: 'VALUE_INVALID',
    use: (size) => canonicalValue('a'.repeat(size - 2)),
  },
  'the levels of a value': {
    max: limits.valueDepthMax,
    code: 'VALUE_INVALID',
    use: (size) => canonicalValue(nested(size)),
  },
  'the ops of a commit': {
    max: limits.commitOpsMax,
    code: 'COMMIT_TOO_LARGE',
    use: (size) => {
      const op = { type: 'IntentRemoved', id: 'a' }
      return checkOps(intents, Array<typeof op>(size).fill(op), 1)
    },
  },
  'the bytes of a commit': { max: limits.commitBytesMax, code: 'COMMIT_TOO_LARGE', use: checkSize },
  'the commits of a push': {
    max: limits.pushCommitsMax,
    code: 'MESSAGE_MALFORMED',
    use: (size) => decodeUp(encodeUp(pushOf(size))),
  },
  'an awareness update': {
    max: limits.awarenessBytesMax,
    code: 'MESSAGE_MALFORMED',
    use: (size) => decodeUp(encodeUp({ type: 'Awareness', update: new Uint8Array(size) })),
  },
  'a frame': {
    max: limits.frameBytesMax,
    code: 'MESSAGE_TOO_LARGE',
    use: (size) => decodeFrame(encodeFrame({ kind: 'whole', channel: 1, payload: new Uint8Array(size - 2) })),
  },
  'a message up in fragments': {
    max: limits.messageUpBytesMax,
    code: 'MESSAGE_TOO_LARGE',
    use: (total) => firstOf(limits.messageUpBytesMax, total),
  },
  'a message down in fragments': {
    max: limits.messageDownBytesMax,
    code: 'MESSAGE_TOO_LARGE',
    use: (total) => firstOf(limits.messageDownBytesMax, total),
  },
  'what a packed snapshot says that it inflates to': {
    max: limits.messageDownBytesMax,
    code: 'MESSAGE_MALFORMED',
    use: (inflatesTo) => {
      const cursor = { epoch: 1, seq: 1, tag: '0123456789abcdef' }
      return decodeDown(encodeDown({ type: 'Snapshot', cursor, snapshot: new Uint8Array(1), inflatesTo }))
    },
  },
  'the state vector of a greeting': {
    max: limits.helloVectorBytesMax,
    code: 'MESSAGE_MALFORMED',
    use: (size) => decodeUp(encodeUp({ ...hello, stateVector: new Uint8Array(size) })),
  },
  'the clients of a state vector': {
    max: limits.stateVectorClientsMax,
    code: 'UPDATE_MALFORMED',
    use: (clients) => updates.readStateVector(stateVectorOf(clients)),
  },
  'the entries of an update': {
    max: limits.updateEntriesMax,
    code: 'UPDATE_DISALLOWED',
    use: (entries) => updates.inspect(writing(entries)),
  },
  'the deleted ranges of an update': {
    max: limits.updateDeleteRangesMax,
    code: 'UPDATE_DISALLOWED',
    use: (ranges) => updates.inspect(deleting(ranges)),
  },
  'the runs of a plain client’s update': {
    max: limits.plainRunsMax,
    code: 'UPDATE_DISALLOWED',
    use: (runs) => updates.inspectState(ofRuns(runs), { runsMax: limits.plainRunsMax }),
  },
  'the deleted ranges of a plain client’s update': {
    max: limits.plainDeleteRangesMax,
    code: 'UPDATE_DISALLOWED',
    use: (ranges) => updates.inspectState(deleting(ranges), { deleteRangesMax: limits.plainDeleteRangesMax }),
  },
  'the updates that are merged': {
    max: limits.mergeUpdatesMax,
    code: 'INPUT_INVALID',
    use: (count) => updates.merge(Array<Uint8Array>(count).fill(writing(1))),
  },
  'what a socket sends before it signs in': {
    max: limits.signInBytesMax,
    code: 'MESSAGE_TOO_LARGE',
    use: sentBeforeSignIn,
  },
  'a request’s body': {
    max: BODY_BYTES_MAX,
    code: 'MESSAGE_TOO_LARGE',
    use: (size) => checkAnnounced(size, BODY_BYTES_MAX),
  },
  'a token': {
    max: limits.tokenCharsMax,
    code: 'UNAUTHENTICATED',
    use: (size) => {
      if (tokenOf(new Headers({ authorization: `Bearer ${'a'.repeat(size)}` })) === null)
        throw new SyncError('UNAUTHENTICATED', 'none')
    },
  },
}

test.each(Object.entries(bounds))('[14] %s', (_, { max, code, use }) => {
  expect([max - 1, max, max + 1].map((size) => codeOf(() => use(size)))).toEqual(['passes', 'passes', code])
})

function codeOf(act: () => unknown): string {
  try {
    act()
    return 'passes'
  } catch (error) {
    if (error instanceof SyncError) return error.code
    throw error
  }
}
