/** A plain Yjs client in memory: a document, and what a provider says for it. */
import type { CloseReason, PlainDown, PlainHubChannel, PlainRequest, PlainUp } from '@rejoin/core'
import { wrapDocument, type WrappedDocument } from '@rejoin/crdt-adapter'
import { HlcClock, replicaIdOf, type Clock } from '@rejoin/core'
import * as Y from 'yjs'
import { anyone, type Hub, type Principal } from '../src/index.ts'
import { NAMESPACE, notes } from './world.ts'

export class PlainClient implements PlainHubChannel {
  readonly doc: Y.Doc
  readonly wrapped: WrappedDocument<typeof notes>
  readonly oneShot = false
  readonly closed: Promise<CloseReason>
  readonly received: PlainDown[] = []
  closedWith: CloseReason | null = null
  /** Whether it says what it holds when it is asked. */
  isAnswering = true
  readonly #hlc: HlcClock
  readonly #clock: Clock
  readonly #said: PlainUp[] = []
  #wanted: ((message: PlainUp | null) => void) | null = null
  #resolveClosed: (reason: CloseReason) => void = () => {}

  constructor(clock: Clock, clientId: number, doc = new Y.Doc()) {
    this.doc = doc
    doc.clientID = clientId
    this.#clock = clock
    this.#hlc = new HlcClock(replicaIdOf(new Uint8Array(16).fill(clientId % 250)), null)
    this.wrapped = wrapDocument(notes, doc)
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== this) this.say({ type: 'Update', update })
    })
  }

  /** Connects as a provider does. */
  connect(hub: Hub, request: Partial<PlainRequest> = {}, principal: Principal = anyone): this {
    const asked = { namespace: NAMESPACE, domain: 'notes', domainVersion: 1, ...request }
    this.#said.length = 0
    void hub.acceptPlain(this, asked, principal)
    return this.say({ type: 'SyncStep1', stateVector: Y.encodeStateVector(this.doc) })
  }

  note(id: string, text = `text of ${id}`): this {
    if (this.wrapped.newestHlc !== null) this.#hlc.absorb(this.wrapped.newestHlc)
    this.wrapped.apply([{ type: 'Noted', id, text }], this.#hlc.tick(this.#clock.now()))
    return this
  }

  forget(id: string): this {
    this.wrapped.apply([{ type: 'Forgotten', id }], this.#hlc.tick(this.#clock.now()))
    return this
  }

  get texts(): Record<string, string> {
    return Object.fromEntries(Array.from(this.wrapped.tables.notes.entries(), ([id, text]) => [id, text]))
  }

  say(message: PlainUp): this {
    if (this.#wanted === null) this.#said.push(message)
    else {
      const wanted = this.#wanted
      this.#wanted = null
      wanted(message)
    }
    return this
  }

  send(message: PlainDown): void {
    this.received.push(message)
    if (message.type === 'SyncStep2' || message.type === 'Update')
      Y.applyUpdate(this.doc, message.update, this)
    if (message.type === 'SyncStep1' && this.isAnswering) this.tell(message.stateVector)
  }

  tell(stateVector: Uint8Array): this {
    return this.say({ type: 'SyncStep2', update: Y.encodeStateAsUpdate(this.doc, stateVector) })
  }

  readonly backlogBytes: number = 0
  readonly bill = { bytesUp: 0, bytesDown: 0 }

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
}
