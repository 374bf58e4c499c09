/**
 * A domain over a Yjs document that a provider of somebody else's syncs: typed tables to read, ops to write. What it writes has
 * the form that a hub takes in (`docs/plain-yjs.md`), and is stamped by a clock that is ahead of all it has read.
 */
import type * as Y from 'yjs'
import {
  CLIENT_ID_MIN,
  HlcClock,
  randomUint32,
  replicaIdOf,
  type AnyDomain,
  type Clock,
  type Conflict,
  type OpOf,
  type TablesReads,
} from '@rejoin/core'
import { wrapDocument } from './wrap.ts'

export interface DocumentTables<D extends AnyDomain> {
  /** Live views of the domain's tables. */
  readonly tables: TablesReads<D['tables']>
  /**
   * Writes one op, or several as one transaction; false where they change nothing.
   * @throws SyncError OP_UNKNOWN, OP_INVALID, VALUE_INVALID, PARENT_MISSING …: then nothing was changed.
   */
  apply(ops: OpOf<D> | readonly OpOf<D>[]): boolean
  conflicts(): readonly Conflict[]
  /** Called after each transaction that changed the document, whoever made it. */
  subscribe(listener: () => void): () => void
  /** Stops following the document, which stays as it is. */
  destroy(): void
}

export function tablesOf<D extends AnyDomain>(
  domain: D,
  doc: Y.Doc,
  { clock }: { readonly clock: Pick<Clock, 'now' | 'random'> },
): DocumentTables<D> {
  // Yjs draws from all 32-bit numbers, and a few of them are reserved.
  while (doc.clientID < CLIENT_ID_MIN) doc.clientID = randomUint32(clock)
  const wrapped = wrapDocument(domain, doc)
  const hlc = new HlcClock(replicaIdOf(clock.random(16)), null)
  const listeners = new Set<() => void>()
  const tell = (): void => {
    for (const listener of listeners) listener()
  }
  doc.on('update', tell)
  return {
    tables: wrapped.tables,
    apply: (ops) => {
      if (wrapped.newestHlc !== null) hlc.absorb(wrapped.newestHlc)
      return wrapped.apply(Array.isArray(ops) ? ops : [ops], hlc.tick(clock.now()))
    },
    conflicts: () => wrapped.conflicts(),
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    destroy: () => {
      doc.off('update', tell)
      wrapped.destroy()
    },
  }
}
