/**
 * Upcasting: ops of an older version of a domain as the present version says them, one version at a time. What was logged
 * or waits in an outbox stays as it was written; it is brought up to date whenever it is carried out or checked.
 */
import { SyncError } from '../errors.ts'
import type { AnyDomain, TableLayout } from './domain.ts'
import { isBuiltInOp, type AnyOp, type Upcaster } from './op.ts'

/**
 * Ops that were written in `version` of the domain, in its present version; those that it has nothing for are left out.
 * @throws SyncError DOMAIN_TOO_NEW for ops of a later version; OP_INVALID where an upcaster throws or gives no op, with a
 * path that starts at `ops[i]`.
 */
export function upcastOps(domain: AnyDomain, ops: readonly AnyOp[], version: number): readonly AnyOp[] {
  return upcastEach(domain, ops, version).filter((op) => op !== null)
}

/** The same with null for those, so that each op keeps its place and a fault its path. */
export function upcastEach(
  domain: AnyDomain,
  ops: readonly AnyOp[],
  version: number,
): readonly (AnyOp | null)[] {
  if (version > domain.version) throw domainTooNew(domain, version)
  if (version === domain.version) return ops
  return ops.map((op, i) =>
    isBuiltInOp(op.type) ? withoutRetired(domain, op) : upcastOp(domain, op, version, `ops[${i}]`),
  )
}

/** Where a retired table's entries may be: in commits of an older version. Null: the table is none. */
export function retiredLayout(domain: AnyDomain, table: string, version: number): TableLayout | null {
  return version < domain.version ? (domain.retired.get(table) ?? null) : null
}

/** @param who knows less: `this app`, `this hub`. */
export function domainTooNew(domain: AnyDomain, version: number, who = 'this side'): SyncError {
  const why = `${who} knows version ${domain.version} of the domain ${domain.name}, not ${version}`
  return new SyncError('DOMAIN_TOO_NEW', `${why}; what it knows stays readable: update it to write again`)
}

/** A choice or an undo names registers: where their table is retired there is nothing left to choose. */
function withoutRetired(domain: AnyDomain, op: AnyOp): AnyOp | null {
  const entries: unknown = op['entries']
  // What is no list of entries is refused with its path by whoever checks the op.
  if (!Array.isArray(entries)) return op
  const kept = entries.filter((entry: { table?: unknown } | null) => {
    const table = entry?.table
    return typeof table !== 'string' || !domain.retired.has(table)
  })
  if (kept.length === entries.length) return op
  return kept.length === 0 ? null : { ...op, entries: kept }
}

function upcastOp(domain: AnyDomain, op: AnyOp, version: number, path: string): AnyOp | null {
  let at: AnyOp = op
  for (let from = version; from < domain.version; from++) {
    const step = upcasterOf(domain, at.type, from)
    if (step === null) continue
    const next = callUpcaster(step, at, `${path} (${at.type}), from version ${from}`, path)
    if (next === null) return null
    at = next
  }
  return at
}

function upcasterOf({ upcast }: AnyDomain, type: string, from: number): Upcaster | null {
  const steps = Object.hasOwn(upcast, type) ? upcast[type] : undefined
  return steps !== undefined && Object.hasOwn(steps, from) ? (steps[from] ?? null) : null
}

function callUpcaster(step: Upcaster, op: AnyOp, what: string, path: string): AnyOp | null {
  let next: ReturnType<Upcaster>
  try {
    next = step(op)
  } catch (cause) {
    throw new SyncError('OP_INVALID', `${what}: its upcaster threw`, { cause, path })
  }
  if (next === null) return null
  if (typeof next !== 'object' || Array.isArray(next)) {
    throw new SyncError('OP_INVALID', `${what}: its upcaster gave no op`, { path })
  }
  return { ...next, type: next.type ?? op.type }
}
