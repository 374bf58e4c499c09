/** What the processes that are killed do. */
import { formatHlc, type Commit, type ReplicaStep } from '@rejoin/core'
import { append, install, remove, trim } from './hub-calls.ts'

export const hubCalls = [
  append('a', 0, '1'),
  append('a', 1, '2'),
  install('a', 2),
  trim('a', 1),
  append('b', 0, '1'),
  remove('b'),
  append('b', 0, 'anew'),
]

const replica = 'replica-of-22-letters_'
const cursor = { epoch: 5, seq: 3, tag: '00000000000000aa' }
const hlc = formatHlc({ ms: 5, counter: 0, author: 'abcde' })

export const batches: readonly (readonly ReplicaStep[])[] = [
  [{ kind: 'create', identity: { replica, clientId: 7, domain: 'notes', domainVersion: 1 } }, local(1)],
  [local(2), local(3)],
  [{ kind: 'remote', updates: [new Uint8Array([4])], settled: [1], cursor, hlc }],
  [{ kind: 'snapshot', snapshot: new Uint8Array([1, 2, 3]), cursor, hlc: null }],
  [{ kind: 'reset', snapshot: null, updates: [], cursor, clientId: 8, outbox: [commit(3)], hlc: null }],
]

function local(counter: number): ReplicaStep {
  return { kind: 'local', commit: commit(counter) }
}

function commit(counter: number): Commit {
  const id = { replica, counter }
  return {
    id,
    prev: counter - 1,
    hlc,
    domainVersion: 1,
    ops: [{ type: 'Noted' }],
    update: new Uint8Array([counter]),
  }
}
