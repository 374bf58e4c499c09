// A checker is trusted only after something broken has made it fail: each rule is broken once here.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineDomain, map } from '@rejoin/core'
import {
  checkConvergence,
  checkSettled,
  type Observation,
  type ReplicaObservation,
  type World,
} from '@rejoin/testkit'

const replica: ReplicaObservation = {
  content: ['a', 'b'],
  conflicts: '[]',
  encoding: 'x',
  waiting: 0,
  outbox: [],
  rejected: ['r:2'],
}
const healthy: Observation = {
  replicas: [replica, { ...replica, rejected: [] }],
  accepted: ['r:1', 'r:2'],
  acknowledged: ['r:1'],
  logged: ['r:1'],
}

describe('the checkers', () => {
  test('find nothing where nothing is broken', () => {
    expect(checkSettled(healthy)).toEqual([])
  })

  test.each<[number, string, Partial<Observation>]>([
    [1, 'different content', { replicas: [replica, { ...replica, content: ['a', 'c'] }] }],
    [
      1,
      'content that one has and the other has not',
      { replicas: [replica, { ...replica, content: ['a'] }] },
    ],
    [1, 'different conflicts', { replicas: [replica, { ...replica, conflicts: '[1]' }] }],
    [1, 'different encodings', { replicas: [replica, { ...replica, encoding: 'y' }] }],
    [1, 'updates that wait', { replicas: [replica, { ...replica, waiting: 1 }] }],
    [4, 'an outbox that never empties', { replicas: [replica, { ...replica, outbox: ['r:9'] }] }],
    [5, 'a commit logged twice', { logged: ['r:1', 'r:1'] }],
    [3, 'an acknowledged commit that is not in the log', { acknowledged: ['r:1', 'r:2'] }],
    [4, 'an accepted commit that is nowhere', { accepted: ['r:1', 'r:2', 'r:3'] }],
    [11, 'a rejected commit that is in the log', { logged: ['r:1', 'r:2'] }],
  ])('[%i] find %s', (rule, _, broken) => {
    expect(checkSettled({ ...healthy, ...broken }).map((finding) => finding.rule)).toContain(rule)
  })
})

describe('checkConvergence', () => {
  const counters = defineDomain({
    name: 'counters',
    version: 1,
    tables: { counters: map({ key: z.string().min(1), value: z.number() }) },
    ops: (op) => ({
      Counted: op(z.object({ id: z.string(), to: z.number() }), (t, o) => t.counters.set(o.id, o.to)),
    }),
  })
  const arbitraries = { Counted: fc.record({ id: fc.constantFrom('a', 'b'), to: fc.nat(3) }) }

  test('fails a world that loses what was applied last, and tells the shortest story and the seed', async () => {
    const failure = checkConvergence(counters, arbitraries, {
      openWorld: async () => forgetfulWorld(),
      seed: 7,
    })
    await expect(failure).rejects.toThrow(/seed: 7/)
    await expect(failure).rejects.toThrow(/\[4\] commit 0:1 was accepted and is nowhere/)
    await expect(failure).rejects.toThrow(
      /by:\n {2}1\. replica \d applies \{"id":"\w","to":\d,"type":"Counted"\}(\n {2}2\. [^\n]*)?$/,
    )
  })

  test('refuses arbitraries for ops that the domain does not have', async () => {
    const wrong = { Counted: arbitraries.Counted, Nope: arbitraries.Counted }
    const options = { openWorld: async () => forgetfulWorld() }
    await expect(checkConvergence(counters, wrong, options)).rejects.toThrow(/no op Nope/)
  })
})

/** Accepts everything and sends nothing. */
function forgetfulWorld(): World {
  const accepted: string[] = []
  return {
    replicas: 2,
    apply: async () => {
      const id = `0:${accepted.length + 1}`
      accepted.push(id)
      return { kind: 'commit', id }
    },
    exchange: async () => {},
    restart: async () => {},
    checkpoint: async () => {},
    rebuild: async () => {},
    observe: async () => ({ replicas: [replica, replica], accepted, acknowledged: [], logged: [] }),
    close: async () => {},
  }
}
