/**
 * From ops to writes: what a commit does to a document, decided as a value before anything is touched, and the check by
 * which a hub holds an update against the ops it claims to carry out.
 */
import { assert } from '../assert.ts'
import { asSyncError, SyncError } from '../errors.ts'
import { canonicalJson, canonicalValue, sameValue, type Value } from '../value.ts'
import type { Entry } from '../entry.ts'
import type { Hlc } from '../hlc.ts'
import { keyText } from '../key.ts'
import type { Registers } from '../reading/registers.ts'
import { limits } from '../limits.ts'
import type { AnyDomain } from './domain.ts'
import { Draft, emptyDraft, type Write } from './draft.ts'
import { builtInPayload, isBuiltInOp, type AnyOp } from './op.ts'
import { checkRegister, layoutOf, parse, placeOf } from './register-schema.ts'
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
    const { layout, row, field } = orphan
    const parent =
      field !== null && layout.table.kind === 'records' ? layout.name : (layout.parent?.name ?? layout.name)
    throw new SyncError(
      'PARENT_MISSING',
      `${layout.name} ${JSON.stringify(row)}: the row of ${parent} it belongs to is not there`,
      {
        path: 'ops',
      },
    )
  }
  return draft.writes()
}

/**
 * Refuses an update that sets anything its ops do not say. Ops are run against empty tables, since what they set follows
 * from their payloads alone; what they asked for includes everything they may have set.
 * @throws SyncError ENTRY_UNEXPLAINED, HLC_MISMATCH, or what `planWrites` throws for wrong ops.
 */
export function checkEntriesFollowFromOps(
  domain: AnyDomain,
  ops: readonly AnyOp[],
  entries: readonly Entry[],
  hlc: Hlc,
): void {
  const draft = emptyDraft(hlc)
  runOps(domain, ops, draft)
  const asked = new Map<string, Value[]>()
  for (const entry of draft.asked) {
    const name = registerName(entry)
    const values = asked.get(name)
    if (values === undefined) asked.set(name, [entry.value])
    else values.push(entry.value)
  }
  for (const [i, entry] of entries.entries()) {
    const path = `update.entries[${i}]`
    if (entry.hlc !== hlc) {
      throw new SyncError('HLC_MISMATCH', `${path} is stamped ${entry.hlc}, its commit ${hlc}`, { path })
    }
    if (asked.get(registerName(entry))?.some((value) => sameValue(value, entry.value)) !== true) {
      const what = `${entry.table} ${JSON.stringify(entry.key)} = ${canonicalJson(entry.value).slice(0, 100)}`
      throw new SyncError('ENTRY_UNEXPLAINED', `${path}: no op of the commit sets ${what}`, { path })
    }
  }
}

/**
 * The entries of an update against the domain's tables, keys and values (invariant 12).
 * @throws SyncError ENTRY_INVALID with the path to the entry.
 */
export function checkEntries(domain: AnyDomain, entries: readonly Entry[]): void {
  for (const [i, entry] of entries.entries()) {
    try {
      const value = checkRegister(domain, entry.table, entry.key, entry.value)
      assert(sameValue(value, entry.value), 'a checked value is the value')
    } catch (error) {
      if (!(error instanceof SyncError)) throw error
      throw new SyncError('ENTRY_INVALID', error.message, { cause: error, path: `update.entries[${i}]` })
    }
  }
}

/** Ops as they are logged and sent: checked against the domain, in canonical form. Same errors as `planWrites`. */
export function canonicalOps(domain: AnyDomain, ops: readonly AnyOp[]): readonly AnyOp[] {
  if (ops.length === 0) throw new SyncError('OP_INVALID', 'a commit has at least one op', { path: 'ops' })
  if (ops.length > limits.commitOpsMax) {
    throw new SyncError(
      'COMMIT_TOO_LARGE',
      `a commit has at most ${limits.commitOpsMax} ops, got ${ops.length}`,
      { path: 'ops' },
    )
  }
  return ops.map((op, i) => {
    parsePayload(domain, op, i)
    const { type, ...payload } = op
    return { type, ...canonicalPayload(payload, `ops[${i}]`) }
  })
}

function runOps(domain: AnyDomain, ops: readonly AnyOp[], draft: Draft): void {
  const tables = writeTables(domain, draft)
  for (const [i, op] of ops.entries()) {
    const payload = parsePayload(domain, op, i)
    try {
      if (isBuiltInOp(op.type)) writeRegisters(domain, draft, payload)
      // The declaration's writer takes this very domain's tables and its schema's output; the types were joined there.
      else domain.ops[op.type]?.write(tables as never, payload as never)
    } catch (error) {
      const wrapped = asSyncError(error, 'OP_FAILED', `ops[${i}] (${op.type}): its writer threw`)
      throw new SyncError(wrapped.code, `ops[${i}] (${op.type}): ${wrapped.message}`, {
        cause: error,
        path: `ops[${i}]`,
      })
    }
  }
}

function parsePayload(domain: AnyDomain, op: AnyOp, index: number): unknown {
  const path = `ops[${index}]`
  const type: unknown = op?.type
  if (typeof type !== 'string')
    throw new SyncError('OP_INVALID', `${path}.type: expected a string`, { path: `${path}.type` })
  const { type: _, ...payload } = op
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

/** A payload may be larger than a value: commits are bounded as a whole. An object's canonical form is an object. */
function canonicalPayload(payload: object, path: string): Record<string, Value> {
  return canonicalValue(payload, path, limits.commitBytesMax) as Record<string, Value>
}

function registerName(entry: Entry): string {
  return `${entry.table}\u0001${keyText(entry.key)}`
}
