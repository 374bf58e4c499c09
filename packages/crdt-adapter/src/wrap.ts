/**
 * Typed tables over a Yjs document that somebody else owns (a provider, an app): reads, and ops written in the same form as
 * a replica writes them. What others put into the array that is no entry is not read.
 */
import type * as Y from 'yjs'
import {
  listConflicts,
  planWrites,
  readTables,
  type AnyDomain,
  type AnyOp,
  type Conflict,
  type Hlc,
  type Registers,
  type TablesReads,
} from '@rejoin/core'
import { EntryArray } from './entry-array.ts'

export interface WrappedDocument<D extends AnyDomain> {
  /** Live views of the domain's tables. */
  readonly tables: TablesReads<D['tables']>
  readonly registers: Registers
  /** Newest stamp in the document or null: an `HlcClock` absorbs it before it ticks. */
  readonly newestHlc: Hlc | null
  /**
   * Writes ops in one transaction, stamped `hlc`; false where they change nothing.
   * @throws SyncError as `planWrites`: a wrong op touches nothing.
   */
  apply(ops: readonly AnyOp[], hlc: Hlc): boolean
  conflicts(): readonly Conflict[]
  /** Stops following the document, which stays as it is. */
  destroy(): void
}

export function wrapDocument<D extends AnyDomain>(domain: D, doc: Y.Doc): WrappedDocument<D> {
  const entries = new EntryArray(doc, true, () => {})
  const { index } = entries
  return {
    tables: readTables(domain, index),
    registers: index,
    get newestHlc() {
      return entries.newestHlc
    },
    apply: (ops, hlc) => entries.write(planWrites(domain, ops, index, hlc, 'required'), hlc) !== null,
    conflicts: () => listConflicts(domain, index),
    destroy: () => entries.detach(),
  }
}
