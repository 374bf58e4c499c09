/** The greeting of a replica, and what it may already know to be in the way of its commits. */
import { type ClientId, type Hello, type SyncError, type SyncNotes } from '@rejoin/core'
import { tooNew } from './memory.ts'
import type { SessionParts } from './session-parts.ts'

export function helloOf(parts: SessionParts): Hello {
  const { memory, domain, namespace, connection, healing } = parts
  const stateVector = takenVector(parts)
  return {
    type: 'Hello',
    namespace,
    domain: domain.name,
    domainVersion: domain.version,
    replica: memory.speaker,
    // What only waits for the disk too: a hub that stands below that has lost it, and is not to be built upon (decision 0009).
    cursor: memory.applied,
    // Only what a hub has said: the mark in memory may be a guess, and would be taken for proof of lost history.
    ackedCounter: memory.speaker === memory.replica ? connection.notes.ackedCounter : 0,
    // Who holds other content than the hub makes nothing of its own: it asks for a reset.
    capabilities: [
      'delta',
      ...(connection.awaitsMending ? [] : ['rebuild']),
      'newer',
      'heal',
      ...(healing.saysMore() ? ['more'] : []),
      ...(stateVector === null ? [] : ['trim']),
    ],
    ...(stateVector === null ? {} : { stateVector }),
  }
}

/** What keeps our commits here also after a catch-up that worked; that the hub is too old shows when it takes one. */
export function inTheWay({ memory, domain, connection }: SessionParts): SyncError | SyncNotes['lastError'] {
  const { lastError } = connection.notes
  const atHub = lastError?.code === 'DOMAIN_TOO_NEW' && memory.outbox.size > 0
  return tooNew(memory, domain) ?? (atHub ? lastError : null)
}

/** What the hub has acknowledged to us and not yet sent: it need not send it at all. Null where there is nothing of that. */
function takenVector({ memory, crdt }: SessionParts): Uint8Array | null {
  const clocks = new Map<ClientId, number>()
  for (const { update } of memory.outbox.taken()) {
    const inserted = update.length === 0 ? null : crdt.updates.inspect(update).inserted
    if (inserted !== null) clocks.set(inserted.client, inserted.clock + inserted.length)
  }
  return clocks.size === 0 ? null : crdt.updates.stateVector(clocks)
}
