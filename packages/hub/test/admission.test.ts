import { expect, test } from 'vitest'
import { formatHlc, limits, parseHlc, type ErrorCode, type HubStore, type PushedCommit } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { openLog } from '../src/opening.ts'
import { encodeMarks } from '../src/stored-marks.ts'
import { anyone, verifyNamespace } from '../src/index.ts'
import { Author, Line, NAMESPACE, openWorld, settle } from './world.ts'

/** Everything that the store holds of the namespace, as text. */
async function bytesOf(store: HubStore): Promise<string> {
  const tail = await store.readTail(NAMESPACE, 0, { records: 1_000, bytes: Infinity })
  const { marks } = await openLog(store, yjsCrdt.updates, NAMESPACE)
  const ofMarks = marks === null ? '' : Buffer.from(encodeMarks(marks, new Uint8Array(), '')).toString('hex')
  return JSON.stringify({ tail, ofMarks })
}

interface Case {
  readonly code: ErrorCode
  readonly name: string
  /** `ada` has one commit in the log, `bea` none. */
  readonly push: (
    ada: Author,
    bea: Author,
  ) => { commit: PushedCommit; epoch?: (epoch: number) => number | null }
}

const emptyUpdate = new Uint8Array()
const cases: readonly Case[] = [
  {
    code: 'COMMIT_TOO_LARGE',
    name: 'an update above the limit',
    push: (ada) => ({ commit: { ...ada.note('x'), update: new Uint8Array(limits.commitBytesMax + 1) } }),
  },
  {
    code: 'COMMIT_TOO_LARGE',
    name: 'ops and update together above the limit',
    push: (ada) => {
      const ops = Array.from({ length: 41 }, (_, i) => ({
        type: 'Noted',
        id: `n${i}`,
        text: 'x'.repeat(99_000),
      }))
      return { commit: { ...ada.commit(...ops.slice(0, 5)), ops } }
    },
  },
  {
    code: 'DOMAIN_TOO_NEW',
    name: 'a commit of a later version of the domain',
    push: (ada) => ({ commit: { ...ada.note('x'), domainVersion: 3 } }),
  },
  {
    code: 'EPOCH_CHANGED',
    name: 'another epoch',
    push: (ada) => ({ commit: ada.note('x'), epoch: (epoch) => epoch + 1 }),
  },
  {
    code: 'PUSH_GAP',
    name: 'a counter that skips one',
    push: (ada) => {
      ada.note('never pushed')
      return { commit: ada.note('x') }
    },
  },
  {
    code: 'PUSH_GAP',
    name: 'a prev that was never accepted',
    push: (ada) => ({ commit: { ...ada.note('x'), counter: 7, prev: 6 } }),
  },
  {
    code: 'UPDATE_MALFORMED',
    name: 'bytes that do not read',
    push: (ada) => ({ commit: { ...ada.note('x'), update: Uint8Array.of(1, 2, 3, 255, 255) } }),
  },
  {
    code: 'UPDATE_MALFORMED',
    name: 'bytes behind the end',
    push: (ada) => {
      const commit = ada.note('x')
      return { commit: { ...commit, update: Uint8Array.from([...commit.update, 0]) } }
    },
  },
  {
    code: 'UPDATE_DISALLOWED',
    name: 'a reserved client id',
    push: (_, bea) => {
      const doc = yjsCrdt.open(7, [])
      const commit = bea.note('x')
      const update = doc.write([{ kind: 'set', table: 'notes', key: ['x'], value: 'text of x' }], commit.hlc)
      return { commit: { ...commit, update: update ?? emptyUpdate } }
    },
  },
  {
    code: 'CLIENT_TAKEN',
    name: "another replica's client id",
    push: (ada, bea) => {
      const update = ada.note('x').update
      return { commit: { ...bea.note('x'), update } }
    },
  },
  {
    code: 'UPDATE_CLOCK_GAP',
    name: 'a clock that skips items',
    push: (ada) => {
      ada.note('never pushed')
      return { commit: { ...ada.note('x'), counter: 2, prev: 1 } }
    },
  },
  {
    code: 'UPDATE_UNKNOWN_ITEM',
    name: 'an origin that the log does not hold',
    push: (ada, bea) => {
      bea.doc.apply([ada.doc.encode(), ada.note('never pushed').update])
      return { commit: bea.note('x') }
    },
  },
  {
    code: 'UPDATE_UNKNOWN_ITEM',
    name: 'a delete of what the log does not hold',
    push: (ada, bea) => {
      bea.doc.apply([ada.doc.encode(), ada.note('never pushed').update])
      bea.hlc.absorb(ada.hlc.last)
      return { commit: bea.commit({ type: 'Forgotten', id: 'never pushed' }) }
    },
  },
  {
    code: 'ENTRY_INVALID',
    name: 'a table that the domain does not have',
    push: (ada) => {
      const commit = { ...ada.note('x') }
      const doc = yjsCrdt.open(9_000, [])
      const update = doc.write([{ kind: 'set', table: 'nope', key: ['x'], value: 1 }], commit.hlc)
      return { commit: { ...commit, update: update ?? emptyUpdate } }
    },
  },
  {
    code: 'ENTRY_INVALID',
    name: 'a value that the schema forbids',
    push: (ada) => {
      const commit = { ...ada.note('x') }
      const doc = yjsCrdt.open(9_000, [])
      const update = doc.write([{ kind: 'set', table: 'notes', key: ['x'], value: 1 }], commit.hlc)
      return { commit: { ...commit, update: update ?? emptyUpdate } }
    },
  },
  {
    code: 'ENTRY_UNEXPLAINED',
    name: 'an entry that no op sets',
    push: (ada) => ({ commit: { ...ada.note('x'), ops: [{ type: 'Noted', id: 'y', text: 'text of y' }] } }),
  },
  {
    code: 'OP_INVALID',
    name: 'ops that the schema forbids',
    push: (ada) => ({ commit: { ...ada.note('x'), ops: [{ type: 'Noted', id: 5 }] } }),
  },
  {
    code: 'OP_UNKNOWN',
    name: 'an op that the domain does not have',
    push: (ada) => ({ commit: { ...ada.note('x'), ops: [{ type: 'Sung' }] } }),
  },
  {
    code: 'HLC_MISMATCH',
    name: 'entries stamped otherwise than their commit',
    push: (ada) => {
      const commit = ada.note('x')
      return { commit: { ...commit, hlc: ada.hlc.tick(ada.clock.now()) } }
    },
  },
  {
    code: 'HLC_AHEAD',
    name: "a stamp far ahead of the hub's clock",
    push: (ada) => {
      const parts = parseHlc(ada.hlc.last)
      ada.hlc.absorb(formatHlc({ ...parts, ms: parts.ms + limits.hlcAheadMsMax + 60_000 }))
      return { commit: ada.note('x') }
    },
  },
]

test.each(cases)('[11] $code: $name is refused and changes nothing', async ({ code, push }) => {
  const world = openWorld()
  const ada = new Author(world.clock)
  const bea = new Author(world.clock)
  const adas = new Line(world).hello(ada)
  await settle()
  adas.push(null, ada.note('milk'))
  await settle()
  const beas = new Line(world).hello(bea)
  await settle()
  const before = await bytesOf(world.store)

  const counter = bea.counter
  const { commit, epoch } = push(ada, bea)
  const line = bea.counter > counter ? beas : adas
  adas.forget()
  beas.forget()
  const now = world.hub.status().rooms[0]?.head?.epoch ?? 0
  line.push(epoch === undefined ? now : epoch(now), commit)
  await settle()

  expect(line.story).toBe(`Refused:${commit.counter}:${code}`)
  expect(line.of('Refused')[0]?.message).toMatch(/\w+ .*\w/)
  expect(adas.received.length + beas.received.length).toBe(1)
  expect(await bytesOf(world.store)).toBe(before)
  expect(world.hub.metrics()).toMatchObject({ commits: 1, refusals: { [code]: 1 }, documentsDecoded: 0 })
  expect((await verifyNamespace(world.store, yjsCrdt.updates, NAMESPACE)).faults).toEqual([])
})

test('[11] a commit with the right bytes is accepted under the counter of a refused one', async () => {
  const world = openWorld()
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  await settle()
  const commit = ada.note('milk')
  line.push(null, { ...commit, ops: [{ type: 'Sung' }] })
  await settle()
  line.push(null, commit)
  await settle()
  expect(line.story).toBe('Welcome:unknown CaughtUp@none:0 Refused:1:OP_UNKNOWN Ack:1@1 Tail@1[own1]')
})

test('FORBIDDEN: who may read and not write is served, and its commits are refused', async () => {
  const world = openWorld()
  const ada = new Author(world.clock)
  const line = new Line(world, { ...anyone, canWrite: () => false }).hello(ada)
  await settle()
  line.push(null, ada.note('milk'))
  await settle()
  expect(line.story).toBe('Welcome:unknown CaughtUp@none:0 Refused:1:FORBIDDEN')
  expect(await world.store.state(NAMESPACE)).toBe('unknown')
})

test('[7] DOMAIN_MISMATCH: of two domains that create a namespace at once, the second is refused', async () => {
  const world = openWorld()
  const [ada, bea] = [new Author(world.clock), new Author(world.clock)]
  const adas = new Line(world).hello(ada)
  const beas = new Line(world).hello(bea, null, { domain: 'other' })
  await settle()
  adas.push(null, ada.note('milk'))
  beas.push(null, bea.note('milk'))
  await settle()
  expect(adas.of('Ack')).toHaveLength(1)
  expect(beas.story).toMatch(/Refused:1:DOMAIN_MISMATCH/)
})

test('[10] after a refusal the commits that follow it are refused as a gap, and fit again once they name what stands', async () => {
  const world = openWorld()
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  await settle()
  const [one, two, three] = [ada.note('a'), ada.note('b'), ada.note('c')]
  line.push(null, one, { ...two, ops: [{ type: 'Sung' }] }, three)
  await settle()
  expect(line.story).toMatch(
    /CaughtUp@none:0 Refused:2:OP_UNKNOWN Refused:3:PUSH_GAP Ack:1@1 Tail@1\[own1\]$/,
  )
  expect(line.of('Refused')[1]?.message).toContain('1')
  const fresh = new Author(world.clock, [one.update], ada.replica)
  const again = { ...fresh.commit(...three.ops), counter: 3, prev: 1 }
  line.forget()
  line.push(line.cursor?.epoch ?? null, again)
  await settle()
  expect(line.story).toBe('Ack:3@2 Tail@2[own3]')
})

test('a commit without bytes is logged and acknowledged like any other', async () => {
  const world = openWorld()
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  await settle()
  const [one, nothing] = [ada.note('a'), ada.note('a')]
  expect(nothing.update).toHaveLength(0)
  line.push(null, one, nothing)
  await settle()
  expect(line.story).toMatch(/Ack:1@1 Ack:2@1 Tail@1\[own1,own2\]$/)
})

test('UPDATE_DISALLOWED: an item that follows another than the last one of its client is refused', async () => {
  const world = openWorld()
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  await settle()
  const [one, two, three] = [ada.note('a'), ada.note('b'), ada.note('c')]
  line.push(null, one, two, { ...three, update: withOrigin(three.update, 0) })
  await settle()
  expect(line.story).toContain('Refused:3:UPDATE_DISALLOWED')
})

/** The update of one small commit with another clock in its first item's origin, which names the client once more. */
function withOrigin(update: Uint8Array, clock: number): Uint8Array {
  // One section of one struct; then the client, 1 to 5 bytes long, its clock, the struct's info, and the origin.
  const length = update.slice(2).findIndex((byte) => byte < 0x80) + 1
  const at = 2 + length + 1 + 1 + length
  return Uint8Array.from(update, (byte, i) => (i === at ? clock : byte))
}
