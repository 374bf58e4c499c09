/** What a hub store's cases share: opening, and short words for what they do over and over. */
import assert from 'node:assert/strict'
import {
  SyncError,
  type ErrorCode,
  type HubStore,
  type Namespace,
  type NewCheckpoint,
  type Seq,
  type StoredRecord,
} from '@rejoin/core'

export interface OpenedHubStore {
  readonly store: HubStore
  /** Ends the store as its process would and opens what it kept; leave it out where nothing is kept. */
  readonly reopen?: () => Promise<HubStore>
  /**
   * Opens what is kept once more, beside `store`, as a second hub would; where only one store at a time can have it,
   * the same one, which two hubs of one process share. Closing it is up to `cleanup`.
   */
  readonly openBeside?: () => Promise<HubStore>
  /** Lets the next write, whatever it writes, fail with an unknown outcome; leave it out where that cannot be arranged. */
  readonly failNextWrite?: () => void
  readonly cleanup: () => Promise<void>
}

export type OpenHubStore = () => Promise<OpenedHubStore>

export const ns = 'support'
export const all = { records: 1_000_000, bytes: 1_000_000_000 }

/** Runs a case on a new store and cleans up after it. */
export async function withHubStore(
  open: OpenHubStore,
  run: (store: HubStore, opened: OpenedHubStore) => Promise<void>,
): Promise<void> {
  const opened = await open()
  try {
    await run(opened.store, opened)
  } finally {
    await opened.cleanup()
  }
}

export function needed<T>(part: T | undefined, name: string): T {
  assert.ok(part !== undefined, `open() gives no ${name}: give one, or leave this case out with a reason`)
  return part
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

/** Appends after `after`, which must be the head. */
export async function append(store: HubStore, namespace: Namespace, after: Seq, text: string): Promise<Seq> {
  const result = await store.append(namespace, after, bytesOf(text))
  assert.ok(result.kind === 'appended', `an append after ${after}, the head, came back as ${result.kind}`)
  assert.ok(result.seq > after, `seq ${result.seq} does not rise above ${after}`)
  return result.seq
}

/** Appends `texts` in order after `after`; their seqs. */
export async function appendAll(
  store: HubStore,
  texts: readonly string[],
  { namespace = ns, after = 0 }: { namespace?: Namespace; after?: Seq } = {},
): Promise<readonly Seq[]> {
  const seqs: Seq[] = []
  for (const text of texts) seqs.push(await append(store, namespace, seqs.at(-1) ?? after, text))
  return seqs
}

export function at<T>(items: readonly T[], i: number): T {
  const item = items[i]
  assert.ok(item !== undefined, `there is no item ${i} of ${items.length}`)
  return item
}

/** Everything after `after`, which must not be a gap, with its chain checked (St2). */
export async function tail(
  store: HubStore,
  namespace: Namespace,
  after: Seq,
): Promise<readonly StoredRecord[]> {
  const result = await store.readTail(namespace, after, all)
  assert.ok(result.kind === 'records', `a tail after ${after} came back as ${result.kind}`)
  assert.equal(result.more, false, 'a read without limits leaves nothing out')
  checkChain(result.records, after)
  return result.records
}

export async function checkTexts(
  store: HubStore,
  namespace: Namespace,
  after: Seq,
  expected: readonly string[],
): Promise<void> {
  const records = await tail(store, namespace, after)
  assert.deepEqual(
    records.map(({ body }) => textOf(body)),
    expected,
  )
}

export function checkChain(records: readonly StoredRecord[], after: Seq): void {
  let last = after
  for (const { seq, prev } of records) {
    assert.equal(prev, last, `record ${seq} names the record before it`)
    assert.ok(seq > last, `seq ${seq} does not rise above ${last}`)
    last = seq
  }
}

export async function checkRefused(call: Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof SyncError, `expected a SyncError, got ${String(error)}`)
    assert.equal(error.code, code, error.message)
    return true
  })
}

/** Fails as a write of a store may: with a code of the port, and never with a library's own exception. */
export async function checkFailed(call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof SyncError, `expected a SyncError, got ${String(error)}`)
    assert.ok(['STORE_UNAVAILABLE', 'STORE_FULL'].includes(error.code), `${error.code}: ${error.message}`)
    return true
  })
}

export function checkpointAt(seq: Seq, text: string): NewCheckpoint {
  return { seq, marks: bytesOf(`marks ${text}`), snapshot: bytesOf(`snapshot ${text}`) }
}
