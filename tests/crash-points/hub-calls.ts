/**
 * Calls of a hub store, and what a whole store reads like. A store over plain Maps, which knows nothing of the other one's
 * disk, says what each call answers and leaves.
 */
import type { HubStore, Namespace, Seq } from '@rejoin/core'

export interface HubCall {
  readonly name: string
  readonly run: (store: HubStore) => Promise<unknown>
}

export const append = (namespace: Namespace, after: Seq, text: string): HubCall => ({
  name: `append ${text} to ${namespace} after ${after}`,
  run: (store) => store.append(namespace, after, bytesOf(text)),
})
export const install = (namespace: Namespace, seq: Seq): HubCall => ({
  name: `install at ${seq} of ${namespace}`,
  run: (store) =>
    store.installCheckpoint(namespace, {
      seq,
      marks: bytesOf(`marks ${seq}`),
      snapshot: bytesOf(`snapshot ${seq}`),
    }),
})
export const trim = (namespace: Namespace, upTo: Seq): HubCall => ({
  name: `trim ${namespace} up to ${upTo}`,
  run: (store) => store.trim(namespace, upTo),
})
export const remove = (namespace: Namespace): HubCall => ({
  name: `remove ${namespace}`,
  run: (store) => store.remove(namespace),
})
export const read = (name: string, run: HubCall['run']): HubCall => ({ name, run })

export const namespaces: readonly Namespace[] = ['a', 'a-b', 'b', 'c']
const all = { records: 1_000_000, bytes: 1_000_000_000 }

/** Everything that the port lets see. */
export async function readWhole(store: HubStore, names: readonly Namespace[] = namespaces): Promise<string> {
  const found: Record<string, unknown> = { names: await store.namespaces() }
  for (const namespace of names) {
    const range = (await store.heads([namespace])).get(namespace) ?? null
    const checkpoint = await store.checkpoint(namespace)
    found[namespace] = {
      state: await store.state(namespace),
      range,
      fromStart: await store.readTail(namespace, 0, all),
      tail: await store.readTail(namespace, range?.floor ?? 0, all),
      checkpoint:
        checkpoint === null
          ? null
          : { seq: checkpoint.seq, marks: checkpoint.marks, snapshot: await checkpoint.snapshot() },
    }
  }
  return plain(found)
}

/** As text that two stores can be compared by. */
export function plain(value: unknown): string {
  return JSON.stringify(value, function (this: Record<string, unknown>, name, given: unknown) {
    // A Buffer has turned itself into something else before it is given here.
    const part = this[name]
    if (part instanceof Uint8Array) return Buffer.from(part).toString('latin1')
    return given instanceof Map ? [...given] : given
  })
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
