/**
 * From ops to writes: what a commit does to a document, decided as a value before anything is touched; and the checks of
 * ops and entries against the domain's schemas.
 */
import { assert } from '../assert.ts'
import { asSyncError, SyncError } from '../errors.ts'
import { canonicalValue, sameValue, type Value } from '../value.ts'
import type { Entry } from '../entry.ts'
import type { Hlc } from '../hlc.ts'
import { checkKey } from '../key.ts'
import type { Registers } from '../reading/registers.ts'
import { limits } from '../limits.ts'
import type { AnyDomain } from './domain.ts'
import { Draft, type Write } from './draft.ts'
import { builtInPayload, isBuiltInOp, type AnyOp } from './op.ts'
import { checkRegister, checkRowKey, checkValue, layoutOf, parse, placeOf } from './register-schema.ts'
import { retiredLayout, upcastEach } from './upcasting.ts'
import { writeTables } from './writers.ts'

/** Whether a set under a row that is not there is refused (an app's own op) or kept as an orphan (a recommit). */
export type ParentRule = 'required' | 'optional'

/**
 * Checks ops and decides what they write; touches nothing.
 * @throws SyncError OP_UNKNOWN, OP_INVALID, KEY_INVALID, VALUE_INVALID, OP_FAILED or PARENT_MISSING, with a path that
 * starts at `ops[i]`.
 */
export function planWrites(
  domain: AnyDomain,
  ops: readonly AnyOp[],
  registers: Registers,
  hlc: Hlc,
  parents: ParentRule,
): readonly Write[] {
  const draft = new Draft(registers, hlc)
  runOps(domain, ops, draft)
  const orphan = parents === 'required' ? draft.missingParent() : null
  if (orphan !== null) {
    const { layout, row, field } = orphan.place
    const path = `ops[${orphan.op}]`
    const what = `${path} (${ops[orphan.op]?.type}): ${layout.name} ${JSON.stringify(row)}`
    const ownRow =
      field !== null && layout.table.kind === 'records' && draft.read(layout.name, row).length === 0
    const why = ownRow
      ? 'has no row to set a field of: add it first'
      : `belongs under a row of ${layout.parent?.name ?? layout.name} that is not there`
    throw new SyncError('PARENT_MISSING', `${what} ${why}`, { path })
  }
  return draft.writes()
}

/**
 * The entries of an update against the domain's tables, keys and values (invariant 12).
 * @param version of the domain, in which they were written: an older one may have written to tables that are retired now.
 * @throws SyncError ENTRY_INVALID with the path to the entry.
 */
export function checkEntries(
  domain: AnyDomain,
  entries: readonly Entry[],
  version: number = domain.version,
): void {
  for (const [i, entry] of entries.entries()) {
    try {
      const layout = retiredLayout(domain, entry.table, version) ?? layoutOf(domain, entry.table)
      const place = placeOf(layout, checkKey(entry.key))
      checkRowKey(layout, place.row)
      assert(sameValue(checkValue(place, entry.value), entry.value), 'a checked value is the value')
    } catch (error) {
      if (!(error instanceof SyncError)) throw error
      throw new SyncError('ENTRY_INVALID', error.message, { cause: error, path: `update.entries[${i}]` })
    }
  }
}

/**
 * Ops as they are logged and sent: checked against the domain, in canonical form. Those of an older version are checked as
 * the present one says them, and stay as they were written.
 * @param version of the domain, in which they were written.
 * @throws SyncError what `planWrites` and `upcastOps` throw for wrong ops.
 */
export function canonicalOps(
  domain: AnyDomain,
  ops: readonly AnyOp[],
  version: number = domain.version,
): readonly AnyOp[] {
  return checkOps(domain, ops, version).ops
}

/** Ops that were checked against a domain. */
export interface CheckedOps {
  readonly domain: AnyDomain
  /** Of the domain, in which they were written. */
  readonly version: number
  /** In canonical form, as they were written. */
  readonly ops: readonly AnyOp[]
  /** As the domain's version says them, one for each; null where it has nothing for one to do. */
  readonly parsed: readonly (ParsedOp | null)[]
}

/** An op with what its schema made of its payload. */
export interface ParsedOp {
  readonly type: string
  readonly payload: unknown
}

/** As `canonicalOps`, with what the check has read: so that who checks more need not read it again. */
export function checkOps(
  domain: AnyDomain,
  ops: readonly AnyOp[],
  version: number = domain.version,
): CheckedOps {
  if (ops.length === 0) throw new SyncError('OP_INVALID', 'a commit has at least one op', { path: 'ops' })
  if (ops.length > limits.commitOpsMax) {
    throw new SyncError(
      'COMMIT_TOO_LARGE',
      `a commit has at most ${limits.commitOpsMax} ops, got ${ops.length}`,
      { path: 'ops' },
    )
  }
  // Holes as well.
  const copies = Array.from(ops, (op, i) => canonicalOp(op, `ops[${i}]`))
  const parsed = upcastEach(domain, copies, version).map((op, i) => parseOp(domain, op, i))
  return { domain, version, ops: copies, parsed }
}

/** Runs the writers of ops into `draft`. */
export function runOps(domain: AnyDomain, ops: readonly (AnyOp | null)[], draft: Draft): void {
  const tables = writeTables(domain, draft)
  for (let i = 0; i < ops.length; i++) runOp(domain, parseOp(domain, ops[i] ?? null, i), i, tables, draft)
}

/** The same with ops that were parsed before. */
export function runParsedOps({ domain, parsed }: CheckedOps, draft: Draft): void {
  const tables = writeTables(domain, draft)
  for (let i = 0; i < parsed.length; i++) runOp(domain, parsed[i] ?? null, i, tables, draft)
}

function runOp(domain: AnyDomain, op: ParsedOp | null, i: number, tables: object, draft: Draft): void {
  // Nothing for this version to do.
  if (op === null) return
  draft.beginOp(i)
  try {
    if (isBuiltInOp(op.type)) writeRegisters(domain, draft, op.payload)
    // The declaration's writer takes this very domain's tables and its schema's output; the types were joined there.
    else refusePromise(domain.ops[op.type]?.write(tables as never, op.payload as never))
  } catch (error) {
    const wrapped = asSyncError(error, 'OP_FAILED', `ops[${i}] (${op.type}): its writer threw`)
    throw new SyncError(wrapped.code, `ops[${i}] (${op.type}): ${wrapped.message}`, {
      cause: error,
      path: `ops[${i}]`,
    })
  }
}

/** What an asynchronous writer sets after its first `await` would be lost: its draft is closed by then. */
function refusePromise(result: unknown): void {
  if (typeof result !== 'object' || result === null || !('then' in result)) return
  // Nobody waits for it, so what becomes of it must not end the process.
  Promise.resolve(result).catch(() => {})
  throw new SyncError(
    'OP_FAILED',
    'its writer is asynchronous: a writer reads and writes the tables in one turn',
  )
}

function parseOp(domain: AnyDomain, op: AnyOp | null, index: number): ParsedOp | null {
  return op === null ? null : { type: op.type, payload: parsePayload(domain, op, index) }
}

function parsePayload(domain: AnyDomain, op: AnyOp, index: number): unknown {
  const path = `ops[${index}]`
  const { type, ...payload } = op
  if (isBuiltInOp(type)) return parse(builtInPayload, payload, 'OP_INVALID', path)
  if (!Object.hasOwn(domain.ops, type)) {
    const known = Object.keys(domain.ops).join(', ')
    throw new SyncError(
      'OP_UNKNOWN',
      `${path}: domain ${domain.name} has no op ${JSON.stringify(type)}; it has ${known}`,
      { path },
    )
  }
  return parse(domain.ops[type]?.payload ?? builtInPayload, payload, 'OP_INVALID', path)
}

function writeRegisters(domain: AnyDomain, draft: Draft, payload: unknown): void {
  for (const { table, key, value } of builtInPayload.parse(payload).entries) {
    const place = placeOf(layoutOf(domain, table), key)
    if (value === undefined) draft.remove(table, key)
    else draft.set(place, checkRegister(domain, table, key, value))
  }
}

/**
 * A copy of plain JSON, before anything else looks at the op: what a getter or a proxy says later is never heard, and no
 * schema walks what has no end. An op may be larger than a value: commits are bounded as a whole.
 */
function canonicalOp(op: unknown, path: string): AnyOp {
  const copy = typeof op === 'object' && op !== null ? canonicalValue(op, path, limits.commitBytesMax) : null
  const type: unknown = typeof copy === 'object' && copy !== null && 'type' in copy ? copy['type'] : undefined
  if (typeof type !== 'string')
    throw new SyncError('OP_INVALID', `${path}.type: expected a string`, { path: `${path}.type` })
  // An object with a type: what a canonical copy holds is JSON.
  return { type, ...(copy as Record<string, Value>) }
}
