/**
 * Upcasting: ops of an older version of a domain as the present version says them, one version at a time. What was logged
 * or waits in an outbox stays as it was written; it is brought up to date whenever it is carried out or checked.
 */
import { SyncError } from '../errors.ts'
import type { AnyDomain } from './domain.ts'
import type { AnyOp, Upcaster } from './op.ts'

/**
 * Ops that were written in `version` of the domain, in its present version; those that it has nothing for are left out.
 * @throws SyncError DOMAIN_TOO_NEW for ops of a later version; OP_INVALID where an upcaster throws or gives no op, with a
 * path that starts at `ops[i]`.
 */
export function upcastOps(domain: AnyDomain, ops: readonly AnyOp[], version: number): readonly AnyOp[] {
  if (version > domain.version) throw domainTooNew(domain, version)
  if (version === domain.version) return ops
  return ops.flatMap((op, i) => {
    const brought = upcastOp(domain, op, version, `ops[${i}]`)
    return brought === null ? [] : [brought]
  })
}

/** @param what holds or sent something of that version. */
export function domainTooNew(domain: AnyDomain, version: number, what = 'this side'): SyncError {
  const why = `${what} knows version ${domain.version} of the domain ${domain.name}, not ${version}`
  return new SyncError('DOMAIN_TOO_NEW', `${why}; what it knows stays readable: update it to write again`)
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
  let next: AnyOp | null
  try {
    next = step(op)
  } catch (cause) {
    throw new SyncError('OP_INVALID', `${what}: its upcaster threw`, { cause, path })
  }
  if (next === null) return null
  // Whoever leaves the type out means the same op.
  const type = typeof next?.type === 'string' ? next.type : op.type
  if (typeof next !== 'object')
    throw new SyncError('OP_INVALID', `${what}: its upcaster gave no op`, { path })
  return { ...next, type }
}
