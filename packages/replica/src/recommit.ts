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
  type KeyParts,
  type RejectedCommit,
  type Write,
} from '@rejoin/core'
import type { OutboxEntry } from './outbox.ts'

export interface Recommitted {
  readonly document: CrdtDocument
  /** The outbox as it now is, in counter order. */
  readonly outbox: readonly Commit[]
  /** Commits whose ops cannot be carried out on this base. */
  readonly failed: readonly RejectedCommit[]
}

/**
 * @param entries the outbox without what the base holds. Commits that the hub has acknowledged stand as they are, since
 * the tail will bring them: their bytes are applied, not made again.
 * @param mark our high-water mark at the hub: the `prev` of the first commit it lacks.
 * @param out commits among `entries` that are not made again.
 */
export function recommit(
  crdt: Crdt,
  domain: AnyDomain,
  clientId: ClientId,
  base: readonly Uint8Array[],
  entries: readonly OutboxEntry[],
  mark: Counter,
  out: ReadonlySet<Counter> = new Set(),
): Recommitted {
  const standing = entries.filter(({ stage }) => stage === 'acked').map(({ commit }) => commit)
  const rest = entries.filter(({ stage }) => stage !== 'acked')
  const document = crdt.open(clientId, [...base, ...standing.map(({ update }) => update).filter(isThere)])
  const outbox: Commit[] = [...standing]
  const failed: RejectedCommit[] = []
  let prev = standing.at(-1)?.id.counter ?? mark
  // Who made a commit had seen what the commits before it replaced, refused ones included.
  const seen = new Set<string>()
  const own = new Set<Hlc>(standing.map(({ hlc }) => hlc))
  for (const entry of rest) {
    const { commit, replaced, inherited } = entry
    for (const line of [...inherited, ...replaced]) seen.add(line)
    if (out.has(commit.id.counter)) continue
    try {
      const { writes, ...anew } = plan(crdt, domain, document, entry)
      const update =
        document.write(writes, commit.hlc, (live) => own.has(live.hlc) || seen.has(entryLine(live))) ??
        // Bytes of its own, by which answers to a push of the old ones are told from answers to these.
        new Uint8Array(0)
      outbox.push({ ...commit, ...anew, prev, update })
      own.add(commit.hlc)
      prev = commit.id.counter
    } catch (error) {
      const { code, message, path } = asSyncError(
        error,
        'OP_FAILED',
        'the commit could not be carried out again',
      )
      failed.push({ commit, code, message, path })
    }
  }
  return { document, outbox, failed }
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
    const [table, key] = JSON.parse(line) as [string, KeyParts]
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
