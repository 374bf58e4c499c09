/** A channel with what passes looked at: plain calls, since every message of a world goes through here. */
import type { Channel, CloseReason } from '@rejoin/core'

/** @param heard may put another message in the place of what was received. */
export function tapped<Send, Receive>(
  channel: Channel<Send, Receive>,
  sent: (message: Send) => void,
  heard: (message: Receive) => Receive,
): Channel<Send, Receive> {
  return new TappedChannel(channel, sent, heard)
}

class TappedChannel<Send, Receive> implements Channel<Send, Receive> {
  readonly #channel: Channel<Send, Receive>
  readonly #sent: (message: Send) => void
  readonly #heard: (message: Receive) => Receive

  constructor(
    channel: Channel<Send, Receive>,
    sent: (message: Send) => void,
    heard: (message: Receive) => Receive,
  ) {
    this.#channel = channel
    this.#sent = sent
    this.#heard = heard
  }

  send(message: Send): void {
    this.#sent(message)
    this.#channel.send(message)
  }

  async receive(): Promise<Receive | null> {
    const message = await this.#channel.receive()
    return message === null ? null : this.#heard(message)
  }

  get backlogBytes(): number {
    return this.#channel.backlogBytes
  }

  drained(): Promise<void> {
    return this.#channel.drained()
  }

  end(): void {
    this.#channel.end()
  }

  close(reason?: CloseReason): void {
    this.#channel.close(reason)
  }

  get closed(): Promise<CloseReason> {
    return this.#channel.closed
  }

  get bill(): Channel<Send, Receive>['bill'] {
    return this.#channel.bill
  }

  get oneShot(): boolean {
    return this.#channel.oneShot
  }
}
