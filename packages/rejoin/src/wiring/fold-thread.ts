/**
 * A client's thread for folding what its replicas have stored: started when a large base is first to be folded, ended when it
 * has had nothing to do for a while or the client is closed. It keeps no process alive: a fold that was not done is made when
 * the client is next open.
 */
import { setTimeout } from 'node:timers/promises'
import { SyncError, type Clock } from '@rejoin/core'
import type { BaseContent, FoldedBase, FoldWork } from '@rejoin/replica'
import { DocumentWorker, type DocumentWorkerOptions } from './document-worker.ts'
import { systemClock } from './system-clock.ts'

/** Below that a fold takes less than a thread takes to start. */
const FOLD_BYTES_MIN = 256 * 1024
/** Milliseconds: replicas that are opened together fold one after the other. */
const IDLE_MS_MAX = 10_000

export class FoldThread implements FoldWork {
  readonly bytesMin = FOLD_BYTES_MIN
  readonly #worker: DocumentWorker

  constructor(options: Partial<DocumentWorkerOptions> = {}) {
    this.#worker = new DocumentWorker({
      clock: unheldClock,
      idleMsMax: IDLE_MS_MAX,
      isAwaited: false,
      ...options,
    })
  }

  /** @throws SyncError UPDATE_MALFORMED where the base does not read, STORE_UNAVAILABLE where the thread does not do it. */
  async fold(base: readonly Uint8Array[]): Promise<FoldedBase> {
    return await this.#worker.fold(base).catch(told)
  }

  /** @throws SyncError as `fold` */
  async read(snapshot: Uint8Array): Promise<BaseContent> {
    return await this.#worker.read(snapshot).catch(told)
  }

  /** What is not done fails, and the thread ends. Idempotent. */
  close(): Promise<void> {
    return this.#worker.close()
  }
}

/** Null where this process may start no threads (Node's permission model): then replicas fold where they run. */
export function foldThread(): FoldThread | null {
  return process.permission?.has('worker') === false ? null : new FoldThread()
}

/** What a hub's codes say of its thread is no word about a hub here. */
function told(cause: unknown): never {
  if (cause instanceof SyncError && cause.code.startsWith('UPDATE_')) throw cause
  const why = cause instanceof Error ? cause.message : String(cause)
  throw new SyncError('STORE_UNAVAILABLE', `not folded on its thread: ${why}`, { cause })
}

const unheldClock: Clock = {
  ...systemClock,
  sleep: async (ms, signal) => {
    const options = signal === undefined ? { ref: false } : { ref: false, signal }
    // Rejects where it is aborted, which is how it ends early.
    await setTimeout(ms, undefined, options).catch(() => {})
  },
}
