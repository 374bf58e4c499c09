// Which steps wait for the disk, where waiting is paid for: what is here alone (`HAZARDS.md` F11).
import { formatHlc, type ReplicaStep, type SyncNotes } from '@rejoin/core'
import { describe, expect, test } from 'vitest'
import { noNotes, type ReplicaMeta } from '../src/replica/replica-meta.ts'
import { enoughFor } from '../src/replica/step-durability.ts'

const replica = 'replica-of-22-letters_'
const clientId = 4_000_000_001
const cursor = { epoch: 1, seq: 1, tag: '0'.repeat(16) }
const commit = {
  id: { replica, counter: 1 },
  prev: 0,
  hlc: formatHlc({ ms: 5, counter: 0, author: 'abcde' }),
  domainVersion: 1,
  ops: [],
  update: new Uint8Array(1),
}
const meta: ReplicaMeta = {
  identity: { replica, clientId, domain: 'todo', domainVersion: 1 },
  place: '',
  formerCounter: 0,
  counter: 3,
  hlc: null,
  cursor: null,
  notes: { ...noNotes, sentCounter: 3 },
  batches: 1,
  nextUpdate: 1,
}
const notes = (changed: Partial<SyncNotes>): ReplicaStep => ({
  kind: 'notes',
  notes: { ...meta.notes, ...changed },
})
const remote: ReplicaStep = { kind: 'remote', updates: [], settled: [1], cursor, hlc: null }

describe('[4] on the disk before it is answered', () => {
  test.each<ReplicaStep>([
    { kind: 'create', identity: meta.identity },
    { kind: 'reidentify', replica, clientId },
    { kind: 'local', commit },
    { kind: 'reset', snapshot: null, updates: [], cursor, clientId, outbox: [], hlc: null },
    { kind: 'recommit', clientId, outbox: [], rejected: [] },
    { kind: 'discard', counter: 1 },
    notes({ sentCounter: 4 }),
  ])('is what is here alone: $kind', (step) => {
    expect(enoughFor([step], meta)).toBe('durable')
    expect(enoughFor([remote, step], meta)).toBe('durable')
  })

  test.each<ReplicaStep>([
    remote,
    { kind: 'snapshot', snapshot: new Uint8Array(1), cursor, hlc: null },
    { kind: 'settle', upTo: 1 },
    { kind: 'domainVersion', domainVersion: 2 },
    notes({ lastAttemptAt: 1, ackedCounter: 3 }),
  ])('is not what a hub tells again: $kind', (step) => {
    expect(enoughFor([step], meta)).toBe('applied')
  })
})
