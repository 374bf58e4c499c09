/**
 * What a replica has said in its greeting that it has beyond its cursor: whole commits, by the items they wrote. It says so of
 * commits that it made and that were acknowledged, so the tail names them and need not bring them.
 */
import { type ClientClocks, type CrdtUpdates, type Hello } from '@rejoin/core'

export class SaidHeld {
  readonly #updates: CrdtUpdates
  readonly #clocks: ClientClocks | null

  /** @throws SyncError UPDATE_MALFORMED where its state vector is none. */
  constructor(updates: CrdtUpdates, { stateVector }: Hello) {
    this.#updates = updates
    this.#clocks = stateVector === undefined ? null : updates.readStateVector(stateVector)
  }

  /** Of a commit that only deletes nobody can tell, so it is sent. */
  has(update: Uint8Array): boolean {
    const clocks = this.#clocks
    if (clocks === null || update.length === 0) return false
    // A plain Yjs client's commit may hold items of several clients.
    const { sections } = this.#updates.inspectState(update)
    if (sections.length === 0) return false
    return sections.every(
      ({ inserted: { client, clock, length } }) => clock + length <= (clocks.get(client) ?? 0),
    )
  }
}
