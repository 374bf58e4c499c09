/**
 * What a hub lets into a log, from top to bottom. Nothing is changed here: the answer is a value, so that a refused commit
 * leaves log, marks and disk as they were (invariant 11). Bytes are read strictly before anything else sees them.
 */
import {
  checkCommitEntries,
  checkEntries,
  checkOps,
  CLIENT_ID_MIN,
  commitName,
  domainTooNew,
  limits,
  parseHlc,
  signInEnd,
  SyncError,
  utf8Length,
  type AnyDomain,
  type CrdtUpdates,
  type Epoch,
  type InspectedUpdate,
  type Entry,
  type ItemRange,
  type Namespace,
  type PushedCommit,
  type ReplicaId,
} from '@rejoin/core'
import { internal } from './answers.ts'
import { type Marks } from './marks.ts'
import { type Principal } from './principal.ts'
import { type LoggedCommit } from './record.ts'

/** One commit of a push, with whose it is. */
export interface Candidate {
  readonly namespace: Namespace
  readonly principal: Principal
  /** The domain that the session named in its `Hello`. */
  readonly domain: AnyDomain
  readonly replica: ReplicaId
  /** The newest version of the domain that the replica's app knows, as its `Hello` says. */
  readonly replicaVersion: number
  /** The push's; null: made without a base. */
  readonly epoch: Epoch | null
  readonly commit: PushedCommit
}

export type Admission =
  | {
      readonly kind: 'admitted'
      readonly commit: LoggedCommit
      readonly inserted: readonly ItemRange[]
    }
  /** Its counter is at or below the mark: it is in the log, or on its way there. */
  | { readonly kind: 'duplicate' }
  /** Another commit is, under the same id: whoever pushed this one is not alone in using it. */
  | { readonly kind: 'taken'; readonly error: SyncError }
  | { readonly kind: 'refused'; readonly error: SyncError }

/**
 * @param marks what the log says and what was admitted before and waits for its append; null for a namespace that does
 * not exist yet.
 * @param nowMs the hub's clock.
 * @param clientsMax a new client id is let in where the document has fewer, as `clientsMax` of `fresh-clients.ts` says.
 */
export function admit(
  candidate: Candidate,
  marks: Marks | null,
  updates: CrdtUpdates,
  nowMs: number,
  clientsMax: number,
): Admission {
  const { replica, commit, principal } = candidate
  try {
    checkAllowed(candidate, nowMs)
    checkSize(commit.update.length)
    checkOwner(candidate, marks)
    checkDomain(candidate, marks)
    checkEpoch(candidate, marks)
    const mark = marks?.markOf(replica) ?? null
    if (mark !== null && commit.counter <= mark.counter) {
      const isOther = commit.counter === mark.counter && mark.hlc !== null && commit.hlc !== mark.hlc
      return isOther ? { kind: 'taken', error: taken(candidate) } : { kind: 'duplicate' }
    }
    checkVersion(candidate, marks)
    checkFollows(candidate, marks)
    const update = commit.update.length === 0 ? emptyUpdate : updates.inspect(commit.update)
    checkClient(update, replica, marks)
    if (isNewClient(update, marks)) checkClientCount(candidate.namespace, marks, clientsMax)
    checkChain(update)
    checkKnown(update, marks)
    const { counter, prev, hlc, domainVersion } = commit
    const opsJson = checkContent(candidate, update.entries, nowMs)
    const id = { replica, counter }
    const logged = { id, prev, hlc, domainVersion, principal: principal.id, opsJson, update: commit.update }
    return { kind: 'admitted', commit: logged, inserted: update.inserted === null ? [] : [update.inserted] }
  } catch (error) {
    const what = `commit ${commitName({ replica, counter: commit.counter })} could not be checked`
    return { kind: 'refused', error: internal(error, what) }
  }
}

/** A commit whose ops changed nothing carries no bytes. */
const emptyUpdate: InspectedUpdate = { inserted: null, entries: [], origin: null, deleted: [] }

export function checkAllowed(
  { principal, namespace }: Pick<Candidate, 'principal' | 'namespace'>,
  nowMs: number,
): void {
  const ended = signInEnd(principal, nowMs)
  if (ended !== null) throw ended
  if (principal.canWrite(namespace)) return
  throw new SyncError('FORBIDDEN', `${principal.name} may not write to ${namespace}; ask for that scope`)
}

/** A replica's id belongs to the principal that used it first, so that nobody goes on in another's name. */
export function checkOwner(
  { namespace, principal, replica }: Pick<Candidate, 'namespace' | 'principal' | 'replica'>,
  marks: Marks | null,
): void {
  const owner = marks?.ownerOf(replica) ?? null
  if (owner === null || owner === principal.id) return
  throw new SyncError(
    'REPLICA_TAKEN',
    `${namespace}: this replica's id belongs to whoever used it first, and ${principal.name} is somebody else; nothing of ` +
      'it is lost: sign in as before, or start with a new folder',
  )
}

/** First of the bytes alone, which costs nothing, then of ops and update together. */
export function checkSize(bytes: number): void {
  if (bytes <= limits.commitBytesMax) return
  throw new SyncError(
    'COMMIT_TOO_LARGE',
    `a commit has at most ${limits.commitBytesMax} bytes, this one has ${bytes}; split it`,
  )
}

export function checkDomain(
  { namespace, domain }: Pick<Candidate, 'namespace' | 'domain'>,
  marks: Marks | null,
): void {
  if (marks !== null && marks.domain !== domain.name) {
    throw new SyncError(
      'DOMAIN_MISMATCH',
      `${namespace} holds the domain ${marks.domain}, not ${domain.name}`,
    )
  }
}

/**
 * Whoever does not know everything in a document writes nothing to it: neither a hub that is older than it, nor a replica,
 * which may have pushed before it could hear so.
 */
function checkVersion({ namespace, domain, replicaVersion, commit }: Candidate, marks: Marks | null): void {
  const held = marks?.domainVersion ?? 1
  const newest = Math.max(commit.domainVersion, held)
  if (newest > domain.version) throw domainTooNew(domain, newest, 'this hub')
  if (held <= replicaVersion) return
  const why = `${namespace} holds version ${held} of the domain ${domain.name}, the app knows ${replicaVersion}`
  throw new SyncError('DOMAIN_TOO_NEW', `${why}: update it to write again; what waits is kept`)
}

/**
 * Bytes of two epochs never mix (invariant 7). Bytes made without a base build on their own client's items alone, which
 * the checks of clocks below prove, so they fit any epoch unless their author's earlier items are gone with an older one.
 */
function checkEpoch({ namespace, replica, epoch }: Candidate, marks: Marks | null): void {
  const fits = epoch === null ? marks?.outlived(replica) !== true : epoch === marks?.epoch
  if (fits) return
  const now = marks === null ? 'does not exist yet' : `is in epoch ${marks.epoch}`
  throw new SyncError(
    'EPOCH_CHANGED',
    `${namespace} ${now}, the push was made in ${epoch ?? 'none'}; recommit`,
  )
}

/** Copies of one data folder draw the same counters: of two commits under one id only the first can be kept. */
export function taken({ namespace, replica, commit }: Candidate): SyncError {
  const name = commitName({ replica, counter: commit.counter })
  return new SyncError(
    'REPLICA_TAKEN',
    `${namespace}: another copy of this replica's folder uses its id and has pushed another commit ${name}; nothing was ` +
      'taken of what you have: keep one copy as it is, and start the other with a new folder',
  )
}

function checkFollows({ replica, commit }: Candidate, marks: Marks | null): void {
  const mark = marks?.counterOf(replica) ?? 0
  if (commit.prev === mark) return
  const name = commitName({ replica, counter: commit.counter })
  throw new SyncError(
    'PUSH_GAP',
    `${name} follows ${commit.prev}, but the last accepted commit is ${mark}; push what follows ${mark} first`,
  )
}

/**
 * A client id belongs to the replica that used it first, and its clocks leave no hole: so no clock is used twice. One that
 * only a heal brought back belongs to who goes on exactly where it ends: its author, whose bytes others may bring back later.
 * Made anew under another id they would come back beside it, live, whatever was removed since (decision 0009).
 */
function checkClient({ inserted }: InspectedUpdate, replica: ReplicaId, marks: Marks | null): void {
  if (inserted === null) return
  const { client, clock } = inserted
  if (client < CLIENT_ID_MIN) {
    throw new SyncError(
      'UPDATE_DISALLOWED',
      `client ids below ${CLIENT_ID_MIN} are reserved, the update writes as ${client}`,
    )
  }
  const mark = marks?.client(client) ?? null
  if (mark !== null && mark.owner !== null && mark.owner !== replica) {
    throw new SyncError(
      'CLIENT_TAKEN',
      `client id ${client} belongs to another replica; recommit under a fresh one`,
    )
  }
  const expected = mark?.clock ?? 0
  if (clock !== expected) {
    throw new SyncError(
      'UPDATE_CLOCK_GAP',
      `client ${client} continues at clock ${expected}, the update starts at ${clock}`,
    )
  }
}

function isNewClient({ inserted }: InspectedUpdate, marks: Marks | null): boolean {
  return inserted !== null && (marks?.client(inserted.client) ?? null) === null
}

/** Wherever many begin, every reader has to search; after a checkpoint, or a rebuild, there is room for more. */
export function checkClientCount(namespace: Namespace, marks: Marks | null, clientsMax: number): void {
  if ((marks?.clientCount ?? 0) < clientsMax) return
  const why =
    clientsMax === 0
      ? 'cost its readers too long a search, until it is rebuilt'
      : 'are new since its last checkpoint, and the next is being made'
  throw new SyncError('RATE_LIMITED', `${namespace}: as many client ids as it takes ${why}; try again`)
}

/**
 * A client's items form one chain: what it adds later stands behind its own last item. Many items behind one foreign item
 * would make every reader search for their place (`HAZARDS.md` E1; decision 0002).
 */
function checkChain({ inserted, origin }: InspectedUpdate): void {
  if (inserted === null || inserted.clock === 0) return
  const { client, clock } = inserted
  if (origin?.client === client && origin.clock === clock - 1) return
  throw new SyncError(
    'UPDATE_DISALLOWED',
    `client ${client} continues behind an item that is not its own last one, at clock ${clock}`,
  )
}

/**
 * No missing dependency can ever enter. That an update deletes something its ops do not name is let through in this
 * release: what a remove deletes is what its replica saw, which ops alone do not tell.
 */
function checkKnown({ origin, deleted }: InspectedUpdate, marks: Marks | null): void {
  if (origin !== null) checkKnownRange({ client: origin.client, clock: origin.clock, length: 1 }, marks)
  for (const range of deleted) checkKnownRange(range, marks)
}

function checkKnownRange(range: ItemRange, marks: Marks | null): void {
  if (marks?.knows(range) === true) return
  const items = `${range.client}:${range.clock}+${range.length}`
  throw new SyncError(
    'UPDATE_UNKNOWN_ITEM',
    `the update builds on items ${items}, which the log does not hold`,
  )
}

/**
 * What the commit sets and says: both are read once, together. Where something is wrong, the list decides what is told: an
 * entry that breaks the schema, then the clock, then the ops.
 * @returns the ops as they are logged: as they were written, since whoever reads them brings them up to date.
 */
function checkContent(candidate: Candidate, entries: readonly Entry[], nowMs: number): string {
  const { domain, commit } = candidate
  try {
    const checked = checkOps(domain, commit.ops, commit.domainVersion)
    const opsJson = JSON.stringify(checked.ops)
    checkSize(commit.update.length + utf8Length(opsJson))
    checkCommitEntries(checked, entries, commit.hlc)
    checkDrift(candidate, nowMs)
    return opsJson
  } catch (error) {
    checkEntries(domain, entries, commit.domainVersion)
    checkDrift(candidate, nowMs)
    throw error
  }
}

function checkDrift({ commit }: Candidate, nowMs: number): void {
  const ahead = parseHlc(commit.hlc).ms - nowMs
  if (ahead <= limits.hlcAheadMsMax) return
  const hours = Math.round(ahead / 3_600_000)
  throw new SyncError(
    'HLC_AHEAD',
    `the commit is stamped ${hours} hours ahead of the hub's clock; set the device's clock`,
  )
}
