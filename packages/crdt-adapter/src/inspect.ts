/**
 * Reads the update of one commit (DESIGN section 3): at most one client section, no deleted items in it, one chain, each
 * key once. What only the log can tell is the hub's check: is this client's next clock the one named, are origins and
 * deleted ids known.
 */
import { keyText, limits, SyncError, type Entry, type InspectedUpdate, type KeyText } from '@rejoin/core'
import { readStateUpdate, type Run, type Section } from './update-reader.ts'

const bounds = { entriesMax: limits.updateEntriesMax, deleteRangesMax: limits.updateDeleteRangesMax }

/** @throws SyncError UPDATE_MALFORMED or UPDATE_DISALLOWED with the path `update@BYTE`. */
export function inspectUpdate(update: Uint8Array): InspectedUpdate {
  const { sections, deleted } = readStateUpdate(update, bounds)
  const [section, second] = sections
  if (second !== undefined) throw disallowed('a commit writes under one client id', second.at)
  if (section === undefined && deleted.length === 0) throw disallowed('the update changes nothing', 0)
  return {
    inserted:
      section === undefined ? null : { client: section.client, clock: section.clock, length: section.length },
    entries: section === undefined ? [] : entriesOf(section),
    origin: section?.runs[0]?.origin ?? null,
    deleted: deleted.map(({ client, clock, length }) => ({ client, clock, length })),
  }
}

/** The entries of a section that is one chain and writes each key once, as a commit does. */
function entriesOf(section: Section): readonly Entry[] {
  const [first] = section.runs
  if (section.length === 1 && first !== undefined) {
    checkChain(section, first)
    return first.entries ?? []
  }
  const entries: Entry[] = []
  const written = new Map<string, Set<KeyText>>()
  for (const run of section.runs) {
    checkChain(section, run)
    for (const entry of run.entries ?? []) {
      let keys = written.get(entry.table)
      if (keys === undefined) written.set(entry.table, (keys = new Set()))
      const known = keys.size
      if (keys.add(keyText(entry.key)).size === known) {
        throw disallowed(`a commit writes ${JSON.stringify(entry.key)} twice`, run.at)
      }
      entries.push(entry)
    }
  }
  return entries
}

function checkChain({ client, clock }: Section, run: Run): void {
  if (run.entries === null) throw disallowed('a commit adds deleted items', run.at)
  // Without an origin every receiver would have to walk the array from its start; honest writers never need that.
  if (run.origin === null && run.clock > 0) throw disallowed('an item follows none of its client', run.at)
  const follows = run.origin?.client === client && run.origin.clock === run.clock - 1
  if (run.clock > clock && !follows) throw disallowed('items of a commit form no chain', run.at)
}

export function disallowed(why: string, at: number): SyncError {
  const path = `update@${at}`
  return new SyncError('UPDATE_DISALLOWED', `${path}: ${why}`, { path })
}
