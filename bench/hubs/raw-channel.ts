/** A channel to a hub in this process that costs next to nothing: messages are handed over as they are, by reference. */
import type { Bill, CloseReason, DownMessage, HubChannel, UpMessage } from '@rejoin/core'

export class RawChannel implements HubChannel {
  readonly backlogBytes = 0
  readonly oneShot = false
  /** Bytes are not counted here: nothing is encoded. */
  readonly bill: Bill = { bytesUp: 0, bytesDown: 0 }
  readonly closed: Promise<CloseReason>
  readonly #heard: (message: DownMessage) => void
  readonly #waiting: UpMessage[] = []
  #receiver: ((message: UpMessage | null) => void) | null = null
  #isOver = false
  #end: (reason: CloseReason) => void = () => {}

  /** `heard` is called for each message that the hub sends. */
  constructor(heard: (message: DownMessage) => void) {
    this.#heard = heard
    this.closed = new Promise((resolve) => (this.#end = resolve))
  }

  /** The writer's side. */
  push(message: UpMessage): void {
    const receiver = this.#receiver
    if (receiver === null) {
      this.#waiting.push(message)
      return
    }
    this.#receiver = null
    receiver(message)
  }

  send(message: DownMessage): void {
    this.#heard(message)
  }

  drained(): Promise<void> {
    return Promise.resolve()
  }

  receive(): Promise<UpMessage | null> {
    const message = this.#waiting.shift()
    if (message !== undefined) return Promise.resolve(message)
    if (this.#isOver) return Promise.resolve(null)
    return new Promise((resolve) => (this.#receiver = resolve))
  }

  end(): void {
    this.close()
  }

  close(reason: CloseReason = { code: null, message: 'closed' }): void {
    this.#isOver = true
    this.#receiver?.(null)
    this.#end(reason)
  }
}
