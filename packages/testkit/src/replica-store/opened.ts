/** What a replica store's cases share: opening, comparing with the model, and values to record. */
import assert from 'node:assert/strict'
import {
  formatHlc,
  type Commit,
  type Counter,
  type Cursor,
  type Hlc,
  type Namespace,
  type RejectedCommit,
  type ReplicaIdentity,
  type ReplicaStep,
  type ReplicaStore,
  type StoredReplica,
} from '@rejoin/core'
import { modelAfter, storedOf, type ReplicaModel } from '../replica-model.ts'

export interface OpenedReplicaStore {
  readonly store: ReplicaStore
  /** Ends the store as its process would and opens what it kept; leave it out where nothing is kept. */
  readonly reopen?: () => Promise<ReplicaStore>
  /** Opens another namespace of the same storage; `cleanup` closes what it left open. */
  readonly openBeside?: (namespace: Namespace) => Promise<ReplicaStore>
  /** Opens a copy of the storage as it is now, as one that can be noticed; leave it out where none can. Called once. */
  readonly copied?: () => Promise<OpenedReplicaStore>
  /** Lets the next write fail with an unknown outcome; leave it out where that cannot be arranged. */
  readonly failNextWrite?: () => void
  readonly cleanup: () => Promise<void>
}

export type OpenReplicaStore = () => Promise<OpenedReplicaStore>

export const identity: ReplicaIdentity = {
  replica: 'replica-of-22-letters_',
  clientId: 4_000_000_001,
  domain: 'todo',
  domainVersion: 3,
}

export const create: ReplicaStep = { kind: 'create', identity }

/** Runs a case on a new store and cleans up after it. */
export async function withReplicaStore(
  open: OpenReplicaStore,
  run: (store: ReplicaStore, opened: OpenedReplicaStore) => Promise<void>,
): Promise<void> {
  const opened = await open()
  try {
    await run(opened.store, opened)
  } finally {
    await opened.cleanup()
  }
}

/** Records batches one after the other, and checks after each, and after reopening, that the store holds the model. */
export async function checkBatches(
  { store, reopen }: OpenedReplicaStore,
  batches: readonly (readonly ReplicaStep[])[],
): Promise<void> {
  for (const [i, batch] of batches.entries()) {
    await store.record(batch)
    checkStored(await store.load(), modelOf(batches.slice(0, i + 1).flat()))
  }
  if (reopen !== undefined) checkStored(await (await reopen()).load(), modelOf(batches.flat()))
}

export function modelOf(steps: readonly ReplicaStep[]): ReplicaModel | null {
  return steps.reduce<ReplicaModel | null>(modelAfter, null)
}

export function checkStored(stored: StoredReplica | null, model: ReplicaModel | null): void {
  assert.deepEqual(comparable(stored), comparable(model === null ? null : storedOf(model)))
}

/** Bytes as text: a store may give them as any kind of `Uint8Array`. */
export function comparable(stored: StoredReplica | null): unknown {
  return stored === null ? null : (JSON.parse(JSON.stringify(stored, bytesAsText)) as unknown)
}

export function hlcAt(ms: number): Hlc {
  return formatHlc({ ms, counter: 0, author: 'abcde' })
}

export function cursorAt(seq: number, epoch = 77): Cursor {
  return { epoch, seq, tag: seq.toString(16).padStart(16, '0') }
}

export function commit(counter: Counter, text = `commit ${counter}`): Commit {
  return {
    id: { replica: identity.replica, counter },
    prev: counter - 1,
    hlc: hlcAt(1_000 + counter),
    domainVersion: 3,
    ops: [
      {
        type: 'ItemAdded',
        id: `item-${counter}`,
        text,
        done: false,
        tags: ['å', '\u0000', '😀'],
        weight: 0.1,
      },
      { type: 'Empty' },
    ],
    update: bytes(text),
  }
}

export function rejected(counter: Counter, path: string | null = null): RejectedCommit {
  return { commit: commit(counter), code: 'ENTRY_INVALID', message: `no: ${counter}`, path }
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function bytesAsText(this: unknown, _name: string, value: unknown): unknown {
  return value instanceof Uint8Array || isJsonBuffer(value) ? `bytes ${hexOf(value)}` : value
}

// A Buffer has turned itself into `{ type, data }` before it is seen here.
function isJsonBuffer(value: unknown): value is { readonly data: readonly number[] } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'type' in value &&
    value.type === 'Buffer' &&
    'data' in value
  )
}

function hexOf(value: Uint8Array | { readonly data: readonly number[] }): string {
  return Buffer.from(value instanceof Uint8Array ? value : value.data).toString('hex')
}
