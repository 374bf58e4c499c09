/**
 * The witness of each replica in a browser: which replica was here, and how many of its commits no hub had, in
 * `localStorage`, which not every browser clears together with IndexedDB. So a store that vanished is told
 * from one that never was (`HAZARDS.md` F12).
 */
import { replicaIdSchema, type Namespace } from '@rejoin/core'
import type { ReplicaWitness } from '@rejoin/replica'
import { z } from 'zod'
import type { Witnesses } from '../wiring/connected-replicas.ts'
import type { NoteStorage } from './platform.ts'

const witnessSchema = z.object({ replica: replicaIdSchema, pending: z.number().int().min(0) })

/** Keys are `rejoin:DATABASE:NAMESPACE`. */
export function witnessBook(notes: NoteStorage, database: string): Witnesses {
  const keyOf = (namespace: Namespace): string => `rejoin:${database}:${namespace}`
  return {
    read: (namespace) => {
      const found = attempt((): unknown => JSON.parse(notes.getItem(keyOf(namespace)) ?? 'null'))
      const witness = witnessSchema.safeParse(found)
      return witness.success ? witness.data : null
    },
    follow: (replica) => {
      const key = keyOf(replica.namespace)
      let noted: number | null = null
      const note = (pending: number): void => {
        if (pending === noted) return
        noted = pending
        const witness: ReplicaWitness = { replica: replica.id, pending }
        attempt(() => notes.setItem(key, JSON.stringify(witness)))
      }
      note(replica.status.pending)
      replica.onStatus(({ pending }) => note(pending))
    },
  }
}

/** Notes that cannot be kept or read are none: the replica works without. */
function attempt<T>(work: () => T): T | null {
  try {
    return work()
  } catch {
    return null
  }
}
