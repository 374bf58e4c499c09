/**
 * What can be read of a replica's folder in which LevelDB cannot read some block or table. A value that is left out is missed:
 * each replica's own record counts the others, and where that record itself cannot be read, one that is damaged stands for it.
 */
import type { Namespace } from '@rejoin/core'
import type { DatabaseMoment } from '../database-moment.ts'
import { isCorrupt } from '../sealed-value.ts'
import { replicaKeys } from './replica-keys.ts'

type Moment = Pick<DatabaseMoment, 'entries' | 'sealed' | 'close'>

export async function* readableValues(
  begin: () => Promise<Moment>,
): AsyncGenerator<[key: string, sealed: Uint8Array], void, undefined> {
  const moment = await begin()
  try {
    const namespaces = new Set<Namespace>()
    const metas = new Map<string, Uint8Array>()
    for await (const [key, shown] of moment.entries(replicaKeys.all)) {
      const [, , namespace] = key.split('!')
      if (namespace !== undefined) namespaces.add(namespace)
      // One that is said not to be there is hidden by LevelDB's index or filter: where it were gone, what says so is read or told.
      const sealed = (await sealedOrDamaged(moment, key)) ?? shown
      if (key.startsWith(replicaKeys.metas.gt)) metas.set(key, sealed)
      else if (sealed !== damaged) yield [key, sealed]
    }
    // A record that no range shows may be in what cannot be read.
    for (const namespace of namespaces) {
      const key = replicaKeys.meta(namespace)
      const sealed = metas.get(key) ?? (await sealedOrDamaged(moment, key))
      if (sealed !== null) yield [key, sealed]
    }
  } finally {
    await moment.close()
  }
}

/** Too short for any value. */
const damaged = new Uint8Array(0)

async function sealedOrDamaged(moment: Moment, key: string): Promise<Uint8Array | null> {
  return await moment.sealed(key).catch((error: unknown) => {
    if (!isCorrupt(error)) throw error
    return damaged
  })
}
