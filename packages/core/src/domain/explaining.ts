/**
 * What ops explain. A hub holds what an update sets against the payloads of its ops alone, by running their writers against
 * empty tables; so a replica makes sure, before it touches anything, that what a writer sets does follow from them.
 */
import { asSyncError, SyncError } from '../errors.ts'
import type { Entry } from '../entry.ts'
import type { Hlc } from '../hlc.ts'
import { checkKey, keyText, type KeyParts } from '../key.ts'
import { canonicalJson, sameValue, type Value } from '../value.ts'
import type { AnyDomain } from './domain.ts'
import { emptyDraft, type Draft, type Write } from './draft.ts'
import type { AnyOp } from './op.ts'
import { checkEntries, runOps, runParsedOps, type CheckedOps } from './planning.ts'
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
  for (const [i, entry] of entries.entries()) checkFollows(domain, version, explained, entry, i, hlc)
}

/**
 * What a hub checks of a commit besides its bytes: that its entries are the domain's (`checkEntries`), and follow from its ops.
 * What an op is found to set was checked when it was set: so an entry that is the very same need not be.
 * @throws SyncError ENTRY_INVALID, and what `checkEntriesFollowFromOps` throws.
 */
export function checkCommitEntries(checked: CheckedOps, entries: readonly Entry[], hlc: Hlc): void {
  const { domain, version } = checked
  const draft = emptyDraft(hlc)
  runParsedOps(checked, draft)
  const explained = askedOf(draft)
  let areChecked = false
  for (const [i, entry] of entries.entries()) {
    checkKey(entry.key)
    if (entry.hlc === hlc && explained(entry.table, entry.key, entry.value)) continue
    // That it is none of the domain's says more than that no op sets it.
    if (!areChecked) checkEntries(domain, entries, version)
    areChecked = true
    checkFollows(domain, version, explained, entry, i, hlc)
  }
}

type Explained = (table: string, key: KeyParts, value: Value) => boolean

function checkFollows(
  domain: AnyDomain,
  version: number,
  explained: Explained,
  entry: Entry,
  i: number,
  hlc: Hlc,
): void {
  const path = `update.entries[${i}]`
  if (entry.hlc !== hlc) {
    throw new SyncError('HLC_MISMATCH', `${path} is stamped ${entry.hlc}, its commit ${hlc}`, { path })
  }
  if (retiredLayout(domain, entry.table, version) !== null) return
  if (explained(entry.table, entry.key, entry.value)) return
  const what = `${entry.table} ${JSON.stringify(entry.key)} = ${canonicalJson(entry.value).slice(0, 100)}`
  throw new SyncError('ENTRY_UNEXPLAINED', `${path}: no op of the commit sets ${what}`, { path })
}

/** Runs the writers against empty tables, and tells whether they ask for a set. */
function askedBy(domain: AnyDomain, ops: readonly AnyOp[], hlc: Hlc, version: number): Explained {
  const draft = emptyDraft(hlc)
  runOps(domain, upcastEach(domain, ops, version), draft)
  return askedOf(draft)
}

function askedOf({ asked }: Draft): Explained {
  const [only, second] = asked
  if (only === undefined) return () => false
  if (second === undefined) {
    return (table, key, value) =>
      table === only.table && sameKey(key, only.key) && sameValue(only.value, value)
  }
  const byName = new Map<string, Value[]>()
  for (const { table, key, value } of asked) {
    const name = registerName(table, key)
    const values = byName.get(name)
    if (values === undefined) byName.set(name, [value])
    else values.push(value)
  }
  return (table, key, value) =>
    byName.get(registerName(table, key))?.some((each) => sameValue(each, value)) === true
}

function sameKey(a: KeyParts, b: KeyParts): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

function registerName(table: string, key: KeyParts): string {
  return `${table}\u0001${keyText(key)}`
}
