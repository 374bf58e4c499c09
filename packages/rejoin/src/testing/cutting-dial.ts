/** A connection in memory that breaks after a number of messages down: what was acknowledged then is not heard. */
import type { Clock, Dial, DownMessage, HubChannel, ReplicaChannel } from '@rejoin/core'
import { memoryConnection, type MemoryConnection } from '@rejoin/transport'

/** `cutAfter` null: it lasts. */
export function cuttingDial(
  clock: Clock,
  accept: (channel: HubChannel) => void,
  cutAfter: number | null,
): Dial {
  return async () => {
    const connection = memoryConnection({ clock, accept })
    const channel = connection.open()
    return cutAfter === null ? channel : cutting(channel, connection, cutAfter)
  }
}

function cutting(channel: ReplicaChannel, connection: MemoryConnection, cutAfter: number): ReplicaChannel {
  let heard = 0
  const receive = async (): Promise<DownMessage | null> => {
    if (heard++ === cutAfter) connection.cut()
    return channel.receive()
  }
  return new Proxy(channel, {
    get: (target, name) => {
      if (name === 'receive') return receive
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}
