/** Opening a replica: everything from its store, or a new identity; then its parts, wired. */
import {
  asSyncError,
  checkNamespace,
  limits,
  PathLedger,
  replicaIdOf,
  SyncError,
  type AnyDomain,
  type Counter,
  type CrdtDocument,
  type StoredReplica,
} from '@rejoin/core'
import { ChangeFeed } from './change-feed.ts'
import { Exchange } from './exchange.ts'
import { Folding } from './folding.ts'
import { Inbound } from './inbound.ts'
import { LiveLoop } from './live-loop.ts'
import { LocalReplica } from './local-replica.ts'
import { freshClientId, ReplicaMemory, tooNew, writerOf } from './memory.ts'
import { newIdentitySentence, takeNewIdentity } from './new-identity.ts'
import { Outbox } from './outbox.ts'
import { PendingWrites } from './pending-writes.ts'
import { recommit } from './recommit.ts'
import { applyOutbox, type Replaced } from './replaced.ts'
import type { Replica, ReplicaOptions } from './replica.ts'
import { SentMark } from './sent-mark.ts'
import { Connection } from './status.ts'
import { SyncOnce } from './sync-once.ts'
import { vanished, vanishedSentence } from './vanished.ts'

/**
 * Opens a namespace's replica from its store, or makes a new one there.
 * Where the store holds a newer version of the domain it opens for reading: `status.domainTooNew` says so.
 * @throws SyncError NAMESPACE_INVALID; DOMAIN_MISMATCH when the store holds another domain; STORE_UNAVAILABLE, STORE_FULL, STORE_CORRUPT or STORE_CLOSED when it cannot be read or made.
 */
export async function openReplica<D extends AnyDomain>(options: ReplicaOptions<D>): Promise<Replica<D>> {
  const { domain, store, crdt, clock, dial, log = () => {} } = options
  const namespace = checkNamespace(options.namespace)
  const found = (await load(options)) ?? (await create(options))
  const localStateLost = vanished(options.witness, found)
  if (localStateLost !== null) log(vanishedSentence(namespace, localStateLost))
  checkDomain(found, domain, namespace)
  const own = found.isCopy ? await takeNewIdentity(store, namespace, clock, found) : found
  if (found.isCopy) log(newIdentitySentence(namespace, found, own))
  const { stored, document, replaced } = await openDocument(options, own)
  const memory = new ReplicaMemory(stored, document, replaced, found.isCopy ? found.identity.replica : null)
  const connection = new Connection(clock, stored.notes)
  const writes = new PendingWrites(store, clock, () => {
    connection.changed()
    // What was just saved may be sent.
    exchange.poke()
  })
  const sent = new SentMark(connection, writes)
  recordVersion(memory, stored, writes)
  const feed = new ChangeFeed(domain, memory)
  const onChange = (): void => connection.changed()
  const elsewhere = options.fold ?? null
  const folding = new Folding({ namespace, memory, writes, store, crdt, clock, elsewhere, log, onChange })
  const awareness = crdt.awareness(memory.document.clientId)
  const inbound = new Inbound({ memory, writes, feed, folding, connection, crdt, domain, clock })
  const tally = {
    pulled: 0,
    applied: 0,
    pushed: 0,
    snapshotBytes: 0,
    healedBytes: 0,
    paths: new PathLedger(),
    welcome: null,
  }
  const exchange: Exchange = new Exchange({
    domain,
    namespace,
    clock,
    store,
    crdt,
    memory,
    writes,
    inbound,
    connection,
    sent,
    awareness,
    tally,
    log,
  })
  awareness.onUpdate((update) => exchange.sendAwareness(update))
  const live = dial === null ? null : new LiveLoop(exchange, clock, dial)
  const held = () => tooNew(memory, domain) ?? connection.held
  const once = new SyncOnce(exchange, clock, memory.outbox, connection, held)
  folding.foldIfGrown()
  const replica = new LocalReplica({
    outboxCommitsMax: Math.min(options.outboxCommitsMax ?? Infinity, limits.outboxCommitsMax),
    domain,
    namespace,
    clock,
    dial,
    store,
    crdt,
    localStateLost,
    memory,
    writes,
    folding,
    feed,
    connection,
    sent,
    exchange,
    once,
    live,
    awareness,
  })
  if (live !== null && options.live !== false) live.start()
  return replica
}

async function load({ store, namespace }: ReplicaOptions<AnyDomain>): Promise<StoredReplica | null> {
  try {
    return await store.load()
  } catch (error) {
    throw asSyncError(error, 'STORE_UNAVAILABLE', `the replica of ${namespace} cannot be read`)
  }
}

async function create({
  store,
  domain,
  clock,
  namespace,
}: ReplicaOptions<AnyDomain>): Promise<StoredReplica> {
  const identity = {
    replica: replicaIdOf(clock.random(16)),
    clientId: freshClientId(clock, null),
    domain: domain.name,
    // It holds nothing yet.
    domainVersion: 1,
  }
  try {
    await store.record([{ kind: 'create', identity }])
  } catch (error) {
    throw asSyncError(error, 'STORE_UNAVAILABLE', `a replica of ${namespace} cannot be made here`)
  }
  return {
    identity,
    isCopy: false,
    formerCounter: 0,
    counter: 0,
    hlc: null,
    cursor: null,
    base: [],
    snapshotBytes: 0,
    updateBytes: 0,
    outbox: [],
    rejected: [],
    notes: { lastAttemptAt: null, lastSuccessAt: null, lastError: null, ackedCounter: 0, sentCounter: 0 },
  }
}

function checkDomain({ identity }: StoredReplica, domain: AnyDomain, namespace: string): void {
  if (identity.domain !== domain.name) {
    const why = `${namespace} is kept here as domain ${identity.domain}, not ${domain.name}`
    throw new SyncError('DOMAIN_MISMATCH', `${why}: open it with that domain, or in another folder`)
  }
}

/** Release 0.1 did not raise it with what it wrote, and commits that were just made anew may be of a newer version. */
function recordVersion(
  { domainVersion }: ReplicaMemory,
  { identity }: StoredReplica,
  writes: PendingWrites,
): void {
  if (domainVersion > identity.domainVersion) writes.add([{ kind: 'domainVersion', domainVersion }])
}

/**
 * Base and outbox. Where the outbox does not build on the base (it was closed between learning that the log holds other
 * bytes of a commit and making the rest anew) it is recommitted now.
 */
async function openDocument(
  options: ReplicaOptions<AnyDomain>,
  stored: StoredReplica,
): Promise<{ stored: StoredReplica; document: CrdtDocument; replaced: ReadonlyMap<Counter, Replaced> }> {
  const { crdt, namespace, domain, clock, store } = options
  const { identity, base, outbox } = stored
  try {
    const document = crdt.open(identity.clientId, base)
    return { stored, document, replaced: applyOutbox(document, outbox) }
  } catch (cause) {
    if (!(cause instanceof SyncError) || cause.code !== 'UPDATE_UNKNOWN_ITEM' || outbox.length === 0) {
      throw corrupt(namespace, cause)
    }
  }
  const writer = writerOf(clock, identity.replica, identity.clientId)
  const { clientId } = writer
  // What they replaced cannot be told any more: so they replace nothing but each other, and nothing of others is lost.
  const replaced = new Map<Counter, Replaced>()
  const entries = new Outbox(outbox, replaced).entries()
  try {
    const [first] = outbox
    const mark = { replica: first?.id.replica ?? identity.replica, counter: first?.prev ?? 0 }
    const anew = recommit(crdt, domain, writer, base, entries, mark)
    await store.record([{ kind: 'recommit', clientId, outbox: anew.outbox, rejected: anew.failed }])
    const rejected = [...stored.rejected, ...anew.failed]
    return {
      stored: { ...stored, identity: { ...identity, clientId }, outbox: anew.outbox, rejected },
      document: anew.document,
      replaced,
    }
  } catch (cause) {
    throw corrupt(namespace, cause)
  }
}

function corrupt(namespace: string, cause: unknown): SyncError {
  if (cause instanceof SyncError && cause.code.startsWith('STORE_')) return cause
  const why = cause instanceof Error ? cause.message : String(cause)
  return new SyncError('STORE_CORRUPT', `what is stored of ${namespace} does not make a document: ${why}`, {
    cause,
  })
}
