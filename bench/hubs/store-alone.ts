/** The hub's store without a hub: the records that a hub made, appended once more, as many rooms at a time. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HubStore, Namespace, Seq } from '@rejoin/core'
import { openHubFolder } from '@rejoin/persistence-level/node'

export type Bodies = ReadonlyMap<Namespace, readonly Uint8Array[]>

/** The store, with what is appended to it noted. */
export function noteBodies(store: HubStore): { readonly store: HubStore; readonly bodies: Bodies } {
  const bodies = new Map<Namespace, Uint8Array[]>()
  const noted: HubStore['append'] = (namespace, after, body, beyond) => {
    const known = bodies.get(namespace) ?? []
    known.push(body)
    bodies.set(namespace, known)
    return store.append(namespace, after, body, beyond)
  }
  const noting = new Proxy(store, {
    get: (target, name) => {
      if (name === 'append') return noted
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  return { store: noting, bodies }
}

/** Milliseconds that the store takes for them: each room's one after the other, all rooms at once. */
export async function appendAlone(bodies: Bodies): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'rejoin-bench-'))
  try {
    const opened = await openHubFolder(folder)
    const startedAt = performance.now()
    await Promise.all([...bodies].map(([namespace, each]) => appendInTurn(opened.store, namespace, each)))
    const ms = performance.now() - startedAt
    await opened.close()
    return ms
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function appendInTurn(
  store: HubStore,
  namespace: Namespace,
  bodies: readonly Uint8Array[],
): Promise<void> {
  let head: Seq = 0
  for (const body of bodies) {
    const result = await store.append(namespace, head, body)
    if (result.kind === 'moved') throw new Error(`${namespace} has moved on to ${result.head}`)
    head = result.seq
  }
}
