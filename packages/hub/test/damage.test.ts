import { expect, test } from 'vitest'
import fc from 'fast-check'
import {
  HlcClock,
  REBUILD_CLIENT_ID,
  replicaIdOf,
  type HubStore,
  type Namespace,
  type StoredRecord,
} from '@rejoin/core'
import { MapHubStore } from '@rejoin/testkit'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { readLog, verifyNamespace } from '../src/index.ts'
import { Marks } from '../src/marks.ts'
import { decodeRecord, encodeRecord, type LogRecord } from '../src/record.ts'
import { checkSnapshot, decodeMarks, encodeMarks } from '../src/stored-marks.ts'
import { Author, Line, NAMESPACE, openWorld, settle, type World } from './world.ts'

const replicas = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(replicaIdOf)
const counters = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const tags = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('hex'))
const bytes = fc.uint8Array({ maxLength: 40 })
const hlcs = fc.constantFrom(...['0dPGs_F-01abcde', '0dPGs_F-02abcde'].map((text) => text.slice(0, 14)))

const hlc = new HlcClock(replicaIdOf(new Uint8Array(16)), null).tick(1_000_000)

const logRecords: fc.Arbitrary<LogRecord> = fc.oneof(
  fc.record({
    kind: fc.constant('commits' as const),
    epoch: counters,
    domain: fc.string(),
    commits: fc.array(
      fc.record({
        id: fc.record({ replica: replicas, counter: counters }),
        prev: fc.nat(),
        hlc: hlcs as fc.Arbitrary<never>,
        domainVersion: fc.integer({ min: 1 }),
        principal: fc.string({ unit: 'grapheme' }),
        opsJson: fc.json(),
        update: bytes,
      }),
      { maxLength: 4 },
    ),
  }),
  fc.record({
    kind: fc.constant('rebuild' as const),
    from: counters,
    epoch: counters,
    domain: fc.string(),
    digest: fc.string(),
    forgot: fc.option(fc.record({ before: fc.nat(), replicas: fc.array(replicas, { maxLength: 3 }) })),
  }),
  fc.record({
    kind: fc.constant('heal' as const),
    epoch: counters,
    domain: fc.string(),
    lost: fc.option(fc.record({ after: fc.nat(), before: counters })),
    healed: fc.option(
      fc.record({
        id: fc.record({ replica: replicas, counter: counters }),
        domainVersion: fc.integer({ min: 1 }),
        principal: fc.string({ unit: 'grapheme' }),
        update: bytes,
      }),
    ),
  }),
)
const times = fc.nat(Number.MAX_SAFE_INTEGER)

test('a record reads as it was written, with the tags of its place and its time', () => {
  fc.assert(
    fc.property(logRecords, tags, times, (record, prevTag, at) => {
      const encoded = encodeRecord(prevTag, record, at)
      expect(decodeRecord(encoded.bytes, 'it')).toEqual({ record, prevTag, tag: encoded.tag, at })
    }),
  )
})

test('[13] any changed or missing byte of a record is reported', () => {
  fc.assert(
    fc.property(logRecords, tags, fc.nat(), fc.integer({ min: 1, max: 255 }), (record, prevTag, at, flip) => {
      const { bytes: whole } = encodeRecord(prevTag, record, 1)
      const changed = whole.slice()
      const place = at % whole.length
      changed[place] = (changed[place] ?? 0) ^ flip
      expect(() => decodeRecord(changed, 'it')).toThrow(/it /)
      expect(() => decodeRecord(whole.subarray(0, place), 'it')).toThrow(/it /)
      expect(() => decodeRecord(Uint8Array.from([...whole, 0]), 'it')).toThrow(/it /)
    }),
  )
})

test('[13] marks read as they were written; any changed byte of marks or snapshot is reported', () => {
  const clients = fc.uniqueArray(
    fc.tuple(
      fc.integer({ min: 1024, max: 2 ** 32 - 1 }),
      fc.record({ clock: counters, owner: fc.option(fc.nat()) }),
    ),
    { selector: ([client]) => client, maxLength: 6 },
  )
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(replicas, counters), {
        selector: ([replica]) => replica,
        minLength: 1,
        maxLength: 5,
      }),
      clients,
      tags,
      bytes,
      fc.nat(),
      fc.integer({ min: 1 }),
      fc.constantFrom(0, 1, 2 ** 41),
      (counterList, clientList, tag, snapshot, at, domainVersion, forgotBefore) => {
        const owned = clientList.map(([client, { clock, owner }]) => {
          return [
            client,
            { clock, owner: owner === null ? null : (counterList[owner % counterList.length]?.[0] ?? null) },
          ] as const
        })
        const owners = [null, 'user:ada', 'key:bob']
        const marks = new Marks({
          epoch: 7,
          domain: 'notes',
          domainVersion,
          began: 4,
          head: { seq: 9, tag },
          replicas: new Map(
            counterList.map(([replica, counter], i) => [
              replica,
              { counter, hlc, owner: owners[i % 3] ?? null },
            ]),
          ),
          clients: new Map(owned),
          lost: [
            { after: 2, before: 5 },
            { after: 7, before: 12 },
          ],
          forgotBefore,
        })
        const digest = 'd'.repeat(64)
        const encoded = encodeMarks(marks, snapshot, digest)
        const stored = decodeMarks(encoded, 'it')
        expect(encodeMarks(stored.marks, snapshot, digest)).toEqual(encoded)
        expect(stored.digest).toBe(digest)
        expect(stored.marks.parts()).toEqual(marks.parts())
        expect(checkSnapshot(snapshot, stored, 'it')).toBe(snapshot)
        encoded[at % encoded.length] = (encoded[at % encoded.length] ?? 0) ^ 1
        expect(() => decodeMarks(encoded, 'it')).toThrow(/it has marks/)
        expect(() => checkSnapshot(Uint8Array.from([...snapshot, 0]), stored, 'it')).toThrow(
          /it has a snapshot/,
        )
      },
    ),
  )
})

/** The same marks in all formats; format 1 is what release 0.1 wrote, format 2 came before 0.2. */
const markBytes = {
  1:
    '0107056e6f74657301ac02103031323334353637383961626364656603039058c6f2c0cb492c533b0a4d14ef7702164141414141414141' +
    '4141414141414141414141414141050e3030303030303030303030303030164242424242424242424242424242424242424242424182010e' +
    '3030303030303030303030303030020201008827090198786b54b82635988591af5056f63b90',
  2:
    '0207056e6f7465730301ac02103031323334353637383961626364656603039058c6f2c0cb492c533b0a4d14ef77021641414141414141' +
    '414141414141414141414141414141050e3030303030303030303030303030164242424242424242424242424242424242424242424182010e' +
    '3030303030303030303030303030020201008827090143bd9642cd0d8749e9c51c06a117364d',
  3:
    '0307056e6f7465730301ac02103031323334353637383961626364656603039058c6f2c0cb492c533b0a4d14ef77406162616261626162' +
    '61626162616261626162616261626162616261626162616261626162616261626162616261626162616261626162616261626162616261' +
    '62010509021641414141414141414141414141414141414141414141050e30303030303030303030303030301642424242424242424242' +
    '42424242424242424242424182010e3030303030303030303030303030020201008827090132bb7b73e7adf23e2a49414e06828de8',
  4:
    '0407056e6f7465730301ac02103031323334353637383961626364656603039058c6f2c0cb492c533b0a4d14ef77406162616261626162' +
    '61626162616261626162616261626162616261626162616261626162616261626162616261626162616261626162616261626162616261' +
    '620105090108757365723a616461021641414141414141414141414141414141414141414141050e303030303030303030303030303000' +
    '164242424242424242424242424242424242424242424182010e30303030303030303030303030300102020100882709010b8980be936a' +
    '637c0dd4155bcdf52127',
}

test('[13] marks of every format read: what a format did not keep is as it was before anybody kept it', () => {
  const read = (format: 1 | 2 | 3 | 4) => decodeMarks(Buffer.from(markBytes[format], 'hex'), 'it')
  const newest = read(4)
  expect(newest.digest).toBe('ab'.repeat(32))
  expect(newest.marks.domainVersion).toBe(3)
  expect(newest.marks.parts().lost).toEqual([{ after: 5, before: 9 }])
  expect(Array.from(newest.marks.parts().replicas.values(), ({ owner }) => owner)).toEqual([null, 'user:ada'])
  const again = encodeMarks(newest.marks, Uint8Array.of(1, 2, 3), 'ab'.repeat(32))
  expect(Buffer.from(again).toString('hex')).toBe(markBytes[4])
  const { lost, replicas, ...parts } = newest.marks.parts()
  const unbound = new Map([...replicas].map(([replica, mark]) => [replica, { ...mark, owner: null }]))
  expect(read(3).marks.parts()).toEqual({ ...parts, replicas: unbound, lost })
  expect(read(2)).toMatchObject({ digest: null, snapshotHash: newest.snapshotHash })
  expect(read(2).marks.parts()).toEqual({ ...parts, replicas: unbound, lost: [] })
  expect(read(1).marks.parts()).toEqual({ ...parts, replicas: unbound, lost: [], domainVersion: 1 })
})

/** Records as release 0.1 wrote them: one of commits, one of a rebuild. */
const recordBytes = {
  commits:
    '010000005d44d735ee0123456789abcdef110ae91db24dd65807056e6f7465730001164141414141414141414141414141414141414141' +
    '414103020e2d2d2d326f382d2d2d4a587435510106616e796f6e651f5b7b2274797065223a22466f72676f7474656e222c226964223a22' +
    '61227d5d03000102',
  rebuild: '0100000015da9808030123456789abcdef8a4030dc4c8f33f708056e6f746573010c6f6620746865206669727374',
}

/** Of formats 2 and 3, at the millisecond 1,000,000. */
const rebuildBytes = {
  nobody:
    '0200000019e091e33d0123456789abcdef10b3fca692c7a7b3c0843d08056e6f74657301070c6f6620746865206669727374',
  some:
    '0300000037e00209780123456789abcdef4dc0fd2211338a39c0843d08056e6f74657301070c6f662074686520666972737480d095ff' +
    'bc31011641514542415145424151454241514542415145424151',
}

test('[13] only marks that forgot somebody are of a format that hubs from before refuse', () => {
  const { marks } = decodeMarks(Buffer.from(markBytes[4], 'hex'), 'it')
  const forgetting = new Marks({ ...marks.parts(), forgotBefore: 1_700_000_000_000 })
  const bytes = encodeMarks(forgetting, Uint8Array.of(1, 2, 3), 'ab'.repeat(32))
  expect(bytes[0]).toBe(5)
  expect(decodeMarks(bytes, 'it').marks.parts()).toEqual(forgetting.parts())
  expect(encodeMarks(marks, Uint8Array.of(1, 2, 3), 'ab'.repeat(32))[0]).toBe(4)
})

test('marks count whose each replica is as they go, and once more as they are read', () => {
  const owner = fc.constantFrom('anyone', 'user:ada', 'key:bob')
  const steps = fc.array(fc.record({ replica: fc.nat({ max: 5 }), principal: owner, heals: fc.boolean() }))
  fc.assert(
    fc.property(steps, (all) => {
      const marks = Marks.begin(1, 'notes')
      for (const [i, { replica, principal, heals }] of all.entries()) {
        const id = { replica: replicaIdOf(new Uint8Array(16).fill(replica)), counter: i + 1 }
        const healed = { id, domainVersion: 1, principal, update: new Uint8Array(0) }
        if (heals)
          marks.heal({ kind: 'heal', epoch: 1, domain: 'notes', lost: null, healed }, yjsCrdt.updates)
        else marks.fold({ id, hlc, domainVersion: 1, principal }, [])
      }
      const { replicas } = marks.parts()
      for (const counted of [marks, marks.clone()]) {
        expect(counted.replicaCount).toBe(replicas.size)
        for (const principal of ['anyone', 'user:ada', 'key:bob']) {
          const own = [...replicas.values()].filter((mark) => mark.owner === principal)
          expect(counted.replicasOf(principal)).toBe(own.length)
        }
      }
    }),
  )
})

test('[13] records of format 1 read: without a time, and a rebuild ends the epoch right before its own', () => {
  const read = (kind: 'commits' | 'rebuild') => decodeRecord(Buffer.from(recordBytes[kind], 'hex'), 'it')
  const commit = {
    id: { replica: replicaIdOf(new Uint8Array(16)), counter: 3 },
    prev: 2,
    hlc,
    domainVersion: 1,
    principal: 'anyone',
    opsJson: '[{"type":"Forgotten","id":"a"}]',
    update: Uint8Array.of(0, 1, 2),
  }
  const prevTag = '0123456789abcdef'
  expect(read('commits')).toEqual({
    record: { kind: 'commits', epoch: 7, domain: 'notes', commits: [commit] },
    prevTag,
    tag: '110ae91db24dd658',
    at: null,
  })
  expect(read('rebuild')).toEqual({
    record: { kind: 'rebuild', from: 7, epoch: 8, domain: 'notes', digest: 'of the first', forgot: null },
    prevTag,
    tag: '8a4030dc4c8f33f7',
    at: null,
  })
  const damaged = Buffer.from(recordBytes.rebuild, 'hex')
  damaged[30] = 9
  expect(() => decodeRecord(damaged, 'it')).toThrow(/it does not match its checksum/)
})

test('[13] a rebuild that forgets nobody is of the format that hubs from before read, and one that does names whom', () => {
  const rebuild = { kind: 'rebuild', from: 7, epoch: 8, domain: 'notes', digest: 'of the first' } as const
  const forgot = { before: 1_700_000_000_000, replicas: [replicaIdOf(new Uint8Array(16).fill(1))] }
  for (const [kind, record] of [
    ['nobody', { ...rebuild, forgot: null }],
    ['some', { ...rebuild, forgot }],
  ] as const) {
    const { bytes } = encodeRecord('0123456789abcdef', record, 1_000_000)
    expect(Buffer.from(bytes).toString('hex')).toBe(rebuildBytes[kind])
    expect(decodeRecord(bytes, 'it').record).toEqual(record)
  }
})

test('marks remember the newest version of the domain in any order of commits', () => {
  const marks = Marks.begin(1, 'notes')
  const versions = [2, 5, 3].map((domainVersion, i) => {
    const id = { replica: replicaIdOf(new Uint8Array(16)), counter: i + 1 }
    marks.fold({ id, hlc, domainVersion, principal: 'anyone' }, [])
    return marks.clone().domainVersion
  })
  expect(versions).toEqual([2, 5, 5])
})

test('what a replica made without a base is known to be outlived by a rebuild, and where it may be forgotten it is taken to be', () => {
  const [ada, bea] = [replicaIdOf(new Uint8Array(16)), replicaIdOf(new Uint8Array(16).fill(1))]
  const marks = new Marks({
    epoch: 2,
    domain: 'notes',
    domainVersion: 1,
    began: 3,
    head: { seq: 3, tag: '0'.repeat(16) },
    replicas: new Map([[ada, { counter: 1, hlc, owner: null }]]),
    clients: new Map([[REBUILD_CLIENT_ID, { clock: 4, owner: null }]]),
    lost: [],
    forgotBefore: 0,
  })
  expect(marks.outlived(ada)).toBe(true)
  expect(marks.outlived(bea)).toBe(false)
  const commit = { id: { replica: ada, counter: 2 }, hlc, domainVersion: 1, principal: 'anyone' }
  marks.fold(commit, [{ client: 5_000, clock: 0, length: 1 }])
  expect(marks.outlived(ada)).toBe(false)
  const forgetting = new Marks({ ...marks.parts(), forgotBefore: 1 })
  expect([ada, bea].map((replica) => forgetting.outlived(replica))).toEqual([false, true])
})

/** A store that serves one record otherwise than it was written. */
class DamagedStore extends MapHubStore {
  damage: ((record: StoredRecord) => StoredRecord | null) | null = null
  damageSnapshot = false

  override async readTail(namespace: Namespace, after: number, limit: { records: number; bytes: number }) {
    const result = await super.readTail(namespace, after, limit)
    const damage = this.damage
    if (result.kind === 'gap' || damage === null) return result
    return { ...result, records: result.records.flatMap((record) => damage(record) ?? []) }
  }

  override async checkpoint(namespace: Namespace) {
    const checkpoint = await super.checkpoint(namespace)
    if (checkpoint === null || !this.damageSnapshot) return checkpoint
    return {
      ...checkpoint,
      snapshot: async () => (await checkpoint.snapshot()).map((byte, i) => (i === 9 ? byte ^ 1 : byte)),
    }
  }
}

async function fill(world: World): Promise<void> {
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  await settle()
  for (const id of ['a', 'b', 'c', 'd', 'e']) {
    line.push(line.cursor?.epoch ?? null, ada.note(id))
    await settle()
  }
  line.channel.close()
  await settle()
}

const damages: [string, (record: StoredRecord) => StoredRecord | null][] = [
  [
    'a flipped bit',
    (record) =>
      record.seq === 3
        ? { ...record, body: record.body.map((byte, i) => (i === 60 ? byte ^ 4 : byte)) }
        : record,
  ],
  ['a record that is gone', (record) => (record.seq === 3 ? null : record)],
  ['a record of another place', (record) => (record.seq === 3 ? { ...record, prev: 1 } : record)],
  [
    'a record of another history',
    (record) => {
      if (record.seq !== 3) return record
      return {
        ...record,
        body: encodeRecord('0123456789abcdef', decodeRecord(record.body, 'it').record, 1).bytes,
      }
    },
  ],
  [
    'a record that is cut off',
    (record) => (record.seq === 3 ? { ...record, body: record.body.subarray(0, 40) } : record),
  ],
]

test.each(damages)(
  '[13] %s in the log is reported, and the room is not served as a shorter one',
  async (_, damage) => {
    const store = new DamagedStore()
    const world = openWorld({ store })
    await fill(world)
    store.damage = damage
    const line = new Line(world).hello(new Author(world.clock))
    await settle()
    expect(line.story).toBe('Refused:room:STORE_CORRUPT Closing:STORE_CORRUPT')
    const report = await verifyNamespace(store, yjsCrdt.updates, NAMESPACE)
    expect(report.digest).toBeNull()
    expect(report.faults.length).toBeGreaterThan(0)
    expect(report.faults.some(({ seq }) => seq === 3 || seq === 4)).toBe(true)
  },
)

test('[13] a damaged snapshot is reported, and not served', async () => {
  const store = new DamagedStore()
  const world = openWorld({ store })
  await fill(world)
  await world.hub.checkpoint(NAMESPACE)
  store.damageSnapshot = true
  const line = new Line(world).hello(new Author(world.clock))
  await settle()
  expect(line.story).toBe('Welcome:snapshot Refused:room:STORE_CORRUPT Closing:STORE_CORRUPT')
  expect((await verifyNamespace(store, yjsCrdt.updates, NAMESPACE)).faults).toHaveLength(1)
})

test('[5] verifying reports a commit that is in the log twice', async () => {
  const world = openWorld()
  await fill(world)
  const { store } = world
  const head = (await store.heads([NAMESPACE])).get(NAMESPACE)?.head ?? 0
  const last = await lastRecord(store)
  const again = encodeRecord(last.tag, last.record, 1)
  await store.append(NAMESPACE, head, again.bytes)
  const report = await verifyNamespace(store, yjsCrdt.updates, NAMESPACE)
  expect(report.faults.map(({ message }) => message)[0]).toMatch(/is in the log twice/)
})

async function lastRecord(store: HubStore) {
  const result = await store.readTail(NAMESPACE, 0, { records: 100, bytes: Infinity })
  const record = result.kind === 'records' ? result.records.at(-1) : undefined
  if (record === undefined) throw new Error('the log is empty')
  return decodeRecord(record.body, 'it')
}

test('the log reads back as ops, with who wrote them', async () => {
  const world = openWorld()
  await fill(world)
  const read = []
  for await (const { seq, ops, principal } of readLog(world.store, NAMESPACE, { after: 1, limit: 2 })) {
    read.push({ seq, ops, principal })
  }
  expect(read).toEqual([
    { seq: 2, ops: [{ type: 'Noted', id: 'b', text: 'text of b' }], principal: 'anyone' },
    { seq: 3, ops: [{ type: 'Noted', id: 'c', text: 'text of c' }], principal: 'anyone' },
  ])
})
