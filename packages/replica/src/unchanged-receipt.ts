/** The receipt of ops that changed nothing: how well the state is kept that they repeat. */
import type { ReplicaMemory } from './memory.ts'
import type { PendingWrites } from './pending-writes.ts'
import type { Receipt } from './receipt.ts'
import type { Connection } from './status.ts'

export function unchangedReceipt({ memory, writes, connection }: StandingParts): Receipt {
  const saved = writes.flush().then(() => writes.durability)
  // `status.persistence` tells of it too.
  saved.catch(() => {})
  const acked = memory.outbox.lastAcked() ?? Promise.resolve(connection.acked ?? 'applied')
  return { kind: 'unchanged', id: null, saved, acked }
}

/** Where the state stands that an `unchanged` receipt repeats. */
interface StandingParts {
  readonly memory: Pick<ReplicaMemory, 'outbox'>
  readonly writes: Pick<PendingWrites, 'flush' | 'durability'>
  readonly connection: Pick<Connection, 'acked'>
}
