/** What is seen of a replica: through its own reads, and as its store would give it back. */
import {
  allEntries,
  CLIENT_ID_MIN,
  canonicalJson,
  canonicalValue,
  entryLine,
  findPlace,
  listConflicts,
  mergeOf,
  mergeValues,
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
  const stored = await store.load()
  const parts = [...(stored?.base ?? []), ...(stored?.outbox ?? []).map(({ update }) => update)]
  const snapshot = yjsCrdt.updates.compact(parts.filter((part) => part.length > 0))
  const document = yjsCrdt.open(CLIENT_ID_MIN, [snapshot])
  return {
    reads: readsOf(domain, replica),
    entries: entriesOf(registers),
    stored: entriesOf(document),
    conflicts: JSON.stringify(listConflicts(domain, registers)),
    encoding: Buffer.from(snapshot).toString('hex'),
    unruly: unrulyMerges(domain, registers),
    waiting: document.pendingCount,
    outbox: replica.outbox.map(({ id }) => nameOf(id.counter)),
    lastError: errorText(status.lastError),
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

/** Where a merge function does not ignore the order of its values, so that only luck makes replicas agree. */
function unrulyMerges(domain: AnyDomain, registers: Registers): readonly string[] {
  const unruly: string[] = []
  for (const register of registers.contested()) {
    const [first] = register
    const layout = first === undefined ? undefined : domain.layouts.get(first.table)
    const place = first === undefined || layout === undefined ? null : findPlace(layout, first.key)
    const merge = place === null ? null : mergeOf(place.layout.table, place.field)
    if (first === undefined || typeof merge !== 'function') continue
    const values = register.map(({ value }) => value)
    const read = canonicalJson(mergeValues(merge, values))
    if (canonicalJson(mergeValues(merge, values.toReversed())) !== read)
      unruly.push(`${first.table} ${JSON.stringify(first.key)}`)
  }
  return unruly
}
