/** A dial that notes what goes up and comes down, and breaks where it is told to. */
import type { Dial, DownMessage, ReplicaChannel, UpMessage } from '@rejoin/core'

export class Tap {
  readonly said: UpMessage[] = []
  readonly heard: DownMessage[] = []
  /** The connection breaks before the next message of this type arrives: once. */
  cutBefore: string | null = null

  /** What was noted until now; noting begins anew. */
  take(): { readonly said: readonly UpMessage[]; readonly heard: readonly DownMessage[] } {
    return { said: this.said.splice(0), heard: this.heard.splice(0) }
  }

  tapping(dial: () => Dial): Dial {
    return async (signal) => this.#tap(await dial()(signal))
  }

  #tap(channel: ReplicaChannel): ReplicaChannel {
    const { said, heard } = this
    return {
      send: (message) => {
        said.push(message)
        channel.send(message)
      },
      receive: async () => {
        const message = await channel.receive()
        if (message === null) return null
        if (message.type === this.cutBefore) {
          this.cutBefore = null
          channel.close({ code: 'CHANNEL_CLOSED', message: 'the connection was cut' })
          return null
        }
        heard.push(message)
        return message
      },
      get backlogBytes() {
        return channel.backlogBytes
      },
      drained: () => channel.drained(),
      end: () => channel.end(),
      close: (reason) => channel.close(reason),
      closed: channel.closed,
      get bill() {
        return channel.bill
      },
      oneShot: channel.oneShot,
    }
  }
}
