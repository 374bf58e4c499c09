/** Bugs in what a replica and a hub make of bytes: the `Crdt` and `CrdtUpdates` ports. */
import type { Crdt, CrdtDocument, CrdtUpdates, Write } from '@rejoin/core'
import { CLIENT_ID_MIN, entryLine } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { withMembers } from 'rejoin/testing'
import type { Mutant } from './mutant.ts'

export const documentMutants: readonly Mutant[] = [
  {
    name: 'a recommit deletes what its author had not seen',
    foundBy: [19],
    ports: () => ({
      crdt: () => crdtOf((document) => ({ write: (writes, hlc) => document.write(writes, hlc) })),
    }),
  },
  {
    name: 'a set leaves what it replaced',
    foundBy: [20],
    ports: () => ({
      crdt: () =>
        crdtOf((document) => ({ write: (writes, hlc) => document.write(writes, hlc, () => false) })),
    }),
  },
  {
    name: 'a remove takes out only the entry that is read',
    foundBy: [2, 19],
    ports: () => ({
      crdt: () =>
        crdtOf((document) => ({
          write: (writes, hlc, seen = () => true) => {
            const keeps = writes.filter(({ kind }) => kind === 'remove')
            const losers = new Set(
              keeps.flatMap(({ table, key }) => document.read(table, key).slice(1).map(entryLine)),
            )
            return document.write(writes, hlc, (entry) => !losers.has(entryLine(entry)) && seen(entry))
          },
        })),
    }),
  },
  {
    name: 'one replica hides its conflicts',
    foundBy: [1],
    ports: () => ({
      crdt: (replica) => (replica === 1 ? crdtOf(() => ({ contested: () => [] })) : yjsCrdt),
    }),
  },
  {
    name: 'the clock of stamps is not advanced by what is received',
    foundBy: [2, 20],
    ports: () => ({ crdt: () => crdtOf(() => ({ newestHlc: null })) }),
  },
  {
    name: 'a document that is made anew keeps what was refused',
    foundBy: [1, 6, 11, 19],
    ports: () => {
      const last = new Map<number, CrdtDocument>()
      return { crdt: (replica) => stickyCrdt(replica, last) }
    },
  },
  {
    // A hub holds what it rebuilt against a digest of what it was made of: both are broken alike.
    name: 'a rebuild drops the losing value of a conflict',
    foundBy: [1, 4, 19],
    ports: () => ({
      updates: updatesOf({
        rebuild: (parts) => yjsCrdt.updates.rebuild(withoutLosers(parts)),
        digest: (parts) => yjsCrdt.updates.digest(withoutLosers(parts)),
      }),
    }),
  },
  {
    name: 'a hub reads another value than was written',
    foundBy: [24],
    ports: () => ({
      updates: updatesOf({
        inspect: (update) => {
          const inspected = yjsCrdt.updates.inspect(update)
          const entries = inspected.entries.map((entry) =>
            entry.value === 'two' ? { ...entry, value: 'zwei' } : entry,
          )
          return { ...inspected, entries }
        },
      }),
    }),
  },
  {
    name: 'a compaction loses an entry, and digests do not tell',
    foundBy: [1, 19],
    ports: () => ({
      updates: updatesOf({
        compact: (parts) => yjsCrdt.updates.compact(withoutOne(parts)),
        digest: () => '0'.repeat(64),
      }),
    }),
  },
]

/** Yjs, with members of every document replaced. */
function crdtOf(replace: (document: CrdtDocument) => Partial<CrdtDocument>): Crdt {
  return {
    ...yjsCrdt,
    open: (clientId, updates) => {
      const document = yjsCrdt.open(clientId, updates)
      return withMembers(document, replace(document))
    },
  }
}

function updatesOf(replaced: Partial<CrdtUpdates>): CrdtUpdates {
  return { ...yjsCrdt.updates, ...replaced }
}

/** Into every new document of a replica goes what its last one held. */
function stickyCrdt(replica: number, last: Map<number, CrdtDocument>): Crdt {
  return {
    ...yjsCrdt,
    open: (clientId, updates) => {
      const document = yjsCrdt.open(clientId, updates)
      const before = last.get(replica)
      if (before !== undefined) document.apply([before.encode()])
      last.set(replica, document)
      return document
    },
  }
}

/** The document with every conflict settled for the value that is read. */
function withoutLosers(parts: readonly Uint8Array[]): readonly Uint8Array[] {
  const document = yjsCrdt.open(CLIENT_ID_MIN, parts)
  const contested = Array.from(document.contested())
  for (const [winner] of contested) {
    if (winner === undefined) continue
    const { table, key, value, hlc } = winner
    document.write([{ kind: 'set', table, key, value }], hlc)
  }
  return [document.encode()]
}

function withoutOne(parts: readonly Uint8Array[]): readonly Uint8Array[] {
  const document = yjsCrdt.open(CLIENT_ID_MIN, parts)
  for (const table of document.tableNames()) {
    for (const [entry] of document.scan(table, [])) {
      if (entry === undefined) continue
      const removal: Write = { kind: 'remove', table, key: entry.key }
      document.write([removal], entry.hlc)
      return [document.encode()]
    }
  }
  return parts
}
