/** Verifying what is stored of a replica: base, outbox, counters and cursor, each fault where it is. */
import {
  authorOf,
  formatHlc,
  planWrites,
  replicaIdOf,
  type Commit,
  type CrdtDocument,
  type Hlc,
} from '@rejoin/core'
import { digestOf, yjsCrdt } from '@rejoin/crdt-adapter'
import { intents } from '@rejoin/intents'
import { expect, test } from 'vitest'
import { verifyReplica, type FoundReplica } from '../src/index.ts'

const replica = replicaIdOf(new Uint8Array(16).fill(7))
const verify = (found: FoundReplica) => verifyReplica(found, yjsCrdt, digestOf)
const messagesOf = (found: FoundReplica) => verify(found).faults.map(({ message }) => message)

test('a replica that is sound has the digest of its content with what waits in it', () => {
  const { found, document } = stored()
  expect(verify(found)).toEqual({
    namespace: 'support',
    replica,
    domain: 'intents',
    values: 5,
    bytes: 500,
    outbox: 3,
    rejected: 0,
    cursor: found.meta?.cursor,
    digest: digestOf(document),
    faults: [],
  })
  const empty = { ...found, base: [], outbox: [], meta: { ...metaOf(found), cursor: null, counter: 0 } }
  expect(verify(empty)).toMatchObject({ digest: digestOf(yjsCrdt.open(5_000, [])), faults: [] })
})

test('[13] what the adapter found is passed on, and nothing is made of what is not whole', () => {
  const { found } = stored()
  const faults = [{ message: 'a value is damaged' }]
  const report = verify({ ...found, base: [], meta: null, faults })
  expect(report).toMatchObject({ replica: null, cursor: null, digest: null })
  expect(report.faults).toEqual([{ counter: null, message: 'a value is damaged' }])
})

test('[13] a base that does not read, or lacks something, is a fault, and so is one without a cursor', () => {
  const { found } = stored()
  const [first = new Uint8Array(), second = new Uint8Array()] = found.base
  expect(messagesOf({ ...found, base: [first.subarray(0, -1), second] })).toEqual([
    expect.stringMatching(/the acknowledged base makes no document/),
  ])
  expect(messagesOf({ ...found, base: [second] })).toEqual([
    expect.stringMatching(/the acknowledged base makes no document/),
  ])
  expect(messagesOf({ ...found, meta: { ...metaOf(found), cursor: null } })).toEqual([
    expect.stringMatching(/no cursor/),
  ])
})

test('[13] an outbox that is not one chain on the base is told commit by commit', () => {
  const { found } = stored()
  const [first, second, third] = found.outbox
  if (first === undefined || second === undefined || third === undefined) throw new Error('there are three')
  const withOutbox = (...outbox: Commit[]) => ({ ...found, outbox })
  expect(verify(withOutbox(first, third)).faults[0]).toMatchObject({
    counter: 3,
    message: expect.stringMatching(/:3 follows 2, but 1 stands before it/) as string,
  })
  expect(messagesOf(withOutbox(first, { ...third, prev: 1 }))).toEqual([
    expect.stringMatching(/:3 does not build on what is before it/),
  ])
  expect(messagesOf(withOutbox({ ...first, update: first.update.subarray(1) }, second, third))).toEqual([
    expect.stringMatching(/:1 does not build/),
  ])
  const others = { ...first, id: { replica: replicaIdOf(new Uint8Array(16)), counter: 1 } }
  expect(messagesOf(withOutbox(others))).toEqual([expect.stringMatching(/is another replica's/)])
  // What a copy found waiting keeps the ids that it had.
  expect(messagesOf({ ...withOutbox(others), meta: { ...metaOf(found), formerCounter: 1 } })).toEqual([])
  expect(messagesOf({ ...found, meta: { ...metaOf(found), counter: 2 } })).toEqual([
    expect.stringMatching(/:3 is above the last counter 2/),
  ])
  expect(messagesOf(withOutbox(first, { ...second, hlc: first.hlc }))[0]).toMatch(/is not stamped later/)
  expect(messagesOf(withOutbox({ ...first, prev: 1 }))[0]).toMatch(/says that it follows 1/)
  const rejected = [
    {
      commit: { ...first, id: { replica, counter: 9 } },
      code: 'OP_FAILED' as const,
      message: '',
      path: null,
    },
  ]
  expect(messagesOf({ ...found, rejected })).toEqual([expect.stringMatching(/rejected commit .*:9 is above/)])
})

function metaOf({ meta }: FoundReplica): NonNullable<FoundReplica['meta']> {
  if (meta === null) throw new Error('it has one')
  return meta
}

/** Two updates of somebody else, and three commits on them. */
function stored(): { found: FoundReplica; document: CrdtDocument } {
  const theirs = yjsCrdt.open(9_000, [])
  const base = [addIntent(theirs, 'a', 1), addIntent(theirs, 'b', 2)].map(({ update }) => update)
  const document = yjsCrdt.open(5_000, base)
  const outbox = ['c', 'd', 'e'].map((id, i): Commit => {
    const { update, hlc } = addIntent(document, id, i + 10)
    const ops = [{ type: 'IntentAdded', id, phrasesByLang: {} }]
    return { id: { replica, counter: i + 1 }, prev: i, hlc, domainVersion: 1, ops, update }
  })
  const identity = { replica, clientId: 5_000, domain: 'intents' }
  const cursor = { epoch: 1, seq: 2, tag: '00000000000000aa' }
  const meta = { identity, formerCounter: 0, counter: 3, cursor }
  const found = { namespace: 'support', meta, base, outbox, rejected: [], values: 5, bytes: 500, faults: [] }
  return { found, document }
}

function addIntent(document: CrdtDocument, id: string, ms: number): { update: Uint8Array; hlc: Hlc } {
  const hlc = formatHlc({ ms, counter: 0, author: authorOf(replica) })
  const writes = planWrites(
    intents,
    [{ type: 'IntentAdded', id, phrasesByLang: {} }],
    document,
    hlc,
    'optional',
  )
  const update = document.write(writes, hlc)
  if (update === null) throw new Error('it writes something')
  return { update, hlc }
}
