/** What goes out to one plain Yjs client: only while its principal may read, and never more than it takes. */
import {
  limits,
  type SyncError,
  type Clock,
  type Namespace,
  type PlainDown,
  type PlainHubChannel,
} from '@rejoin/core'
import { internal } from './answers.ts'
import { Backlog } from './backlog.ts'
import { type Principal } from './principal.ts'
import { readingEnd } from './reading-right.ts'

export interface PlainOutletParts {
  readonly channel: PlainHubChannel
  readonly namespace: Namespace
  readonly principal: Principal
  readonly clock: Clock
  /** Nothing may be sent any more. */
  readonly failed: (error: SyncError) => void
}

export class PlainOutlet {
  readonly #parts: PlainOutletParts
  readonly #backlog: Backlog
  #isOver = false

  constructor(parts: PlainOutletParts) {
    this.#parts = parts
    this.#backlog = new Backlog(parts.channel, parts.clock, () => this.#isOver)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** More waits than a client may leave untaken. */
  get isBehind(): boolean {
    return this.#backlog.isTooLarge
  }

  /** @throws SyncError FORBIDDEN, or why the sign-in has ended */
  checkReadable(): void {
    const { principal, clock, namespace } = this.#parts
    const ended = readingEnd(principal, namespace, clock)
    if (ended !== null) throw ended
  }

  /** Asked with every message, as with any session: false where nothing more may be sent. */
  send(message: PlainDown): boolean {
    if (this.#isOver) return false
    try {
      this.checkReadable()
    } catch (error) {
      this.#parts.failed(internal(error, 'the session failed'))
      return false
    }
    this.#parts.channel.send(message)
    return true
  }

  /** Presence is the first thing that a slow client goes without. */
  get takesPresence(): boolean {
    return this.#parts.channel.backlogBytes <= limits.frameBytesMax
  }

  sendPresence(update: Uint8Array): void {
    if (this.takesPresence) this.send({ type: 'Awareness', update })
  }

  deny({ code, message }: Pick<SyncError, 'code' | 'message'>): void {
    if (!this.#isOver) this.#parts.channel.send({ type: 'PermissionDenied', reason: `${code}: ${message}` })
  }

  /** As `Backlog.below`. */
  ready(bytesMax: number): Promise<void> {
    return this.#backlog.below(bytesMax)
  }

  /** As `Backlog.drained`. */
  drained(): Promise<void> {
    return this.#backlog.drained()
  }

  end(): void {
    this.#isOver = true
  }
}
