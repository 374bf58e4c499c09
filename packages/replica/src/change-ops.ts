/**
 * Changes told as ops, for apps that think in ops. A commit of the app's own ops is told as these; what came from elsewhere,
 * by a reset, by undoing or by resolving as `Restored` ops that say what readers see now. Applied in order to an empty replica
 * of the domain they give the same reads; conflicts and orphans, which readers do not see, are not told.
 */
import {
  isBuiltInOp,
  limits,
  utf8Length,
  type AnyDomain,
  type AnyOp,
  type BuiltInOp,
  type ChangeOrigin,
  type CommitId,
  type OpOf,
  type RegisterWrite,
  type TableLayout,
} from '@rejoin/core'
import { changedRegister, registerName, type AnyChange } from './changes.ts'
import type { Transaction } from './change-feed.ts'
import { jsonOf } from './resolution.ts'

/** A transaction as ops, or a part of one that is too large for one commit. */
export interface ToldOps<D extends AnyDomain> {
  /** They fit into one commit. */
  readonly ops: readonly OpOf<D>[]
  readonly origin: ChangeOrigin
  /** The commit made here whose ops these are, or null. */
  readonly id: CommitId | null
}

/** Ops whose domain is not known to the compiler here. */
export interface AnyToldOps {
  readonly ops: readonly AnyOp[]
  readonly origin: ChangeOrigin
  readonly id: CommitId | null
}

export function toldOps(
  domain: AnyDomain,
  { changes, registers, origin, commit }: Transaction,
): readonly AnyToldOps[] {
  // Built-in ops name registers, also such that are hidden here and would be refused elsewhere.
  if (commit === null || areBuiltIn(commit.ops))
    return restoring(domain, changes).map((op) => ({ ops: [op], origin, id: null }))
  // Rows that a commit brought to light without writing them follow from what is hidden here and need not be elsewhere.
  const written = new Set(registers.map(({ table, key }) => registerName(table, key)))
  const revealed = changes.filter(
    (change) => !written.has(registerName(change.table, changedRegister(change))),
  )
  const rest = restoring(domain, revealed).map((op) => ({ ops: [op], origin, id: null }))
  return [{ ops: commit.ops, origin, id: commit.id }, ...rest]
}

/** Whether these are the ops of an undo, a redo or a resolved conflict, of which the app has written none. */
export function areBuiltIn(ops: readonly AnyOp[]): boolean {
  return ops.every(({ type }) => isBuiltInOp(type))
}

/** These writes as ops that are small enough for a commit of their own. */
export function restoredOps(entries: readonly RegisterWrite[]): readonly BuiltInOp[] {
  const ops: RegisterWrite[][] = []
  let bytes = 0
  for (const entry of entries) {
    const size = utf8Length(JSON.stringify(entry))
    const last = ops.at(-1)
    const fits = bytes + size <= limits.toldOpBytesMax && (last?.length ?? 0) < limits.toldOpEntriesMax
    if (last !== undefined && fits) last.push(entry)
    else ops.push([entry])
    bytes = last !== undefined && fits ? bytes + size : size
  }
  return ops.map((each) => ({ type: 'Restored', entries: each }))
}

/** Ops that make readers see what these changes ended with. */
function restoring(domain: AnyDomain, changes: readonly AnyChange[]): readonly BuiltInOp[] {
  // A row before its fields and before the rows under it, so that each op is accepted after those before it.
  const rank = ({ table, field }: AnyChange): number =>
    2 * depthOf(domain.layouts.get(table) ?? null) + Number(field !== null)
  return restoredOps([...changes].sort((a, b) => rank(a) - rank(b)).map(writeOf))
}

function depthOf(layout: TableLayout | null): number {
  return layout === null ? 0 : 1 + depthOf(layout.parent)
}

function writeOf(change: AnyChange): RegisterWrite {
  const { table, after } = change
  const key = [...changedRegister(change)]
  return after === undefined ? { table, key } : { table, key, value: jsonOf(after) }
}
