/**
 * Lets a replica's folder bring back what a repaired hub has lost: from folder to folder, with no hub that runs and no wire,
 * so that no message bounds it. Nothing is written to the replica's folder: what waits there it pushes itself.
 */
import { asSyncError, SyncError, type AnyDomain, type Namespace, type Seq } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { healNamespace } from '@rejoin/hub'
import {
  examineReplicaFolder,
  openHubFolder,
  type ExaminedReplicaFolder,
  type HubFolder,
} from '@rejoin/persistence-level/node'
import type { HearFinding } from './finding.ts'
import { systemClock } from './system-clock.ts'

export interface HealedNamespace {
  readonly namespace: Namespace
  /**
   * `healed`: the hub's log holds all that the replica had of it, brought back now or there before. `whole`: it lacked nothing
   * that this replica has. Null where it could not be healed.
   */
  readonly outcome: 'healed' | 'whole' | null
  /** Of the hub's log, where it holds all of it; null where it is not `healed`. */
  readonly seq: Seq | null
  readonly error: { readonly code: string; readonly message: string } | null
}

/** Both folders must be free. @throws SyncError what opening them throws */
export async function healFrom(
  hubData: string,
  replicaData: string,
  domains: readonly AnyDomain[],
  only: Namespace | null,
  hear: HearFinding,
): Promise<readonly HealedNamespace[]> {
  const hub = await openHubFolder(hubData)
  hear(hub.found, hubData, 'hub')
  try {
    const replicas = await examineReplicaFolder(replicaData)
    hear(replicas.found, replicaData, 'replica')
    try {
      const healed: HealedNamespace[] = []
      for (const namespace of await replicas.namespaces())
        if (only === null || namespace === only) healed.push(await heal(hub, replicas, namespace, domains))
      return healed
    } finally {
      await replicas.close()
    }
  } finally {
    await hub.close()
  }
}

async function heal(
  { store }: HubFolder,
  replicas: ExaminedReplicaFolder,
  namespace: Namespace,
  domains: readonly AnyDomain[],
): Promise<HealedNamespace> {
  try {
    const { meta, ...found } = await soundReplica(replicas, namespace)
    const stored = { ...found, identity: meta.identity, cursor: meta.cursor, notes: meta.notes }
    const domain = domainOf(meta.identity.domain, namespace, domains)
    const parts = { store, updates: yjsCrdt.updates, clock: systemClock }
    const result = await healNamespace(parts, namespace, domain, stored)
    const seq = result.kind === 'healed' ? result.at : null
    return { namespace, outcome: result.kind, seq, error: null }
  } catch (error) {
    const { code, message } = asSyncError(error, 'HUB_INTERNAL', `${namespace} could not be healed`)
    return { namespace, outcome: null, seq: null, error: { code, message } }
  }
}

/** What is damaged brings nothing back. */
async function soundReplica(replicas: ExaminedReplicaFolder, namespace: Namespace) {
  const { meta, base, outbox, faults } = await replicas.examine(namespace)
  const fault = replicas.fault?.message ?? faults[0]?.message
  if (meta !== null && fault === undefined) return { meta, base, outbox }
  const why = fault ?? 'there is nothing of it'
  throw new SyncError('STORE_CORRUPT', `${namespace} in ${replicas.path}: ${why}; take another replica`)
}

function domainOf(name: string, namespace: Namespace, domains: readonly AnyDomain[]): AnyDomain {
  const domain = domains.find((each) => each.name === name)
  if (domain !== undefined) return domain
  const known = domains.map((each) => each.name).join(', ')
  throw new SyncError('DOMAIN_MISMATCH', `${namespace} is kept as ${name}, not as ${known}: name its domain`)
}
