/**
 * What a hub lets in of a plain Yjs client, from top to bottom: as strict as with a push, but for what only ops can say. There
 * are none, so the entries alone are held against the schema; and its document may tell again what is known, which is cut off
 * before anything is logged. Nothing is changed here: the answer is a value (invariant 11).
 */
import {
  authorOf,
  checkEntries,
  CLIENT_ID_MIN,
  domainTooNew,
  formatHlc,
  limits,
  parseHlc,
  SyncError,
  type AnyDomain,
  type ClientClocks,
  type CrdtUpdates,
  type Epoch,
  type Hlc,
  type InspectedState,
  type ItemRange,
  type Namespace,
  type ReplicaId,
} from '@rejoin/core'
import {
  checkAllowed,
  checkClientCount,
  checkDomain,
  checkSize,
  type Admission,
  type Candidate,
} from './admission.ts'
import { internal } from './answers.ts'
import { type DeletedItems } from './deleted-items.ts'
import { type Marks } from './marks.ts'
import { type Principal } from './principal.ts'
import { NO_OPS } from './record.ts'

/** One update of a plain client, read strictly by `inspectState`. */
export interface PlainCandidate {
  readonly namespace: Namespace
  readonly principal: Principal
  readonly domain: AnyDomain
  /** The version of the domain that its app knows, and writes. */
  readonly domainVersion: number
  /** As `plainReplicaOf`. */
  readonly replica: ReplicaId
  /** The one that its document is of; null where it is only asked whether it might be admitted. */
  readonly epoch: Epoch | null
  readonly update: Uint8Array
  /** What it says, without what stands for the epoch. */
  readonly state: InspectedState
  /** Whether that stands in the bytes. */
  readonly isMarked: boolean
  /** What is deleted in the document; null where that is not known just now: then everything counts as news. */
  readonly deleted: () => DeletedItems | null
}

export type PlainAdmission = Exclude<Admission, { kind: 'taken' }>

export function isPlain(candidate: Candidate | PlainCandidate): candidate is PlainCandidate {
  return 'state' in candidate
}

/** @param marks as for `admit`, and `clientsMax`, which one update may go beyond by `limits.plainClientsMax`. */
export function admitPlain(
  candidate: PlainCandidate,
  marks: Marks | null,
  updates: CrdtUpdates,
  nowMs: number,
  clientsMax: number,
): PlainAdmission {
  const { namespace, domain, domainVersion, replica, principal } = candidate
  try {
    checkAllowed(candidate, nowMs)
    checkDomain(candidate, marks)
    checkEpoch(candidate, marks)
    if (checkClients(candidate, marks) > 0) checkClientCount(namespace, marks, clientsMax)
    checkKnown(candidate, marks)
    const { update, state } = news(candidate, marks, updates)
    if (state.sections.length === 0 && state.deleted.length === 0) return { kind: 'duplicate' }
    checkVersion(candidate, marks)
    checkBounds(update, state)
    checkEntries(domain, state.entries, domainVersion)
    for (const stamp of new Set(state.entries.map(({ hlc }) => hlc))) checkDrift(stamp, nowMs)
    const prev = marks?.counterOf(replica) ?? 0
    const commit = {
      id: { replica, counter: prev + 1 },
      prev,
      hlc: newestStamp(state) ?? stampOf(replica, nowMs),
      domainVersion,
      principal: principal.id,
      opsJson: NO_OPS,
      update,
    }
    return { kind: 'admitted', commit, inserted: state.sections.map(({ inserted }) => inserted) }
  } catch (error) {
    const what = `${namespace}: a plain client's update could not be checked`
    return { kind: 'refused', error: internal(error, what) }
  }
}

/** A document may have been made anew while it waited: whoever finds the marks so changed meanwhile refuses it. */
function checkEpoch({ namespace, epoch }: PlainCandidate, marks: Marks | null): void {
  if (epoch === null || epoch === marks?.epoch) return
  throw new SyncError('EPOCH_CHANGED', `${namespace} was made anew: connect again with an empty Y.Doc`)
}

/** Client ids belong to the principal whose client used them first; clocks leave no hole. @returns how many are new. */
function checkClients({ namespace, replica, state }: PlainCandidate, marks: Marks | null): number {
  let fresh = 0
  for (const { inserted } of state.sections) {
    const { client, clock, length } = inserted
    const mark = marks?.client(client) ?? null
    const known = mark?.clock ?? 0
    if (clock + length <= known) continue
    if (client < CLIENT_ID_MIN) {
      throw new SyncError(
        'UPDATE_DISALLOWED',
        `client ids below ${CLIENT_ID_MIN} are reserved, the update writes as ${client}`,
      )
    }
    if (mark !== null && mark.owner !== replica) {
      throw new SyncError(
        'CLIENT_TAKEN',
        `client id ${client} of ${namespace} belongs to another; connect again with an empty Y.Doc`,
      )
    }
    if (clock > known) {
      throw new SyncError(
        'UPDATE_CLOCK_GAP',
        `client ${client} continues at clock ${known}, the update starts at ${clock}`,
      )
    }
    if (mark === null) fresh++
  }
  if (fresh <= limits.plainClientsMax) return fresh
  throw new SyncError(
    'UPDATE_DISALLOWED',
    `an update brings at most ${limits.plainClientsMax} new client ids, this one ${fresh}`,
  )
}

/** No missing dependency can ever enter: what it does not hold itself the document does. */
function checkKnown({ state: { sections, deleted } }: PlainCandidate, marks: Marks | null): void {
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

/** What of it the log does not hold, as bytes of their own where that is not all of it. */
function news(
  { update, state, isMarked, deleted }: PlainCandidate,
  marks: Marks | null,
  updates: CrdtUpdates,
): { readonly update: Uint8Array; readonly state: InspectedState } {
  const missing = deleted()?.missing(state.deleted) ?? state.deleted
  const clocks: ClientClocks = new Map(
    state.sections.map(({ inserted: { client } }) => [client, marks?.client(client)?.clock ?? 0]),
  )
  const isAll =
    state.sections.every(({ inserted: { client, clock } }) => clock === clocks.get(client)) &&
    itemsOf(missing) === itemsOf(state.deleted)
  if (isAll && !isMarked) return { update, state }
  const trimmed = updates.trim(update, clocks, missing)
  return { update: trimmed, state: updates.inspectState(trimmed) }
}

function itemsOf(ranges: readonly ItemRange[]): number {
  return ranges.reduce((sum, { length }) => sum + length, 0)
}

/** As with a push: whoever does not know everything in a document writes nothing to it. */
function checkVersion({ namespace, domain, domainVersion }: PlainCandidate, marks: Marks | null): void {
  const held = marks?.domainVersion ?? 1
  const newest = Math.max(domainVersion, held)
  if (newest > domain.version) throw domainTooNew(domain, newest, 'this hub')
  if (held <= domainVersion) return
  const why = `${namespace} holds version ${held} of the domain ${domain.name}, the app knows ${domainVersion}`
  throw new SyncError('DOMAIN_TOO_NEW', `${why}: update it to write again`)
}

function checkBounds(update: Uint8Array, { sections, deleted }: InspectedState): void {
  checkSize(update.length)
  const items = itemsOf(sections.map(({ inserted }) => inserted))
  if (items > limits.updateEntriesMax || deleted.length > limits.updateDeleteRangesMax) {
    throw new SyncError(
      'UPDATE_DISALLOWED',
      `an update brings at most ${limits.updateEntriesMax} items and ${limits.updateDeleteRangesMax} deleted ranges, ` +
        `this one ${items} and ${deleted.length}`,
    )
  }
}

function checkDrift(hlc: Hlc, nowMs: number): void {
  const ahead = parseHlc(hlc).ms - nowMs
  if (ahead <= limits.hlcAheadMsMax) return
  const hours = Math.round(ahead / 3_600_000)
  throw new SyncError(
    'HLC_AHEAD',
    `an entry is stamped ${hours} hours ahead of the hub's clock; set the device's clock`,
  )
}

function newestStamp({ entries }: InspectedState): Hlc | null {
  return entries.reduce<Hlc | null>(
    (newest, { hlc }) => (newest === null || hlc > newest ? hlc : newest),
    null,
  )
}

/** Of deletions alone, which carry none. */
function stampOf(replica: ReplicaId, nowMs: number): Hlc {
  return formatHlc({ ms: nowMs, counter: 0, author: authorOf(replica) })
}
