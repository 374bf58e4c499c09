/**
 * What a hub lets a replica bring back, from top to bottom: as strict as with a push, but for what only commits can say
 * (whose each item is, and from which op). Nothing is changed here. That all of it finds its place is tried on the whole
 * document afterwards, before it is logged.
 */
import {
  checkEntries,
  CLIENT_ID_MIN,
  domainTooNew,
  limits,
  parseHlc,
  REBUILD_CLIENT_ID,
  SyncError,
  type AnyDomain,
  type CrdtUpdates,
  type Entry,
  type HealPlan,
  type Hlc,
  type InspectedState,
  type ItemRange,
  type Namespace,
} from '@rejoin/core'
import { type Marks } from './marks.ts'

export interface HealCandidate {
  readonly namespace: Namespace
  /** In the version that this hub knows. */
  readonly domain: AnyDomain
  readonly wanted: HealPlan['wanted']
  readonly domainVersion: number
  readonly update: Uint8Array
}

/**
 * @param marks of the document that it is added to; null where it is a document of its own.
 * @param nowMs the hub's clock.
 * @returns what it says, or 'moved' where it was made for other clocks than the marks'.
 * @throws SyncError DOMAIN_MISMATCH, DOMAIN_TOO_NEW, HLC_AHEAD, UPDATE_… or ENTRY_INVALID
 */
export function checkHeal(
  candidate: HealCandidate,
  marks: Marks | null,
  updates: CrdtUpdates,
  nowMs: number,
): InspectedState | 'moved' {
  const { domain, update } = candidate
  checkDomain(candidate, marks)
  if (update.length === 0) return { sections: [], entries: [], deleted: [] }
  const state = updates.inspectState(update)
  checkClients(candidate, state, marks)
  checkSteps(update, updates)
  const isMoved = state.sections.some(({ inserted }) => inserted.clock !== clockOf(marks, inserted))
  if (isMoved) return 'moved'
  checkKnown(state, marks)
  for (const entry of state.entries) checkEntry(domain, entry)
  for (const stamp of new Set(state.entries.map((entry) => entry.hlc))) checkDrift(stamp, nowMs)
  return state
}

function clockOf(marks: Marks | null, { client }: ItemRange): number {
  return marks?.client(client)?.clock ?? 0
}

function checkDomain({ namespace, domain, domainVersion }: HealCandidate, marks: Marks | null): void {
  if (marks !== null && marks.domain !== domain.name) {
    throw new SyncError(
      'DOMAIN_MISMATCH',
      `${namespace} holds the domain ${marks.domain}, not ${domain.name}`,
    )
  }
  const newest = Math.max(domainVersion, marks?.domainVersion ?? 1)
  if (newest > domain.version) throw domainTooNew(domain, newest, 'this hub')
}

function checkClients({ wanted }: HealCandidate, { sections }: InspectedState, marks: Marks | null): void {
  if (sections.length > limits.healClientsMax) {
    throw new SyncError(
      'UPDATE_DISALLOWED',
      `it holds items of ${sections.length} client ids, more than ${limits.healClientsMax}`,
    )
  }
  for (const { inserted } of sections) {
    const { client } = inserted
    // A rebuilt document begins with items of that one, and nobody adds any.
    const isBeginning = wanted === 'all' || lacksBeginning(marks)
    if (client >= CLIENT_ID_MIN || (isBeginning && client === REBUILD_CLIENT_ID)) continue
    throw new SyncError('UPDATE_DISALLOWED', `it holds items of client id ${client}, which is reserved`)
  }
}

/** No honest document comes to that: it would have been rebuilt, or would have taken no further client id. */
function checkSteps(update: Uint8Array, updates: CrdtUpdates): void {
  const { scanSteps } = updates.weigh(update)
  const stepsMax = limits.scanStepsMax + limits.freshScanStepsMax
  if (scanSteps <= stepsMax) return
  throw new SyncError(
    'UPDATE_DISALLOWED',
    `its clients begin at so few places that finding them takes ${scanSteps} steps, more than ${stepsMax}`,
  )
}

/** The log has lost what its document began with, and nobody has brought that back. */
function lacksBeginning(marks: Marks | null): boolean {
  return marks?.lost[0]?.after === 0 && marks.client(REBUILD_CLIENT_ID) === null
}

/** No missing dependency can ever enter: what it does not hold itself the document does. */
function checkKnown({ sections, deleted }: InspectedState, marks: Marks | null): void {
  const ends = new Map(
    sections.map(({ inserted: { client, clock, length } }) => [client, clock + length] as const),
  )
  const origins = sections.flatMap(({ origin }) => (origin === null ? [] : [{ ...origin, length: 1 }]))
  for (const range of [...origins, ...deleted]) {
    const { client, clock, length } = range
    if (clock + length <= (ends.get(client) ?? 0) || marks?.knows(range) === true) continue
    throw new SyncError(
      'UPDATE_UNKNOWN_ITEM',
      `it builds on items ${client}:${clock}+${length}, which neither it nor the log holds`,
    )
  }
}

/** Of any version of the domain up to now: whoever wrote it may have known tables that are retired since. */
function checkEntry(domain: AnyDomain, entry: Entry): void {
  try {
    return checkEntries(domain, [entry])
  } catch (error) {
    for (let version = domain.version - 1; version >= 1; version--)
      if (isEntryOf(domain, entry, version)) return
    throw error
  }
}

function isEntryOf(domain: AnyDomain, entry: Entry, version: number): boolean {
  try {
    checkEntries(domain, [entry], version)
    return true
  } catch {
    return false
  }
}

function checkDrift(hlc: Hlc, nowMs: number): void {
  const ahead = parseHlc(hlc).ms - nowMs
  if (ahead <= limits.hlcAheadMsMax) return
  const hours = Math.round(ahead / 3_600_000)
  throw new SyncError(
    'HLC_AHEAD',
    `what the replica brings back is stamped ${hours} hours ahead of the hub's clock; set the hub's clock`,
  )
}

/** Whether the bytes are refused for what they are: whoever brings them cannot mend them. */
export function isRefusal({ code }: SyncError): boolean {
  return code.startsWith('UPDATE_') || code === 'ENTRY_INVALID'
}
