/**
 * Healing a hub that lost what it had acknowledged, since it was restored from an older backup: it says which items it still
 * has, and gets the others from the acknowledged base. Nothing of the outbox is among them: that is pushed as ever, once the
 * hub has caught us up. Over a one-shot channel the answer goes up with the next greeting.
 */
import {
  limits,
  SyncError,
  type Crdt,
  type Heal,
  type Namespace,
  type ReplicaChannel,
  type ReplicaStore,
} from '@rejoin/core'
import { holdAll } from './inclusion.ts'
import type { ReplicaMemory } from './memory.ts'
import type { PendingWrites } from './pending-writes.ts'
import type { ResetBuffer } from './reset-buffer.ts'
import type { Connection } from './status.ts'

export interface HealingParts {
  readonly memory: ReplicaMemory
  readonly writes: PendingWrites
  readonly store: ReplicaStore
  readonly crdt: Crdt
  readonly connection: Connection
  readonly namespace: Namespace
  /** Counted up. */
  readonly tally: { healedBytes: number }
  readonly log: (line: string) => void
}

/** Bytes of a message up that are not the update's. */
const FIELDS_BYTES_MAX = 64
/** Exchanges in a row that end with the hub asking: then others are faster each time, or it never will be content. */
const ASKS_MAX = 4

export class Healing {
  readonly #parts: HealingParts
  /** What the hub holds, as it said in the exchange before, which had nothing more to carry. */
  #asked: Uint8Array | null = null
  #asks = 0
  #holdsMore = false
  /** The hub was told so when it was greeted. */
  #saidMore = false

  constructor(parts: HealingParts) {
    this.#parts = parts
  }

  /** The hub has asked, and the next exchange is to answer; false where that was in vain too often. */
  get isAsked(): boolean {
    return this.#asked !== null && this.#asks <= ASKS_MAX
  }

  /** For the greeting: a snapshot of the hub lacked what is in the base. */
  saysMore(): boolean {
    this.#saidMore = this.#holdsMore
    return this.#saidMore
  }

  /**
   * Whether a document that the hub sent lacks items of our base, which was made of what that hub, or the one before it, had
   * sent: then nothing of it is taken. Its log no longer reaches back to where it would have seen so itself.
   * @throws SyncError HISTORY_DIVERGED where it was told so, and sends the same again; STORE_… where nobody can tell
   */
  async isShort({ snapshot, updates }: ResetBuffer): Promise<boolean> {
    const { crdt, store, memory, writes, namespace, log } = this.#parts
    if (snapshot === null || memory.applied === null) return false
    // What was applied and waits for the store is of that base too, whichever history it came from.
    if (memory.applied !== memory.cursor) await writes.flush()
    const stored = await store.load()
    if (stored === null || stored.cursor?.epoch !== snapshot.cursor.epoch) return false
    if (holdAll(crdt, [snapshot.snapshot, ...updates], stored.base)) return false
    if (this.#saidMore) throw short(namespace)
    this.#holdsMore = true
    log(`the hub lacks what it once sent, at ${snapshot.cursor.seq}: it is told so`)
    return true
  }

  /** @throws SyncError as `answer` */
  async take(channel: ReplicaChannel, stateVector: Uint8Array): Promise<void> {
    if (channel.oneShot) {
      this.#asked = stateVector
      this.#asks++
    } else channel.send(await this.#answer(stateVector))
  }

  /** What goes up with the greeting, or null. @throws SyncError as `answer` */
  async withGreeting(): Promise<Heal | null> {
    const asked = this.#asked
    this.#asked = null
    return asked === null ? null : await this.#answer(asked)
  }

  /** The hub has all that we have of it, or will not have it: the next greeting begins anew. */
  over(): void {
    this.#asked = null
    this.#asks = 0
    this.#holdsMore = false
  }

  /**
   * What waits for the store is recorded first: the base then reaches to the cursor of `Hello`.
   * @throws SyncError HISTORY_DIVERGED where it is too much for one message, UPDATE_MALFORMED, or STORE_….
   */
  async #answer(stateVector: Uint8Array): Promise<Heal> {
    const { memory, writes, store, crdt, connection, namespace, tally } = this.#parts
    await writes.flush()
    const stored = await store.load()
    const update = crdt.updates.diff(stored?.base ?? [], stateVector)
    if (update.length > limits.messageUpBytesMax - FIELDS_BYTES_MAX) throw tooLarge(namespace, update.length)
    tally.healedBytes += update.length
    const { first } = memory.outbox
    return {
      type: 'Heal',
      // What stands before the first commit that waits is in the base.
      counter: first?.commit.prev ?? connection.notes.ackedCounter,
      domainVersion: stored?.identity.domainVersion ?? memory.domainVersion,
      update,
    }
  }
}

function short(namespace: string): SyncError {
  const what = `${namespace}: the hub was restored from an older backup, and its snapshot lacks what this replica has of it`
  return new SyncError(
    'HISTORY_DIVERGED',
    `${what}; nothing was changed: update the hub, which can take it back`,
  )
}

function tooLarge(namespace: string, bytes: number): SyncError {
  return new SyncError(
    'HISTORY_DIVERGED',
    `${namespace}: the hub was restored from an older backup and lacks ${bytes} bytes of what this replica has, more than ` +
      `the ${limits.messageUpBytesMax} that fit one message; nothing was changed: stop both and run ` +
      '`rejoin repair --data HUB_FOLDER --from REPLICA_FOLDER`, or restore a newer backup',
  )
}
