/** What a reader of a replica sees, and what is kept: equal wherever replicas have converged. */
import type { AnyDomain } from '@rejoin/core'
import { digestOf, yjsCrdt } from '@rejoin/crdt-adapter'
import type { Replica } from '@rejoin/replica'

export function viewOf<D extends AnyDomain>(replica: Replica<D>) {
  const { pending, divergence, persistence } = replica.status
  return {
    digest: digestOf(replica.registers),
    conflicts: replica.conflicts(),
    document: Buffer.from(yjsCrdt.updates.compact([replica.encode()])).toString('hex'),
    unplaced: replica.unplaced,
    pending,
    rejected: replica.rejected,
    divergence,
    persistence,
  }
}

/** The names that come more than once. */
export function repeated(names: readonly string[]): readonly string[] {
  const seen = new Set<string>()
  return names.filter((name) => seen.size === seen.add(name).size)
}
