/** What is seen of a replica: through its own reads, and as its store would give it back. */
import {
  allEntries,
  CLIENT_ID_MIN,
  canonicalJson,
  canonicalValue,
  entryLine,
  listConflicts,
  type AnyDomain,
  type Registers,
  type ReplicaStore,
} from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import type { Replica } from '@rejoin/replica'
import type { CommitName, EntryLine, ReplicaGlance, ReplicaObservation } from '@rejoin/testkit'

export async function observeReplica(
  domain: AnyDomain,
  replica: Replica<AnyDomain>,
  store: ReplicaStore,
  nameOf: (counter: number) => CommitName,
): Promise<ReplicaObservation> {
  const { registers, status } = replica
  const stored = await readStore(store)
  return {
    reads: readsOf(domain, replica),
    entries: entriesOf(registers),
    stored: stored.entries,
    conflicts: JSON.stringify(listConflicts(domain, registers)),
    encoding: stored.encoding,
    waiting: stored.waiting,
    outbox: replica.outbox.map(({ id }) => nameOf(id.counter)),
    lastError: errorText(status.lastError),
  }
}

type Stored = Pick<ReplicaObservation, 'encoding' | 'waiting'> & { readonly entries: readonly EntryLine[] }

/** What a replica that starts again would find. What cannot be read is nothing it holds. */
async function readStore(store: ReplicaStore): Promise<Stored> {
  try {
    const stored = await store.load()
    const parts = [...(stored?.base ?? []), ...(stored?.outbox ?? []).map(({ update }) => update)]
    const snapshot = yjsCrdt.updates.compact(parts.filter((part) => part.length > 0))
    const document = yjsCrdt.open(CLIENT_ID_MIN, [snapshot])
    const encoding = Buffer.from(snapshot).toString('hex')
    return { entries: entriesOf(document), encoding, waiting: document.pendingCount }
  } catch (error) {
    const why = `(it cannot be read: ${error instanceof Error ? error.message : String(error)})`
    return { entries: [why], encoding: why, waiting: 0 }
  }
}

/** What changes with every step. `refused`: entries that only refused commits have set. */
export function glanceAt(
  replica: Replica<AnyDomain>,
  refused: ReadonlySet<EntryLine>,
): Omit<ReplicaGlance, 'live'> {
  const { cursor, state, lastError } = replica.status
  return {
    cursor,
    unplaced: replica.unplaced,
    outbox: replica.outbox.length,
    contested: Array.from(replica.registers.contested()).length,
    strays: refused.size === 0 ? [] : entriesOf(replica.registers).filter((line) => refused.has(line)),
    state,
    lastError: errorText(lastError),
  }
}

export function entriesOf(registers: Registers): readonly EntryLine[] {
  return Array.from(allEntries(registers), entryLine)
}

function errorText(error: { readonly code: string; readonly message: string } | null): string | null {
  return error === null ? null : `${error.code}: ${error.message}`
}

/** Every visible row, as an app reads it. */
function readsOf(domain: AnyDomain, replica: Replica<AnyDomain>): readonly string[] {
  return [...domain.layouts.values()].flatMap(({ name, table }) => {
    // Each view is of the kind that its table is.
    const view = replica.tables[name] as unknown as {
      get(): unknown
      entries(): Iterable<readonly [unknown, unknown]>
    }
    if (table.kind === 'singleton') return [`${name} ${textOf(view.get())}`]
    return Array.from(view.entries(), ([key, row]) => `${name} ${JSON.stringify(key)} ${textOf(row)}`)
  })
}

function textOf(read: unknown): string {
  return canonicalJson(canonicalValue(read))
}
