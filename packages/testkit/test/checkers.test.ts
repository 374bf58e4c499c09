// An oracle is trusted only after something broken has made it fail: each rule is broken once here.
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineDomain, map } from '@rejoin/core'
import {
  checkSettled,
  Watch,
  type AcceptedCommit,
  type Glance,
  type LocalOutcome,
  type Observation,
  type ReplicaGlance,
  type ReplicaObservation,
  type StepOutcome,
} from '@rejoin/testkit'

const domain = defineDomain({
  name: 'notes',
  version: 1,
  tables: {
    notes: map({ key: z.string(), value: z.string() }),
    votes: map({ key: z.string(), value: z.number(), merge: 'max' }),
  },
  ops: (op) => ({ Noted: op(z.object({ id: z.string() }), (t, o) => t.notes.set(o.id, o.id)) }),
})

const [old, now, refused] = [note('a', 'old', 1), note('a', 'new', 2), note('b', 'refused', 3)]
const replica: ReplicaObservation = {
  reads: ['notes "a" "new"'],
  entries: [now],
  stored: [now],
  conflicts: '[]',
  encoding: 'x',
  waiting: 0,
  outbox: [],
  lastError: null,
}
const [first, second, third]: AcceptedCommit[] = [
  commit('0:1', { sets: [old] }),
  commit('0:2', { before: [old], sets: [now], removes: [old] }),
  commit('0:3', { before: [now], sets: [refused], fate: 'rejected', acked: false }),
]
const healthy: Observation = {
  replicas: [replica, replica],
  accepted: given(first, second, third),
  logged: [
    { name: '0:1', sets: [old] },
    { name: '0:2', sets: [now] },
  ],
  logFault: null,
}

describe('at the end the oracles', () => {
  test('find nothing where nothing is broken', () => {
    expect(checkSettled(domain, healthy, replica)).toEqual([])
  })

  const theSecond = (other: Partial<ReplicaObservation>): Partial<Observation> => ({
    replicas: [replica, { ...replica, ...other }],
  })
  const everyone = (other: Partial<ReplicaObservation>): Partial<Observation> => ({
    replicas: [
      { ...replica, ...other },
      { ...replica, ...other },
    ],
  })
  test.each<[number, string, Partial<Observation>]>([
    [1, 'different reads', theSecond({ reads: ['notes "a" "old"'] })],
    [1, 'entries that one has and the other has not', theSecond({ entries: [], stored: [] })],
    [1, 'different conflicts', theSecond({ conflicts: '[1]' })],
    [1, 'different encodings', theSecond({ encoding: 'y' })],
    [1, 'updates that wait', theSecond({ waiting: 1 })],
    [4, 'an outbox that never empties', theSecond({ outbox: ['0:9'] })],
    [6, 'a store that holds something else', theSecond({ stored: [] })],
    [13, 'a log that cannot be read', { logFault: 'damaged' }],
    [5, 'a commit logged twice', { logged: [...healthy.logged, ...healthy.logged] }],
    [
      3,
      'an acknowledged commit that is not in the log',
      { accepted: [...healthy.accepted, commit('0:4', { saved: false })] },
    ],
    [
      4,
      'an accepted commit that is nowhere',
      { accepted: [...healthy.accepted, commit('0:4', { acked: false })] },
    ],
    [
      11,
      'a rejected commit that is in the log',
      {
        logged: [...healthy.logged, { name: '0:3', sets: [refused] }],
        ...everyone({ entries: [now, refused] }),
      },
    ],
    [19, 'an entry that is gone though nobody removed it', everyone({ entries: [], stored: [] })],
    [19, 'an entry that nobody has set', everyone({ entries: [now, note('c', 'x', 9)] })],
    [19, 'an entry that came back', everyone({ entries: [now, old] })],
    [
      19,
      'an entry that only a refused commit removed',
      {
        accepted: given(
          first,
          commit('0:2', { removes: [old], sets: [now], fate: 'rejected', acked: false }),
        ),
        logged: healthy.logged.slice(0, 1),
        ...everyone({ entries: [] }),
      },
    ],
    [
      19,
      'an entry that a recommit left out though nobody says the same',
      {
        logged: [
          { name: '0:1', sets: [old] },
          { name: '0:2', sets: [] },
        ],
        ...everyone({ entries: [] }),
      },
    ],
  ])('[%i] find %s', (rule, _, broken) => {
    expect(rulesOf(checkSettled(domain, { ...healthy, ...broken }, replica))).toContain(rule)
  })

  test('[1] find a newcomer that reads something else', () => {
    expect(rulesOf(checkSettled(domain, healthy, { ...replica, reads: [] }))).toEqual([1])
  })

  test('[19] find a recommit that leaves out what somebody else says already', () => {
    const same = note('a', 'new', 4)
    const observation = {
      ...healthy,
      accepted: given(first, second, commit('1:1', { sets: [same] })),
      logged: [...healthy.logged, { name: '1:1', sets: [] }],
    }
    expect(rulesOf(checkSettled(domain, observation, replica))).toEqual([19])
  })

  test('[19] let a commit replace what its refused predecessor had replaced', () => {
    const last = note('a', 'newest', 5)
    const observation = {
      ...healthy,
      ...everyone({ entries: [last], stored: [last] }),
      accepted: given(
        first,
        commit('0:2', { before: [old], sets: [now], removes: [old], fate: 'rejected', acked: false }),
        commit('0:3', { before: [now], sets: [last], removes: [now] }),
      ),
      logged: [
        { name: '0:1', sets: [old] },
        { name: '0:3', sets: [last] },
      ],
    }
    expect(checkSettled(domain, observation, null)).toEqual([])
  })
})

describe('after every step the watch', () => {
  const calm: ReplicaGlance = {
    cursor: { epoch: 1, seq: 5, tag: '0000000000000000' },
    unplaced: 0,
    outbox: 0,
    contested: 0,
    strays: [],
    live: true,
    state: 'live',
    lastError: null,
  }
  const glance: Glance = { replicas: [calm], head: 5, logged: ['0:1'], acked: ['0:1'], refused: [] }
  const one = (other: Partial<ReplicaGlance>): Glance => ({ ...glance, replicas: [{ ...calm, ...other }] })
  const at = (epoch: number, seq: number): Glance => one({ cursor: { epoch, seq, tag: '0000000000000000' } })

  test('finds nothing where nothing is broken, nor where an epoch begins', () => {
    const watch = new Watch()
    expect([...watch.checkGlance(glance), ...watch.checkRest(glance)]).toEqual([])
    expect(watch.checkGlance(at(2, 3))).toEqual([])
  })

  test.each<[number, string, Glance]>([
    [6, 'a cursor that moves back', at(1, 4)],
    [6, 'a cursor that is lost', one({ cursor: null })],
    [1, 'updates without a place', one({ unplaced: 1 })],
    [11, 'an entry of a refused commit', one({ strays: [refused] })],
    [5, 'a commit logged twice', { ...glance, logged: ['0:1', '0:1'] }],
    [3, 'an acknowledged commit that is not in the log', { ...glance, logged: [] }],
    [24, 'a commit that the hub refused unasked', { ...glance, refused: ['commit 0:1 (Noted {}): why'] }],
  ])('[%i] finds %s', (rule, _, broken) => {
    const watch = new Watch()
    watch.checkGlance(glance)
    expect(rulesOf(watch.checkGlance(broken))).toContain(rule)
  })

  test.each<[string, Glance]>([
    ['is not connected', one({ state: 'offline' })],
    ['is behind', { ...glance, head: 6 }],
    ['keeps its outbox', one({ outbox: 1 })],
  ])('[21] finds a live replica that %s when nothing moves', (_, broken) => {
    expect(rulesOf(new Watch().checkRest(broken))).toEqual([21])
  })

  const written: LocalOutcome = { kind: 'commit', name: '0:1', crowded: [], again: 'unchanged' }
  const refusal = { code: 'OP_FAILED', path: '', message: 'it failed' } as const
  const refusedWithTrace: LocalOutcome = { kind: 'refused', refusal, leftTrace: true }
  const tried = (
    first: LocalOutcome,
    last: LocalOutcome,
    unexplained: string | null = null,
  ): StepOutcome => ({
    kind: 'tried',
    attempts: [
      { ops: [], outcome: first, unexplained },
      { ops: [], outcome: last, unexplained: null },
    ],
    misfits: [],
  })
  test.each<[number, string, StepOutcome]>([
    [20, 'a register with more than was written', { ...written, crowded: [old] }],
    [4, 'a replica that cannot be opened again', { kind: 'gone', replica: 0, error: 'STORE_CORRUPT' }],
    [2, 'an op that changes something the second time', { ...written, again: 'changed' }],
    [12, 'a refused op that left a trace', refusedWithTrace],
    [12, 'the same of a later attempt', tried(written, refusedWithTrace)],
    [12, 'the same of a step that picks', { kind: 'picked', what: 'commit 0:1', outcome: refusedWithTrace }],
    [
      24,
      'an op that a hub would refuse',
      tried({ ...written, again: 'refused' }, written, 'it sets what it read'),
    ],
  ])('[%i] finds %s', (rule, _, outcome) => {
    expect(new Watch().checkOutcome(written)).toEqual([])
    expect(rulesOf(new Watch().checkOutcome(outcome))).toEqual([rule])
  })
})

function note(key: string, value: string, at: number): string {
  return JSON.stringify(['notes', [key], value, `stamp${at}`])
}

function commit(name: string, other: Partial<AcceptedCommit>): AcceptedCommit {
  const author = Number(name.split(':')[0])
  return { name, author, before: [], sets: [], removes: [], saved: true, acked: true, fate: 'open', ...other }
}

/** Those that are there: a destructured array may be shorter than its names. */
function given(...commits: readonly (AcceptedCommit | undefined)[]): readonly AcceptedCommit[] {
  return commits.filter((one) => one !== undefined)
}

function rulesOf(findings: readonly { readonly rule: number }[]): readonly number[] {
  return findings.map(({ rule }) => rule)
}
