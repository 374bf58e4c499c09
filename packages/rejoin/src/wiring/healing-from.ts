/**
 * Lets a replica's folder bring back what a repaired hub has lost, as it would by itself at its next sync: both in this
 * process and on no port, so nobody else is let in, and nobody has to sign in.
 */
import { asSyncError, type AnyDomain, type Dial, type Namespace } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, openHub } from '@rejoin/hub'
import { openHubFolder, openReplicaFolder, type ReplicaFolder } from '@rejoin/persistence-level/node'
import { openReplica } from '@rejoin/replica'
import { memoryDial } from '@rejoin/transport'
import { systemClock } from './system-clock.ts'

export interface HealedNamespace {
  readonly namespace: Namespace
  /** Null where the replica could not sync. */
  readonly path: string | null
  readonly error: { readonly code: string; readonly message: string } | null
}

/** Both folders must be free. @throws SyncError what opening them throws */
export async function healFrom(
  hubData: string,
  replicaData: string,
  domains: readonly AnyDomain[],
  only: Namespace | null,
): Promise<readonly HealedNamespace[]> {
  const hubFolder = await openHubFolder(hubData)
  const hub = openHub({
    store: hubFolder.store,
    updates: yjsCrdt.updates,
    domains,
    clock: systemClock,
    // It was asked to heal, and for no new epoch.
    rebuild: 'never',
  })
  const { dial } = memoryDial({
    clock: systemClock,
    accept: (channel) => void hub.accept(channel, anyone),
  })
  try {
    const replicas = await openReplicaFolder(replicaData)
    try {
      const healed: HealedNamespace[] = []
      for (const namespace of await replicas.namespaces())
        if (only === null || namespace === only)
          healed.push(await syncOnce(replicas, namespace, domains, dial))
      return healed
    } finally {
      await replicas.close()
    }
  } finally {
    await hub.close()
    await hubFolder.close()
  }
}

async function syncOnce(
  replicas: ReplicaFolder,
  namespace: Namespace,
  domains: readonly AnyDomain[],
  dial: Dial,
): Promise<HealedNamespace> {
  let failure: unknown = null
  // Whichever of them the namespace is kept as.
  for (const domain of domains) {
    const store = replicas.replica(namespace)
    try {
      const parts = { store, crdt: yjsCrdt, clock: systemClock, dial, live: false }
      const replica = await openReplica({ domain, namespace, ...parts })
      try {
        const { path } = await replica.syncOnce()
        return { namespace, path, error: null }
      } finally {
        await replica.close()
      }
    } catch (error) {
      failure = error
      if (asSyncError(error, 'HUB_INTERNAL', '').code !== 'DOMAIN_MISMATCH') break
    } finally {
      await store.close()
    }
  }
  const { code, message } = asSyncError(failure, 'HUB_INTERNAL', `${namespace} could not be synced`)
  return { namespace, path: null, error: { code, message } }
}
