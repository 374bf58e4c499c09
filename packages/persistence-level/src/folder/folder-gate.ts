/**
 * The gate of a folder's database. One write at a time, those that wait share one batch; each looks at the lease before
 * and after, and who lost it stops for good (STORE_LOCKED): nothing more is written, every call says why.
 *
 * After a failed write LevelDB takes no more until it is opened again, and what it might still take could be lost behind a
 * torn one. So nothing is written until the next writer has seen that there is room and reopened the database; until
 * then it stays open for readers. There is no timer: one attempt per group of writers, which have their own pauses.
 */
import { dirname } from 'node:path'
import { SyncError, type Durability } from '@rejoin/core'
import { JobQueue, type Job } from '../job-queue.ts'
import type { DatabaseGate } from '../gate/database-gate.ts'
import { durabilityOf, type SyncPolicy } from '../gate/sync-policy.ts'
import { writeBatch } from '../level-batch.ts'
import { storeError } from '../level-error.ts'
import type { KeyRange, LevelDatabase, Operation } from '../level-database.ts'
import type { Ballast } from './ballast.ts'
import type { CountFile } from './count-file.ts'
import type { Lease } from './lease.ts'
import { logBytes, syncLogs } from './log-files.ts'

interface WriteJob extends Job {
  readonly task:
    | { readonly kind: 'write'; readonly operations: readonly Operation[] }
    | { readonly kind: 'clear'; readonly range: KeyRange }
    | { readonly kind: 'ready' | 'sync' }
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export interface FolderGateParts {
  readonly database: LevelDatabase
  /** The folder of the database itself. */
  readonly path: string
  readonly lease: Lease
  readonly ballast: Ballast
  readonly count: CountFile
  readonly sync: SyncPolicy
  /** Called once, when everything is closed. */
  readonly closed: () => void
}

/** Beside its tables LevelDB begins a new log and a new manifest. */
const openingBytes = 1024 * 1024

export class FolderGate implements DatabaseGate {
  readonly durability: Durability
  readonly #parts: FolderGateParts
  readonly #queue = new JobQueue<WriteJob>((jobs) => this.#run(jobs))
  /** Why the database takes no writes until it has been reopened. */
  #suspect: SyncError | null = null
  /** Why this gate is shut for good. */
  #lost: SyncError | null = null
  readonly #doors = new Doors()
  readonly #closingSignal = new AbortController()
  #syncing: Promise<void> | null = null
  #isUnsynced = false
  #closing: Promise<void> | null = null

  constructor(parts: FolderGateParts) {
    this.#parts = parts
    this.durability = durabilityOf(parts.sync)
  }

  get database(): LevelDatabase {
    return this.#parts.database
  }

  get isWanted(): boolean {
    return this.#doors.isWanted
  }

  /** A folder's database is open before there is a gate. */
  open(): Promise<void> {
    return Promise.resolve()
  }

  async enter(): Promise<() => void> {
    const leave = await this.#doors.enter()
    const refusal =
      this.#lost ?? (this.database.status === 'open' || this.#closing !== null ? null : this.#suspect)
    if (refusal === null) return leave
    leave()
    throw refusal
  }

  async ready(): Promise<void> {
    if (this.#lost !== null) throw this.#lost
    if (this.#suspect !== null) await this.#enqueue({ kind: 'ready' }, 0)
  }

  async write(operations: readonly Operation[]): Promise<void> {
    const bytes = operations.reduce((sum, each) => sum + (each.type === 'put' ? each.value.length : 0), 0)
    await this.#enqueue({ kind: 'write', operations }, bytes)
  }

  async clear(range: KeyRange): Promise<void> {
    await this.#enqueue({ kind: 'clear', range }, 0)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  #enqueue(task: WriteJob['task'], bytes: number): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      if (this.#lost !== null) throw this.#lost
      const added = this.#queue.add({ task, bytes, alone: task.kind !== 'write', resolve, reject })
      if (!added) throw new SyncError('STORE_UNAVAILABLE', `${this.#name} is overloaded: try again`)
    })
  }

  async #run(jobs: readonly WriteJob[]): Promise<void> {
    try {
      if (this.#lost !== null) throw this.#lost
      await this.#mend()
      await this.#perform(jobs)
      // Whoever took the folder over did not see this batch.
      this.#checkLease()
    } catch (error) {
      if (this.#lost !== null) await this.#shut()
      for (const { reject } of jobs) reject(error)
      return
    }
    for (const { resolve } of jobs) resolve()
  }

  async #perform(jobs: readonly WriteJob[]): Promise<void> {
    const alone = jobs[0]?.task
    const operations =
      jobs.length === 1 && alone?.kind === 'write'
        ? alone.operations
        : jobs.flatMap(({ task }) => (task.kind === 'write' ? task.operations : []))
    // After mending, too: the lock was free for a moment.
    this.#checkLease()
    try {
      if (operations.length > 0) await this.#write(operations)
      if (alone?.kind === 'clear') await this.database.clear<string>({ ...alone.range, keyEncoding: 'utf8' })
      if (alone?.kind === 'sync') await this.#sync()
    } catch (error) {
      this.#suspect = storeError(error, `${this.#name} could not be written`)
      throw this.#suspect
    }
  }

  async #write(operations: readonly Operation[]): Promise<void> {
    const { sync } = this.#parts
    await writeBatch(this.database, operations, sync === 'each batch')
    if (sync === 'each batch') return
    this.#isUnsynced = true
    if (sync !== 'never') this.#syncing ??= this.#syncLater(sync)
  }

  async #syncLater({ everyMs, clock }: Exclude<SyncPolicy, string>): Promise<void> {
    await clock.sleep(everyMs, this.#closingSignal.signal)
    // What is written from here on has a pause of its own.
    this.#syncing = null
    if (this.#closing !== null) return
    // A failure stands in `#suspect`, and the next writer hears of it.
    await this.#enqueue({ kind: 'sync' }, 0).catch(() => {})
  }

  async #sync(): Promise<void> {
    const batches = this.#parts.count.batches
    this.#isUnsynced = false
    try {
      await syncLogs(this.#parts.path)
    } catch (error) {
      this.#isUnsynced = true
      throw error
    }
    this.#parts.count.synced(batches)
  }

  /** After a failed write, and where there is room: the database anew, read from what is really there. */
  async #mend(): Promise<void> {
    if (this.#suspect === null) return
    const { ballast, path } = this.#parts
    try {
      this.#checkLease()
      await ballast.probe(openingBytes + (await logBytes(path)))
      await this.#reopen()
    } catch (error) {
      throw storeError(error, `${this.#name} could not be written`)
    }
    await ballast.keep()
  }

  async #reopen(): Promise<void> {
    const reopened = await this.#doors.shut()
    try {
      await this.database.close()
      await withBallast(this.#parts.ballast, () => this.database.open({ createIfMissing: false }))
      this.#suspect = null
    } catch (error) {
      this.#suspect = storeError(error, `${this.#name} could not be opened again`)
      if (this.#suspect.code === 'STORE_LOCKED') this.#lost ??= this.#suspect
      throw this.#suspect
    } finally {
      reopened()
    }
  }

  #checkLease(): void {
    try {
      this.#parts.lease.check()
    } catch (error) {
      if (error instanceof SyncError) this.#lost ??= error
      throw storeError(error, `the lease of ${this.#name} could not be read`)
    }
  }

  /** LevelDB tidies its files in the background: in a folder that is not ours it must not. */
  async #shut(): Promise<void> {
    const opened = await this.#doors.shut()
    await this.database.close().catch(() => {})
    opened()
  }

  async #close(): Promise<void> {
    this.#closingSignal.abort()
    const { database, lease, count, closed } = this.#parts
    let failure: unknown = null
    try {
      await this.#queue.idle()
      await this.#syncing
      if (this.#lost === null) this.#checkLease()
      if (this.#lost === null && this.#isUnsynced) {
        if (this.#suspect !== null) throw this.#suspect
        await this.#sync()
      }
    } catch (error) {
      failure = error
    }
    const isInOrder = failure === null && this.#lost === null && this.#suspect === null
    // Before the lock goes.
    await (isInOrder ? lease.release() : lease.abandon()).catch(() => {})
    await database.close().catch((error: unknown) => (failure ??= error))
    await count.close(isInOrder)
    closed()
    if (failure !== null && this.#lost === null)
      throw storeError(failure, `${this.#name} could not be closed in order`)
  }

  get #name(): string {
    return `the database in ${dirname(this.#parts.path)}`
  }
}

/** On a full disk the ballast makes room, and it is done again. */
export async function withBallast<R>(ballast: Ballast, step: () => Promise<R>): Promise<R> {
  try {
    return await step()
  } catch (error) {
    if (storeError(error, '').code !== 'STORE_FULL') throw error
    await ballast.release()
    return await step()
  }
}

/** Lets readers in beside each other, and nobody while the database is being reopened. */
class Doors {
  #readers = 0
  #left: () => void = () => {}
  #opened: Promise<void> | null = null

  get isWanted(): boolean {
    return this.#opened !== null
  }

  async enter(): Promise<() => void> {
    while (this.#opened !== null) await this.#opened
    this.#readers += 1
    return () => {
      this.#readers -= 1
      if (this.#readers === 0) this.#left()
    }
  }

  /** Resolves when the last reader has left; what it returns opens again. */
  async shut(): Promise<() => void> {
    let open = () => {}
    this.#opened = new Promise((resolve) => (open = resolve))
    while (this.#readers > 0) await new Promise<void>((resolve) => (this.#left = resolve))
    return () => {
      this.#opened = null
      open()
    }
  }
}
