/**
 * The document worker's own thread: does one job after another, and says how each went. It keeps nothing between two, and
 * takes what the threads that answer somebody leave of the processors.
 */
import { setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import { asSyncError, assert, unreachable } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { readSnapshot } from '@rejoin/hub'
import { foldBase } from '@rejoin/replica'
import {
  ownBuffer,
  unpack,
  type JobAnswer,
  type JobPiece,
  type JobRequest,
  type JobResult,
} from './document-worker-messages.ts'

const { updates } = yjsCrdt
const port = parentPort
assert(port !== null, 'this file runs in a worker thread')

/** As `nice` counts: where all processors are wanted, a third of what another thread gets. Less would be too little to end. */
const SHARE_BELOW_OTHERS = 5

yieldToOthers()

/** Of the job that comes next: one that was given up halfway leaves its own. */
let received: { readonly id: number; readonly pieces: ArrayBuffer[] } = { id: 0, pieces: [] }

port.on('message', (message: JobPiece | JobRequest) => {
  if (message.id !== received.id) received = { id: message.id, pieces: [] }
  if (message.kind === 'piece') {
    received.pieces.push(message.bytes)
    return
  }
  const answer = answerOf(message, unpack(message.lengths, received.pieces.splice(0)))
  port.postMessage(answer, answer.kind === 'done' ? [answer.result.snapshot] : [])
})

function answerOf(job: JobRequest, parts: readonly Uint8Array[]): JobAnswer {
  try {
    return { id: job.id, kind: 'done', result: resultOf(job, parts) }
  } catch (cause) {
    const { code, message } = asSyncError(cause, 'HUB_INTERNAL', `the job ${job.kind} failed`)
    return { id: job.id, kind: 'failed', code, message }
  }
}

function resultOf(job: JobRequest, parts: readonly Uint8Array[]): JobResult {
  switch (job.kind) {
    case 'compact':
      return { snapshot: ownBuffer(updates.compact(parts)), digest: '', content: null, held: null }
    case 'rebuild': {
      const { snapshot, digest } = updates.rebuild(parts)
      return { snapshot: ownBuffer(snapshot), digest, content: null, held: null }
    }
    case 'digest':
      return { snapshot: new ArrayBuffer(0), digest: updates.digest(parts), content: null, held: null }
    case 'read': {
      const [snapshot] = parts
      assert(snapshot !== undefined, 'one snapshot is read')
      const content = readSnapshot(updates, snapshot)
      return { snapshot: new ArrayBuffer(0), digest: content.digest, content, held: null }
    }
    case 'diff': {
      const [stateVector, ...rest] = parts
      assert(stateVector !== undefined, 'a diff begins with what it is held against')
      return { snapshot: ownBuffer(updates.diff(rest, stateVector)), digest: '', content: null, held: null }
    }
    case 'fold': {
      const { snapshot, held } = foldBase(updates, parts)
      return { snapshot: ownBuffer(snapshot), digest: '', content: null, held }
    }
    default:
      return unreachable(job.kind)
  }
}

/** Linux has a priority for each thread; elsewhere this would be the whole process's. */
function yieldToOthers(): void {
  if (process.platform !== 'linux') return
  try {
    setPriority(SHARE_BELOW_OTHERS)
  } catch {
    // Where it is not allowed the work is done all the same.
  }
}
