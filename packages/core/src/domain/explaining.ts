/**
 * What ops explain. A hub holds what an update sets against the payloads of its ops alone, by running their writers against
 * empty tables; so a replica makes sure, before it touches anything, that what a writer sets does follow from them.
 */
import { asSyncError, SyncError } from '../errors.ts'
import type { Entry } from '../entry.ts'
import type { Hlc } from '../hlc.ts'
import { keyText, type KeyParts } from '../key.ts'
import { canonicalJson, sameValue, type Value } from '../value.ts'
import type { AnyDomain } from './domain.ts'
import { emptyDraft, type Write } from './draft.ts'
import type { AnyOp } from './op.ts'
import { runOps } from './planning.ts'
import { retiredLayout, upcastEach } from './upcasting.ts'

/**
 * Refuses writes that a hub would refuse. What is removed may follow from what was read; what is set may not.
 * @throws SyncError OP_FAILED where a writer sets what its payload does not say, or fails on empty tables.
 */
export function checkWriters(
  domain: AnyDomain,
  ops: readonly AnyOp[],
  writes: readonly Write[],
  hlc: Hlc,
): void {
  const explained = explainedBy(domain, ops, hlc)
  for (const write of writes) {
    if (write.kind === 'remove' || explained(write.table, write.key, write.value)) continue
    const what = `${write.table} ${JSON.stringify(write.key)} = ${canonicalJson(write.value).slice(0, 100)}`
    throw new SyncError(
      'OP_FAILED',
      `ops: a writer sets ${what}, which does not follow from its op's payload: it may read the tables to decide what to ` +
        'remove, and a hub holds what it sets against the payload alone; put the value into the op',
      { path: 'ops' },
    )
  }
}

function explainedBy(domain: AnyDomain, ops: readonly AnyOp[], hlc: Hlc): ReturnType<typeof askedBy> {
  try {
    return askedBy(domain, ops, hlc, domain.version)
  } catch (cause) {
    const { message, path } = asSyncError(cause, 'OP_FAILED', 'its writer threw')
    const why = `${message}; so it does on empty tables, where a hub runs it: a writer may not refuse by what it reads`
    throw new SyncError('OP_FAILED', why, { cause, path: path ?? 'ops' })
  }
}

/**
 * Refuses an update that sets anything its ops do not say; what they ask for on empty tables includes everything that they
 * may have set. Ops of an older version are brought up to date first, and what it wrote to tables that are retired now needs
 * no explanation: nobody reads it.
 * @param version of the domain, in which the ops were written.
 * @throws SyncError ENTRY_UNEXPLAINED, HLC_MISMATCH, or what `planWrites` and `upcastOps` throw for wrong ops.
 */
export function checkEntriesFollowFromOps(
  domain: AnyDomain,
  ops: readonly AnyOp[],
  entries: readonly Entry[],
  hlc: Hlc,
  version: number = domain.version,
): void {
  const explained = askedBy(domain, ops, hlc, version)
  for (const [i, entry] of entries.entries()) {
    const path = `update.entries[${i}]`
    if (entry.hlc !== hlc) {
      throw new SyncError('HLC_MISMATCH', `${path} is stamped ${entry.hlc}, its commit ${hlc}`, { path })
    }
    if (retiredLayout(domain, entry.table, version) !== null) continue
    if (!explained(entry.table, entry.key, entry.value)) {
      const what = `${entry.table} ${JSON.stringify(entry.key)} = ${canonicalJson(entry.value).slice(0, 100)}`
      throw new SyncError('ENTRY_UNEXPLAINED', `${path}: no op of the commit sets ${what}`, { path })
    }
  }
}

/** Runs the writers against empty tables, and tells whether they ask for a set. */
function askedBy(
  domain: AnyDomain,
  ops: readonly AnyOp[],
  hlc: Hlc,
  version: number,
): (table: string, key: KeyParts, value: Value) => boolean {
  const draft = emptyDraft(hlc)
  runOps(domain, upcastEach(domain, ops, version), draft)
  const asked = new Map<string, Value[]>()
  for (const { table, key, value } of draft.asked) {
    const name = registerName(table, key)
    const values = asked.get(name)
    if (values === undefined) asked.set(name, [value])
    else values.push(value)
  }
  return (table, key, value) =>
    asked.get(registerName(table, key))?.some((each) => sameValue(each, value)) === true
}

function registerName(table: string, key: KeyParts): string {
  return `${table}\u0001${keyText(key)}`
}
