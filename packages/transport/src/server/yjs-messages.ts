/**
 * The messages of y-protocols (sync, awareness, auth), as `y-websocket` sends them: one a WebSocket message. Read strictly, and
 * never by a Yjs decoder: their bytes are the hub's to look at. What an unmodified client never says is no message.
 */
import { SyncError, unreachable, type PlainDown, type PlainUp } from '@rejoin/core'
import { Reader } from '../codec/reader.ts'
import { Writer } from '../codec/writer.ts'

const SYNC = 0
const AWARENESS = 1
const AUTH = 2
const QUERY_AWARENESS = 3

const STEP_1 = 0
const STEP_2 = 1
const UPDATE = 2
const PERMISSION_DENIED = 0

/** @throws SyncError MESSAGE_MALFORMED or MESSAGE_UNKNOWN */
export function decodePlain(bytes: Uint8Array): PlainUp {
  const from = new Reader(bytes, 'a message of y-protocols')
  const message = readPlain(from)
  from.end()
  return message
}

export function encodePlain(message: PlainDown): Uint8Array {
  const out = new Writer()
  switch (message.type) {
    case 'SyncStep1':
      out.uint(SYNC)
      out.uint(STEP_1)
      out.bytes(message.stateVector)
      break
    case 'SyncStep2':
    case 'Update':
      out.uint(SYNC)
      out.uint(message.type === 'Update' ? UPDATE : STEP_2)
      out.bytes(message.update)
      break
    case 'Awareness':
      out.uint(AWARENESS)
      out.bytes(message.update)
      break
    case 'PermissionDenied':
      out.uint(AUTH)
      out.uint(PERMISSION_DENIED)
      out.text(message.reason)
      break
    default:
      unreachable(message)
  }
  return out.finish()
}

function readPlain(from: Reader): PlainUp {
  const type = from.uint('type')
  switch (type) {
    case SYNC:
      return readSync(from)
    case AWARENESS:
      return { type: 'Awareness', update: from.bytes('awareness') }
    case QUERY_AWARENESS:
      return { type: 'QueryAwareness' }
    default:
      throw new SyncError('MESSAGE_UNKNOWN', `a hub is sent no message of type ${type} by y-protocols`)
  }
}

function readSync(from: Reader): PlainUp {
  const step = from.uint('step')
  switch (step) {
    case STEP_1:
      return { type: 'SyncStep1', stateVector: from.bytes('state vector') }
    case STEP_2:
      return { type: 'SyncStep2', update: from.bytes('update') }
    case UPDATE:
      return { type: 'Update', update: from.bytes('update') }
    default:
      throw new SyncError('MESSAGE_UNKNOWN', `sync has no step ${step}`)
  }
}
