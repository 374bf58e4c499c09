/** The stores over plain Maps pass the contract suites, and fail on demand. */
import { SyncError, type ErrorCode, type HubStore, type ReplicaStep } from '@rejoin/core'
import { describe, expect, test } from 'vitest'
import {
  hubStoreSuite,
  MapHubStore,
  MapReplicaStore,
  replicaStoreSuite,
  type OpenedHubStore,
  type OpenedReplicaStore,
  type StoreFault,
} from '../src/index.ts'
import { declareCases } from '../src/suite-cases.ts'

describe('MapHubStore', () => {
  hubStoreSuite({ test, open: () => Promise.resolve(openHub()) })
})

describe('MapHubStore on a full disk that fails before it writes', () => {
  hubStoreSuite({
    test,
    open: () => Promise.resolve(openHub((faults) => faults.arm(hubWrites, 'STORE_FULL'))),
  })
})

describe('MapHubStore beside one whose reads are late', () => {
  hubStoreSuite({ test, open: () => Promise.resolve(openHub(undefined, 3)) })
})

describe('MapReplicaStore', () => {
  replicaStoreSuite({ test, open: () => Promise.resolve(openReplica()) })
})

test('a store that crashed answers nobody, and the one after it has what happened', async () => {
  const store = new MapHubStore()
  const appending = store.append('support', 0, new Uint8Array([1]))
  const again = store.crash()
  await expect(appending).rejects.toMatchObject({ code: 'STORE_CLOSED' })
  expect(await again.heads(['support'])).toEqual(new Map([['support', { floor: 0, head: 1 }]]))
})

test('[St4] a late reader sees what others wrote some reads later, and what it wrote itself at once', async () => {
  const store = new MapHubStore()
  const late = store.beside(undefined, 3)
  await late.append('own', 0, new Uint8Array([1]))
  expect(await late.heads(['own'])).toEqual(new Map([['own', { floor: 0, head: 1 }]]))
  await store.append('other', 0, new Uint8Array([1]))
  const seen: string[] = []
  for (let i = 0; i < 4; i++) seen.push(await late.state('other'))
  expect(seen).toEqual(['unknown', 'unknown', 'present', 'present'])
  // The log itself is never late: what it is told is what decides.
  expect(await late.append('other', 0, new Uint8Array([2]))).toEqual({ kind: 'moved', head: 1 })
})

type HubCall = Exclude<keyof MapHubStore & keyof HubStore, 'incarnation' | 'durability' | 'close'>
const hubCalls: Readonly<Record<HubCall, (store: HubStore) => Promise<unknown>>> = {
  append: (store) => store.append('support', 1, new Uint8Array([2])),
  readTail: (store) => store.readTail('support', 0, { records: 9, bytes: 99 }),
  heads: (store) => store.heads(['support']),
  state: (store) => store.state('support'),
  checkpoint: (store) => store.checkpoint('support'),
  installCheckpoint: (store) =>
    store.installCheckpoint('support', { seq: 1, marks: new Uint8Array(1), snapshot: new Uint8Array(1) }),
  trim: (store) => store.trim('support', 1),
  namespaces: (store) => store.namespaces(),
  remove: (store) => store.remove('support'),
}

test.each(Object.entries(hubCalls))(
  'a fault is injected into %s, before it happens and after, with any code, and only once',
  async (name, call) => {
    for (const code of ['STORE_UNAVAILABLE', 'STORE_FULL', 'STORE_CORRUPT'] as const) {
      for (const when of [name, `${name} done`]) {
        const faults = new NextFault()
        const [faulty, sound] = [new MapHubStore({ fault: faults.hook }), new MapHubStore()]
        for (const store of [faulty, sound]) await store.append('support', 0, new Uint8Array([1]))
        faults.arm([when], code)
        await expect(call(faulty)).rejects.toMatchObject({ code })
        // It is as if it had been called, or as if it had not.
        if (when !== name) await call(sound)
        expect(await whole(faulty)).toEqual(await whole(sound))
        await call(faulty)
      }
    }
  },
)

test.each(['load', 'record'] as const)(
  'a fault is injected into %s of a replica store, before it happens and after',
  async (name) => {
    const create: ReplicaStep = {
      kind: 'create',
      identity: { replica: 'replica-of-22-letters_', clientId: 5, domain: 'notes', domainVersion: 1 },
    }
    for (const when of [name, `${name} done`]) {
      const faults = new NextFault()
      const store = new MapReplicaStore({ fault: faults.hook })
      faults.arm([when], 'STORE_FULL')
      const call = name === 'load' ? store.load() : store.record([create])
      await expect(call).rejects.toMatchObject({ code: 'STORE_FULL' })
      expect((await store.load()) !== null).toBe(when === 'record done')
      await store.record([create])
    }
  },
)

test('a case is left out only by its name and with a reason', () => {
  const cases = { 'it holds': () => Promise.resolve() }
  const names: string[] = []
  declareCases((name) => names.push(name), cases, { 'it holds': 'no disk here' })
  expect(names).toEqual(['it holds (left out: no disk here)'])
  expect(() => declareCases(() => {}, cases, { 'it does not': 'reason' })).toThrow('is no case')
  expect(() => declareCases(() => {}, cases, { 'it holds': ' ' })).toThrow('needs a reason')
})

async function whole(store: HubStore): Promise<unknown> {
  const checkpoint = await store.checkpoint('support')
  return [
    await store.state('support'),
    await store.heads(['support']),
    await store.readTail('support', 0, { records: 9, bytes: 99 }),
    checkpoint?.seq,
  ]
}

/** It has happened, and nobody is told. */
function unknownOutcome(faults: NextFault): void {
  faults.arm(
    hubWrites.map((call) => `${call} done`),
    'STORE_UNAVAILABLE',
  )
}

function openHub(failNext = unknownOutcome, lateReads = 0): OpenedHubStore {
  const faults = new NextFault()
  let store = new MapHubStore({ incarnation: 'first', fault: faults.hook })
  return {
    store,
    reopen: () => Promise.resolve((store = store.crash(faults.hook))),
    openBeside: () => Promise.resolve(store.beside(undefined, lateReads)),
    failNextWrite: () => failNext(faults),
    cleanup: () => store.close(),
  }
}

function openReplica(): OpenedReplicaStore {
  const faults = new NextFault()
  return opened(new MapReplicaStore({ fault: faults.hook }), faults)
}

function opened(first: MapReplicaStore, faults: NextFault): OpenedReplicaStore {
  let store = first
  return {
    store,
    reopen: () => Promise.resolve((store = store.crash(faults.hook))),
    openBeside: () => Promise.resolve(new MapReplicaStore()),
    copied: () => Promise.resolve(opened(store.noticedCopy(faults.hook), faults)),
    failNextWrite: () => faults.arm(['record'], 'STORE_FULL'),
    cleanup: () => store.close(),
  }
}

const hubWrites = ['append', 'installCheckpoint', 'trim', 'remove'] as const

/** Fails one call: the next of these. */
class NextFault {
  #armed: { calls: readonly string[]; code: ErrorCode } | null = null

  arm(calls: readonly string[], code: ErrorCode): void {
    this.#armed = { calls, code }
  }

  readonly hook: StoreFault = (call) => {
    const armed = this.#armed
    if (armed?.calls.includes(call) !== true) return undefined
    this.#armed = null
    return new SyncError(armed.code, `${call} fails as the test asked`)
  }
}
