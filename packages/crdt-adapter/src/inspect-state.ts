/**
 * Reads a state update (DESIGN section 3): what one document lacks of another. Each client's items are one chain, deleted
 * ones among them, and none waits for itself. What lies outside of it only the log can tell: at which clock each client
 * stands, and whether origins and deleted ids that are not in it are known.
 */
import { type InspectedSection, type InspectedState, type StateBounds } from '@rejoin/core'
import { disallowed } from './inspect.ts'
import { checkPlaceable } from './placing.ts'
import { readStateUpdate, type Section } from './update-reader.ts'

/** @throws SyncError UPDATE_MALFORMED, UPDATE_DISALLOWED or UPDATE_UNKNOWN_ITEM */
export function inspectState(update: Uint8Array, bounds: StateBounds = {}): InspectedState {
  const state = readStateUpdate(update, { entriesMax: Infinity, deleteRangesMax: Infinity, ...bounds })
  const { sections, deleted } = state
  const inspected = sections.map(inspectSection)
  const starts = new Map(sections.map(({ client, clock }) => [client, clock]))
  // All that is not in it is taken for known here.
  checkPlaceable([state], (client) => starts.get(client) ?? Infinity)
  return {
    sections: inspected,
    entries: sections.flatMap(({ runs }) => runs.flatMap(({ entries }) => entries ?? [])),
    deleted: deleted.map(({ client, clock, length }) => ({ client, clock, length })),
  }
}

function inspectSection(section: Section): InspectedSection {
  const { client, clock, length, runs } = section
  for (const run of runs) {
    // Many items behind one of another client would make every reader search for their place (`HAZARDS.md` E1; decision 0002).
    const follows = run.origin?.client === client && run.origin.clock === run.clock - 1
    if (run.clock > 0 && !follows) throw disallowed('items of a client form no chain', run.at)
  }
  const origin = clock === 0 ? (runs[0]?.origin ?? null) : null
  return { inserted: { client, clock, length }, origin }
}
