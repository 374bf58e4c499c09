/** A thing as it is, but for what is laid over it. */
import type { ReplicaChannel } from '@rejoin/core'

export function overlaid<T extends object>(under: T, over: Partial<T>): T {
  return new Proxy(under, {
    get: (target, property) => {
      if (property in over) return Reflect.get(over, property)
      const value: unknown = Reflect.get(target, property, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

/** As over HTTP: everything up before anything comes down. */
export function oneShot(channel: ReplicaChannel): ReplicaChannel {
  return overlaid(channel, { oneShot: true })
}
