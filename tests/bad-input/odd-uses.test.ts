// Odd uses of a replica beside wrong ops: writers that do not finish, keys that are none, values that readers try to change.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineDomain, map, SyncError } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { openReplica } from '@rejoin/replica'
import { MapReplicaStore, VirtualClock } from '@rejoin/testkit'

const notes = defineDomain({
  name: 'notes',
  version: 1,
  tables: { notes: map({ key: z.string(), value: z.object({ tags: z.array(z.string()) }) }) },
  ops: (op) => ({
    Tagged: op(z.object({ id: z.string(), tags: z.array(z.string()) }), (t, o) =>
      t.notes.set(o.id, { tags: o.tags }),
    ),
    Late: op(z.object({ id: z.string() }), (t, o) => later(() => t.notes.set(o.id, { tags: [] }))),
    LateAndWrong: op(z.object({}), () =>
      later(() => {
        throw new Error('nobody hears this')
      }),
    ),
  }),
})

/** As an asynchronous function would do it, which the types and the linter of a careful app refuse. */
function later(act: () => void): void {
  return Promise.resolve().then(act) as unknown as undefined
}

function open() {
  return openReplica({
    domain: notes,
    namespace: 'n',
    store: new MapReplicaStore(),
    crdt: yjsCrdt,
    clock: new VirtualClock(1),
    dial: null,
  })
}

function codeOf(act: () => unknown): string {
  try {
    act()
    return 'no error'
  } catch (error) {
    return error instanceof SyncError ? error.code : String(error)
  }
}

test('a writer that goes on after it returned is refused, and what it does later goes nowhere', async () => {
  const replica = await open()
  const before = replica.encode()
  expect(codeOf(() => replica.apply({ type: 'Late', id: 'a' }))).toBe('OP_FAILED')
  expect(codeOf(() => replica.apply({ type: 'LateAndWrong' }))).toBe('OP_FAILED')
  await new Promise((resolve) => setImmediate(resolve))
  expect(replica.encode()).toEqual(before)
  expect(replica.outbox).toEqual([])
})

test('what is no key is refused with a code', async () => {
  const replica = await open()
  const cyclic: unknown[] = []
  cyclic.push(cyclic)
  for (const key of [1n, cyclic, { toJSON: () => 1n }, null, undefined, ['a', 1]])
    expect(codeOf(() => replica.tables.notes.get(key as unknown as string))).toBe('KEY_INVALID')
})

test('what cannot even be looked at is refused with a code', async () => {
  const { proxy, revoke } = Proxy.revocable<object>({}, {})
  revoke()
  const replica = await open()
  expect(codeOf(() => replica.apply(proxy as never))).toBe('OP_INVALID')
})

test('a value that is read cannot be changed: written here, received, or loaded', async () => {
  const replica = await open()
  replica.apply({ type: 'Tagged', id: 'a', tags: ['x'] })
  const received = yjsCrdt.open(5_000, [replica.encode()])
  const bytes = received.encode()
  const values = [replica.tables.notes.get('a'), received.read('notes', ['a'])[0]?.value]
  for (const value of values) {
    const { tags } = value as { tags: string[] }
    expect(() => tags.push('y')).toThrow(TypeError)
    expect(() => Object.assign(value ?? {}, { tags: [] })).toThrow(TypeError)
  }
  expect(received.encode()).toEqual(bytes)
})
