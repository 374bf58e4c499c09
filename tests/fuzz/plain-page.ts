/** A plain Yjs client in this process: a `Y.Doc` of our tables, and what an unmodified provider says for it. */
import type { Clock, CloseReason, PlainDown, PlainHubChannel, PlainUp } from '@rejoin/core'
import { HlcClock, replicaIdOf } from '@rejoin/core'
import { wrapDocument, type WrappedDocument } from '@rejoin/crdt-adapter'
import { anyone, type Hub } from '@rejoin/hub'
import * as Y from 'yjs'
import type { Seeded } from '../support/seeded.ts'
import { shapes, someOp } from './shapes.ts'

export class PlainPage implements PlainHubChannel {
  readonly doc = new Y.Doc()
  readonly tables: WrappedDocument<typeof shapes>
  readonly oneShot = false
  readonly backlogBytes = 0
  readonly bill = { bytesUp: 0, bytesDown: 0 }
  readonly closed: Promise<CloseReason>
  closedWith: CloseReason | null = null
  /** Messages that it was told, by type. */
  readonly heard = new Map<PlainDown['type'], number>()
  readonly #hlc: HlcClock
  readonly #clock: Clock
  readonly #said: PlainUp[] = []
  #wanted: ((message: PlainUp | null) => void) | null = null
  #resolveClosed: (reason: CloseReason) => void = () => {}

  constructor(hub: Hub, namespace: string, random: Seeded, clock: Clock) {
    this.doc.clientID = random.whole(1_024, 2 ** 32 - 1)
    this.#clock = clock
    this.#hlc = new HlcClock(replicaIdOf(Uint8Array.from({ length: 16 }, () => random.whole(0, 255))), null)
    this.tables = wrapDocument(shapes, this.doc)
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    this.doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== this) this.say({ type: 'Update', update })
    })
    void hub.acceptPlain(this, { namespace, domain: shapes.name, domainVersion: 1 }, anyone)
    this.say({ type: 'SyncStep1', stateVector: Y.encodeStateVector(this.doc) })
  }

  /** Whether the hub has asked what it holds, and was answered. */
  get isAnswered(): boolean {
    return this.heard.has('SyncStep1')
  }

  /** One op drawn from the seed; one that does not fit what is there is left out. */
  write(random: Seeded): void {
    if (this.tables.newestHlc !== null) this.#hlc.absorb(this.tables.newestHlc)
    const op = someOp(random)
    const isFit = op.type !== 'ItemSet' || this.tables.tables.rows.has(op.row)
    if (isFit && op.type !== 'RowColored') this.tables.apply([op], this.#hlc.tick(this.#clock.now()))
  }

  say(message: PlainUp): void {
    if (this.#wanted === null) {
      this.#said.push(message)
      return
    }
    const wanted = this.#wanted
    this.#wanted = null
    wanted(message)
  }

  send(message: PlainDown): void {
    this.heard.set(message.type, (this.heard.get(message.type) ?? 0) + 1)
    if (message.type === 'SyncStep2' || message.type === 'Update')
      Y.applyUpdate(this.doc, message.update, this)
    if (message.type === 'SyncStep1')
      this.say({ type: 'SyncStep2', update: Y.encodeStateAsUpdate(this.doc, message.stateVector) })
  }

  drained(): Promise<void> {
    return Promise.resolve()
  }

  receive(): Promise<PlainUp | null> {
    const next = this.#said.shift()
    if (next !== undefined) return Promise.resolve(next)
    if (this.closedWith !== null) return Promise.resolve(null)
    return new Promise((resolve) => (this.#wanted = resolve))
  }

  end(): void {
    this.close()
  }

  close(reason: CloseReason = { code: null, message: '' }): void {
    this.closedWith ??= reason
    this.#wanted?.(null)
    this.#wanted = null
    this.#resolveClosed(reason)
  }

  destroy(): void {
    this.close()
    this.tables.destroy()
    this.doc.destroy()
  }
}
