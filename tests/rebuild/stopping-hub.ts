/**
 * A hub in a process of its own, over LevelDB, that rebuilds a namespace and stops for ever at one step of it, which it
 * prints: so that it can be killed exactly there. Arguments: data folder, namespace, and the step.
 */
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { intents } from '@rejoin/intents'
import { inlineWork, openHub } from '@rejoin/hub'
import { openHubFolder } from '@rejoin/persistence-level/node'
import { systemClock } from 'rejoin'

const [data = '', namespace = '', point = ''] = process.argv.slice(2)

async function reach(step: string): Promise<void> {
  if (step !== point) return
  process.stdout.write(`${step}\n`)
  // Kept alive by the interval alone.
  await new Promise(() => setInterval(() => {}, 60_000))
}

const { store } = await openHubFolder(data)
const stopping = new Proxy(store, {
  get: (target, property) => {
    const value: unknown = Reflect.get(target, property, target)
    if (typeof value !== 'function') return value
    return async (...args: unknown[]): Promise<unknown> => {
      await reach(`before ${String(property)}`)
      const result: unknown = await Reflect.apply(value, target, args)
      await reach(`after ${String(property)}`)
      return result
    }
  },
})
const inline = inlineWork(yjsCrdt.updates)
const hub = openHub({
  store: stopping,
  updates: yjsCrdt.updates,
  domains: [intents],
  clock: systemClock,
  heavy: {
    ...inline,
    rebuild: async (parts) => {
      await reach('amid the work')
      return inline.rebuild(parts)
    },
  },
})
await hub.rebuild(namespace)
process.stdout.write('it was rebuilt\n')
