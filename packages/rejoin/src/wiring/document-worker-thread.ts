/** The document worker's own thread: does one job after another, and says how each went. It keeps nothing between two. */
import { parentPort } from 'node:worker_threads'
import { asSyncError, assert, unreachable } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { readSnapshot } from '@rejoin/hub'
import {
  ownBuffer,
  unpack,
  type JobAnswer,
  type JobRequest,
  type JobResult,
} from './document-worker-messages.ts'

const { updates } = yjsCrdt
const port = parentPort
assert(port !== null, 'this file runs in a worker thread')

port.on('message', (job: JobRequest) => {
  const answer = answerOf(job)
  port.postMessage(answer, answer.kind === 'done' ? [answer.result.snapshot] : [])
})

function answerOf(job: JobRequest): JobAnswer {
  try {
    return { id: job.id, kind: 'done', result: resultOf(job) }
  } catch (cause) {
    const { code, message } = asSyncError(cause, 'HUB_INTERNAL', `the job ${job.kind} failed`)
    return { id: job.id, kind: 'failed', code, message }
  }
}

function resultOf(job: JobRequest): JobResult {
  const parts = unpack(job)
  switch (job.kind) {
    case 'compact':
      return { snapshot: ownBuffer(updates.compact(parts)), digest: '', content: null }
    case 'rebuild': {
      const { snapshot, digest } = updates.rebuild(parts)
      return { snapshot: ownBuffer(snapshot), digest, content: null }
    }
    case 'digest':
      return { snapshot: new ArrayBuffer(0), digest: updates.digest(parts), content: null }
    case 'read': {
      const [snapshot] = parts
      assert(snapshot !== undefined, 'one snapshot is read')
      const content = readSnapshot(updates, snapshot)
      return { snapshot: new ArrayBuffer(0), digest: content.digest, content }
    }
    case 'diff': {
      const [stateVector, ...rest] = parts
      assert(stateVector !== undefined, 'a diff begins with what it is held against')
      return { snapshot: ownBuffer(updates.diff(rest, stateVector)), digest: '', content: null }
    }
    default:
      return unreachable(job.kind)
  }
}
