/** The stores over plain Maps pass the contract suites, and fail on demand. */
import { SyncError, type ErrorCode } from '@rejoin/core'
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

test('a case is left out only by its name and with a reason', () => {
  const cases = { 'it holds': () => Promise.resolve() }
  const names: string[] = []
  declareCases((name) => names.push(name), cases, { 'it holds': 'no disk here' })
  expect(names).toEqual(['it holds (left out: no disk here)'])
  expect(() => declareCases(() => {}, cases, { 'it does not': 'reason' })).toThrow('is no case')
  expect(() => declareCases(() => {}, cases, { 'it holds': ' ' })).toThrow('needs a reason')
})

function openHub(): OpenedHubStore {
  const faults = new NextFault()
  let store = new MapHubStore({ incarnation: 'first', fault: faults.hook })
  return {
    store,
    reopen: () => Promise.resolve((store = store.crash(faults.hook))),
    openBeside: () => Promise.resolve(store.beside()),
    failNextWrite: () => faults.arm('append done', 'STORE_UNAVAILABLE'),
    cleanup: () => store.close(),
  }
}

function openReplica(): OpenedReplicaStore {
  const faults = new NextFault()
  let store = new MapReplicaStore({ fault: faults.hook })
  return {
    store,
    reopen: () => Promise.resolve((store = store.crash(faults.hook))),
    openBeside: () => Promise.resolve(new MapReplicaStore()),
    failNextWrite: () => faults.arm('record', 'STORE_FULL'),
    cleanup: () => store.close(),
  }
}

/** Fails one call. */
class NextFault {
  #armed: { call: string; code: ErrorCode } | null = null

  arm(call: string, code: ErrorCode): void {
    this.#armed = { call, code }
  }

  readonly hook: StoreFault = (call) => {
    const armed = this.#armed
    if (armed?.call !== call) return undefined
    this.#armed = null
    return new SyncError(armed.code, `${call} fails as the test asked`)
  }
}
