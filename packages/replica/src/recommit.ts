/**
 * Recommitting: outbox commits carried out again on another base. Same ids, same stamps, new bytes under a fresh client id.
 * What their author had not seen stays, older or newer, and is a conflict (DESIGN section 5; invariants 9 and 10).
 */
import {
  asSyncError,
  canonicalOps,
  entryLine,
  planWrites,
  upcastOps,
  type AnyDomain,
  type ClientId,
  type Commit,
  type Counter,
  type Crdt,
  type CrdtDocument,
  type Hlc,
  type RejectedCommit,
  type ReplicaId,
  type Write,
} from '@rejoin/core'
import { heldBy } from './inclusion.ts'
import type { Mark, OutboxEntry } from './outbox.ts'
import { placeOf } from './replaced.ts'

/** Whose document it is, and the ids of its clients: each name of ours writes under another, as a hub binds each to one. */
export interface Writer {
  readonly replica: ReplicaId
  /** For what is made from now on. */
  readonly clientId: ClientId
  /** A fresh id, for the commits of a former name. */
  readonly another: () => ClientId
}

export interface Recommitted {
  /** It writes under the writer's `clientId`. */
  readonly document: CrdtDocument
  /** The outbox as it now is, in counter order. */
  readonly outbox: readonly Commit[]
  /** Commits whose ops cannot be carried out on this base. */
  readonly failed: readonly RejectedCommit[]
}

/**
 * @param entries the outbox without what the base holds. Commits that the hub has acknowledged stand as they are, since
 * the tail will bring them: their bytes are applied, not made again.
 * @param mark our high-water mark at the hub: the `prev` of the first commit of that name that it lacks.
 * @param out commits among `entries` that are not made again.
 */
export function recommit(
  crdt: Crdt,
  domain: AnyDomain,
  writer: Writer,
  base: readonly Uint8Array[],
  entries: readonly OutboxEntry[],
  mark: Mark,
  out: ReadonlySet<Counter> = new Set(),
): Recommitted {
  const stands = ({ stage, commit }: OutboxEntry): boolean => stage === 'acked' && !out.has(commit.id.counter)
  const standing = entries.filter(stands).map(({ commit }) => commit)
  const rest = entries.filter((entry) => !stands(entry))
  const updates = standing.map(({ update }) => update).filter(isThere)
  const document = new Page(crdt, writer, nameOf(rest[0]) ?? writer.replica, [...base, ...updates])
  const outbox: Commit[] = [...standing]
  const failed: RejectedCommit[] = []
  const prevs = new Map([
    [mark.replica, mark.counter],
    ...standing.map(({ id }) => [id.replica, id.counter] as const),
  ])
  // Who made a commit had seen what the commits before it replaced, refused ones included.
  const seen = new Set<string>()
  const own = new Set<Hlc>(standing.map(({ hlc }) => hlc))
  const isInBase = heldBy(crdt, base)
  for (const entry of rest) {
    const { commit, replaced, inherited } = entry
    for (const line of [...inherited, ...replaced]) seen.add(line)
    const prev = prevs.get(commit.id.replica) ?? commit.prev
    prevs.set(commit.id.replica, prev)
    if (out.has(commit.id.counter)) continue
    if (isInBase(commit.update)) {
      // Others had it before the hub was restored, and brought it back: made again it would bring back what is gone since.
      outbox.push({ ...commit, prev, update: new Uint8Array(0) })
      own.add(commit.hlc)
      prevs.set(commit.id.replica, commit.id.counter)
      continue
    }
    try {
      const page = document.of(commit.id.replica)
      const { writes, ...anew } = plan(crdt, domain, page, entry)
      const update =
        page.write(writes, commit.hlc, (live) => own.has(live.hlc) || seen.has(entryLine(live))) ??
        // Bytes of its own, by which answers to a push of the old ones are told from answers to these.
        new Uint8Array(0)
      outbox.push({ ...commit, ...anew, prev, update })
      own.add(commit.hlc)
      prevs.set(commit.id.replica, commit.id.counter)
    } catch (error) {
      const { code, message, path } = asSyncError(
        error,
        'OP_FAILED',
        'the commit could not be carried out again',
      )
      failed.push({ commit, code, message, path })
    }
  }
  return { document: document.of(writer.replica), outbox, failed }
}

/** The document as it is written, under one client after the other. */
class Page {
  readonly #crdt: Crdt
  readonly #writer: Writer
  #name: ReplicaId
  #document: CrdtDocument

  constructor(crdt: Crdt, writer: Writer, name: ReplicaId, updates: readonly Uint8Array[]) {
    this.#crdt = crdt
    this.#writer = writer
    this.#name = name
    this.#document = crdt.open(this.#clientId, updates)
  }

  /** For writing in this name; what was given before is of no use then. */
  of(name: ReplicaId): CrdtDocument {
    if (name === this.#name) return this.#document
    const before = this.#document
    this.#name = name
    this.#document = this.#crdt.open(this.#clientId, [before.encode()])
    before.destroy()
    return this.#document
  }

  get #clientId(): ClientId {
    return this.#name === this.#writer.replica ? this.#writer.clientId : this.#writer.another()
  }
}

function nameOf(entry: OutboxEntry | undefined): ReplicaId | undefined {
  return entry?.commit.id.replica
}

/**
 * What a commit says in this version of the domain and what it writes then. A commit of this version has the effect that
 * its author saw, whatever a writer would do on another base: it sets what it set, and deletes what it deleted of what is
 * still there. So has one of a newer version, written before the app was set back, and one that set something in a table
 * that this version does not have: what it does not know is kept (rule 18). Where there is nothing for an older one to do
 * it stays as it was, without bytes: its id is in use.
 */
function plan(
  crdt: Crdt,
  domain: AnyDomain,
  document: CrdtDocument,
  entry: OutboxEntry,
): Pick<Commit, 'ops' | 'domainVersion'> & { readonly writes: readonly Write[] } {
  const { ops, domainVersion, hlc } = entry.commit
  const same = sameWrites(crdt, document, entry)
  const isKnown = same.every(({ kind, table }) => kind === 'remove' || domain.layouts.has(table))
  if (domainVersion >= domain.version || !isKnown) return { ops, domainVersion, writes: same }
  const present = upcastOps(domain, ops, domainVersion)
  if (present.length === 0) return { ops, domainVersion, writes: [] }
  return {
    ops: canonicalOps(domain, present),
    domainVersion: domain.version,
    writes: planWrites(domain, present, document, hlc, 'optional'),
  }
}

/** What the commit's bytes set and deleted, without a look at its ops. */
function sameWrites(crdt: Crdt, document: CrdtDocument, { commit, replaced }: OutboxEntry): readonly Write[] {
  const { entries } = commit.update.length === 0 ? { entries: [] } : crdt.updates.inspect(commit.update)
  const writes = new Map<string, Write>()
  for (const line of replaced) {
    const [table, key] = placeOf(line)
    const isLive = document.read(table, key).some((live) => entryLine(live) === line)
    if (isLive) writes.set(JSON.stringify([table, key]), { kind: 'remove', table, key })
  }
  for (const { table, key, value } of entries) {
    writes.set(JSON.stringify([table, key]), { kind: 'set', table, key, value })
  }
  return [...writes.values()]
}

function isThere(update: Uint8Array): boolean {
  return update.length > 0
}
