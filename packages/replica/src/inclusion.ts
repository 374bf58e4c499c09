/** Whether what we made is in what the hub sent: told by clocks, without a document. */
import { ItemRanges, type ClientId, type Crdt, type InspectedSection, type ItemRange } from '@rejoin/core'

/** Tells whether the items of an update are in these parts of a document; false for one that has none of its own. */
export function heldBy(crdt: Crdt, parts: readonly Uint8Array[]): (update: Uint8Array) => boolean {
  const clocks = clocksOf(crdt, parts)
  return (update) => {
    if (update.length === 0) return false
    const { inserted } = crdt.updates.inspect(update)
    // What only deletes leaves no mark of its own.
    return inserted !== null && (clocks.get(inserted.client) ?? 0) >= inserted.clock + inserted.length
  }
}

/** Whether the document of these parts holds all items of the other, and has deleted all that is deleted there. */
export function holdAll(
  { updates }: Crdt,
  parts: readonly Uint8Array[],
  others: readonly Uint8Array[],
): boolean {
  const [held, asked] = [parts, others].map((of) => updates.inspectState(updates.compact(of)))
  const clocks = new Map(held?.sections.map(({ inserted }) => [inserted.client, endOf(inserted)]))
  const deleted = new ItemRanges(held?.deleted ?? [])
  if (asked === undefined) return true
  const isThere = ({ inserted }: InspectedSection): boolean =>
    endOf(inserted) <= (clocks.get(inserted.client) ?? 0)
  return asked.sections.every(isThere) && asked.deleted.every((range) => deleted.cover(range))
}

function endOf({ clock, length }: ItemRange): number {
  return clock + length
}

function clocksOf(crdt: Crdt, parts: readonly Uint8Array[]): ReadonlyMap<ClientId, number> {
  const clocks = new Map<ClientId, number>()
  for (const part of parts) {
    for (const [client, clock] of crdt.updates.clocks(part)) {
      clocks.set(client, Math.max(clock, clocks.get(client) ?? 0))
    }
  }
  return clocks
}
