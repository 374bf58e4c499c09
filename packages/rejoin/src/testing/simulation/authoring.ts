/** What a replica of a simulated world writes, with what each write did to its author's document. */
import {
  allEntries,
  asSyncError,
  canonicalJson,
  entryLine,
  SyncError,
  type AnyOp,
  type Entry,
  type Registers,
} from '@rejoin/core'
import type { Receipt, Resolution } from '@rejoin/replica'
import type { EntryLine, Finding } from '@rejoin/testkit'
import type { ReplicaProcess } from './replica-process.ts'

export interface Effect {
  readonly before: readonly EntryLine[]
  readonly sets: readonly EntryLine[]
  readonly removes: readonly EntryLine[]
}

export type Written =
  | {
      readonly kind: 'commit'
      readonly receipt: Receipt & { readonly kind: 'commit' }
      readonly name: string
      readonly effect: Effect
      readonly findings: readonly Finding[]
    }
  | { readonly kind: 'unchanged' | 'none'; readonly findings: readonly Finding[] }
  | { readonly kind: 'refused'; readonly code: string; readonly findings: readonly Finding[] }

/** @param examined whether it is looked at to the byte, and written once more, which must change nothing. */
export function write(process: ReplicaProcess, act: () => Receipt, examined: boolean): Written {
  const { replica } = process
  const before = entriesIn(replica.registers)
  const bytes = examined ? replica.encode() : null
  const isSame = (): boolean => bytes === null || sameBytes(bytes, replica.encode())
  const trace = (what: string): readonly Finding[] => (isSame() ? [] : [{ rule: 12, what }])
  let receipt: Receipt
  process.refusal = null
  try {
    receipt = act()
  } catch (error) {
    process.refusal = asSyncError(error, 'OP_FAILED', 'it failed')
    const code = codeOf(error)
    return {
      kind: 'refused',
      code,
      findings: trace(`an op was refused with ${code} and changed the document`),
    }
  }
  if (receipt.kind === 'unchanged')
    return { kind: 'unchanged', findings: trace('an op says that it changed nothing, and did') }
  const after = entriesIn(replica.registers)
  const effect = differenceOf(before, after)
  const name = process.fullName(receipt.id.counter)
  const findings = [
    ...crowded(replica.registers, before, after, name),
    ...(examined && !isHarmless(process, act)
      ? [{ rule: 2, what: `commit ${name} changes something once more` }]
      : []),
  ]
  return { kind: 'commit', receipt, name, effect, findings }
}

export function applying(process: ReplicaProcess, ops: readonly AnyOp[]): () => Receipt {
  // Ops are checked by `apply` in any case.
  return () => process.replica.apply(ops as never)
}

/** Null where there is no conflict. */
export function resolving({ replica }: ReplicaProcess, pick: number, choice: number): (() => Receipt) | null {
  const conflict = nth(replica.conflicts(), pick)
  if (conflict === undefined) return null
  const resolution: Resolution =
    conflict.kind === 'concurrent'
      ? { kind: 'choose', value: nth(conflict.choices, choice)?.value ?? null }
      : { kind: choice % 2 === 0 ? 'restore' : 'drop' }
  return () => replica.resolve(conflict, resolution)
}

/** Counts round and round. */
export function nth<T>(items: readonly T[], pick: number): T | undefined {
  return items[pick % Math.max(1, items.length)]
}

export function codeOf(error: unknown): string {
  return error instanceof SyncError ? error.code : `no code: ${String(error)}`
}

/** By all that is in an entry; texts of lines cost more than looking them up. Emptied when it has grown. */
const lines = new Map<string, EntryLine>()
const LINES_MAX = 5_000

function lineOf(entry: Entry): EntryLine {
  const { table, key, value, hlc } = entry
  const text = typeof value === 'object' ? JSON.stringify(value) : `${typeof value}${String(value)}`
  const name = `${hlc}\u0001${table}\u0001${key.join('\u0001')}\u0001${text}`
  let line = lines.get(name)
  if (line === undefined) {
    if (lines.size === LINES_MAX) lines.clear()
    lines.set(name, (line = entryLine(entry)))
  }
  return line
}

function entriesIn(registers: Registers): readonly Entry[] {
  return [...allEntries(registers)]
}

function differenceOf(before: readonly Entry[], after: readonly Entry[]): Effect {
  const old = before.map(lineOf)
  const now = after.map(lineOf)
  const oldLines = new Set(old)
  const nowLines = new Set(now)
  return {
    before: old,
    sets: now.filter((line) => !oldLines.has(line)),
    removes: old.filter((line) => !nowLines.has(line)),
  }
}

/** Whoever writes a register has seen all of it. */
function crowded(
  registers: Registers,
  before: readonly Entry[],
  after: readonly Entry[],
  name: string,
): readonly Finding[] {
  const old = new Set(before.map(lineOf))
  return after
    .filter((entry) => !old.has(lineOf(entry)) && registers.read(entry.table, entry.key).length > 1)
    .map((entry) => ({ rule: 20, what: `commit ${name} left others beside ${canonicalJson(entry.key)}` }))
}

function isHarmless({ replica }: ReplicaProcess, act: () => Receipt): boolean {
  const bytes = replica.encode()
  try {
    if (act().kind === 'commit') return false
  } catch {
    // A writer may well say that it was there before.
  }
  return sameBytes(bytes, replica.encode())
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
