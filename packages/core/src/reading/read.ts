/** Decides what a register reads as, and which rows are visible. The same everywhere, since it looks at entries alone. */
import { mergeOf, type TableLayout } from '../domain/domain.ts'
import type { Merge } from '../domain/table.ts'
import type { Register } from '../entry.ts'
import type { KeyParts } from '../key.ts'
import { canonicalJson, canonicalValue, sameValue, type Value } from '../value.ts'
import type { Registers } from './registers.ts'

/** The value read from a register, or undefined where nothing is live. */
export function readRegister(
  layout: TableLayout,
  field: string | null,
  register: Register,
): Value | undefined {
  const newest = register[0]
  if (newest === undefined || register.length === 1) return newest?.value
  return mergedValue(layout, field, register) ?? newest.value
}

/** Whether concurrent values differ and no merge function makes one of them. */
export function isConflict(layout: TableLayout, field: string | null, register: Register): boolean {
  const newest = register[0]
  if (newest === undefined || register.length === 1) return false
  if (!register.some((entry) => !sameValue(entry.value, newest.value))) return false
  return mergedValue(layout, field, register) === undefined
}

/**
 * What a table's merge function makes of concurrent values. Where it throws, or makes what the table's schema forbids, the
 * register reads as one without a merge: nothing forbidden is ever read, and no value is lost (invariant 12).
 */
function mergedValue(layout: TableLayout, field: string | null, register: Register): Value | undefined {
  const { table } = layout
  const merge = mergeOf(table, field)
  const schema = table.kind === 'map' ? table.value : table.fields[field ?? '']
  if (merge === null || schema === undefined) return undefined
  try {
    const values = register.map((entry) => entry.value)
    const merged = mergeValues(merge, values)
    const parsed = schema.safeParse(merged)
    return parsed.success && sameValue(canonicalValue(parsed.data), merged) ? merged : undefined
  } catch {
    return undefined
  }
}

/** A row is visible while it is there and, for a table under another, its parent is visible. */
export function isRowVisible(
  registers: Pick<Registers, 'read'>,
  layout: TableLayout,
  row: KeyParts,
): boolean {
  if (layout.table.kind === 'singleton') return true
  if (registers.read(layout.name, row).length === 0) return false
  return isParentVisible(registers, layout, row)
}

export function isParentVisible(
  registers: Pick<Registers, 'read'>,
  layout: TableLayout,
  row: KeyParts,
): boolean {
  const { parent } = layout
  return parent === null || isRowVisible(registers, parent, row.slice(0, parent.keyLength))
}

/** The nearest row above that is missing, or null where every one is there. */
export function missingParent(
  registers: Registers,
  layout: TableLayout,
  row: KeyParts,
): { layout: TableLayout; row: KeyParts } | null {
  for (let parent = layout.parent; parent !== null; parent = parent.parent) {
    const parentRow = row.slice(0, parent.keyLength)
    if (registers.read(parent.name, parentRow).length === 0) return { layout: parent, row: parentRow }
  }
  return null
}

export function mergeValues(merge: Merge, values: readonly Value[]): Value {
  switch (merge) {
    case 'max':
      return values.reduce((a, b) => (ordersBefore(a, b) ? b : a))
    case 'min':
      return values.reduce((a, b) => (ordersBefore(b, a) ? b : a))
    case 'union': {
      const items = new Map<string, Value>()
      for (const item of values.flatMap((value) => value))
        items.set(canonicalJson(item as Value), item as Value)
      return [...items].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item)
    }
    default:
      return canonicalValue(merge(values), 'merged value')
  }
}

/** Numbers by size, everything else by its canonical text: any total order will do, if all replicas share it. */
function ordersBefore(a: Value, b: Value): boolean {
  if (typeof a === 'number' && typeof b === 'number') return a < b
  return canonicalJson(a) < canonicalJson(b)
}
