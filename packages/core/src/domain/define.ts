/**
 * `defineDomain`: an app's tables and ops, declared once. Everything else is inferred from it: op types, typed reads,
 * change events, what a hub lets through (DESIGN section 4, decision 0001).
 */
import { z } from 'zod'
import { SyncError } from '../errors.ts'
import type { Domain, TableLayout } from './domain.ts'
import { isBuiltInOp, type OpDeclaration, type OpDeclarations, type Upcasters } from './op.ts'
import type { KeySchema, Merge, Table, Tables } from './table.ts'
import type { TableWriters } from './writers.ts'

/** Declares one op of a domain with these tables; `defineDomain` hands it to the `ops` function. */
export type DeclareOp<T extends Tables> = <S extends z.ZodObject>(
  payload: S,
  write: (tables: TableWriters<T>, payload: z.output<S>) => void,
) => OpDeclaration<S>

const NAME = /^[A-Za-z][A-Za-z0-9_]{0,63}$/

/**
 * @param definition `ops` gets the function that declares an op, already knowing the tables' types,
 * `upcast` brings ops of older versions of this domain up to date, one version at a time, and `retired` holds tables that
 * only older versions write to.
 * @throws SyncError DOMAIN_INVALID when names, versions, parents or keys do not fit together.
 */
export function defineDomain<const T extends Tables, O extends OpDeclarations>(definition: {
  name: string
  version: number
  tables: T
  ops: (op: DeclareOp<T>) => O
  upcast?: Upcasters
  retired?: Tables
}): Domain<T, O> {
  const { name, version, tables } = definition
  if (!NAME.test(name)) throw invalid(name, 'its name must be a word of letters, digits and "_"')
  if (!Number.isSafeInteger(version) || version < 1)
    throw invalid(name, 'its version must be a whole number from 1')
  const ops = definition.ops((payload, write) => ({ payload, write }))
  for (const type of Object.keys(ops)) {
    if (!NAME.test(type))
      throw invalid(name, `op ${JSON.stringify(type)} is not a word of letters, digits and "_"`)
    if (isBuiltInOp(type)) throw invalid(name, `op ${type} is built into every domain`)
  }
  const { upcast = {}, retired = {} } = definition
  checkUpcasters(name, version, upcast)
  for (const table of Object.keys(retired)) {
    if (Object.hasOwn(tables, table)) throw invalid(name, `table ${table} is retired and in use`)
    if (version === 1) throw invalid(name, `table ${table} is retired, but version 1 has none before it`)
  }
  checkMerges(name, { ...tables, ...retired })
  const layouts = layOut(name, tables)
  return { name, version, tables, ops, upcast, layouts, retired: layOut(name, withoutParents(retired)) }
}

/** Where a retired table stood is of no interest any more: only what its entries may hold. */
function withoutParents(tables: Tables): Tables {
  const alone = Object.entries(tables).map(([name, table]): [string, Table] => [
    name,
    table.kind === 'singleton' ? table : { ...table, under: null },
  ])
  return Object.fromEntries(alone)
}

const mergeNames: ReadonlySet<unknown> = new Set<Merge>(['max', 'min', 'union'])

function checkMerges(domain: string, tables: Tables): void {
  for (const [name, table] of Object.entries(tables)) {
    const merges =
      table.kind === 'map'
        ? [{ what: `table ${name}`, schema: table.value, merge: table.merge ?? undefined }]
        : Object.entries(table.merge).map(([field, merge]) => ({
            what: `${name}.${field}`,
            schema: Object.hasOwn(table.fields, field) ? table.fields[field] : undefined,
            merge,
          }))
    for (const { what, schema, merge } of merges) {
      if (schema === undefined) throw invalid(domain, `${what} has a merge and is no field`)
      if (merge === undefined) continue
      if (typeof merge !== 'function' && !mergeNames.has(merge))
        throw invalid(
          domain,
          `${what} has the merge ${String(merge)}; there are max, min, union and functions`,
        )
      if (merge === 'union' && isScalar(schema))
        throw invalid(domain, `${what} has the merge union, which makes one array of several`)
    }
  }
}

/** Whether a schema is surely none of arrays. */
function isScalar(schema: z.ZodType): boolean {
  return (
    schema instanceof z.ZodString ||
    schema instanceof z.ZodNumber ||
    schema instanceof z.ZodBoolean ||
    schema instanceof z.ZodEnum ||
    schema instanceof z.ZodObject
  )
}

function checkUpcasters(domain: string, version: number, upcast: Upcasters): void {
  const known = version === 1 ? 'version 1 has none before it' : `older versions are 1 to ${version - 1}`
  for (const [type, steps] of Object.entries(upcast)) {
    if (!NAME.test(type))
      throw invalid(domain, `upcast names ${JSON.stringify(type)}, which is no name of an op`)
    if (isBuiltInOp(type))
      throw invalid(domain, `op ${type} is built into every domain and needs no upcaster`)
    for (const [from, step] of Object.entries(steps)) {
      if (!/^[1-9][0-9]*$/.test(from) || Number(from) >= version)
        throw invalid(domain, `${type} is upcast from version ${from}, but ${known}`)
      if (typeof step !== 'function')
        throw invalid(domain, `the upcaster of ${type} from version ${from} is no function`)
    }
  }
}

interface MutableLayout extends TableLayout {
  parent: TableLayout | null
  children: TableLayout[]
}

function layOut(domain: string, tables: Tables): ReadonlyMap<string, TableLayout> {
  const layouts = new Map<string, MutableLayout>()
  for (const [name, table] of Object.entries(tables)) {
    if (!NAME.test(name))
      throw invalid(domain, `table ${JSON.stringify(name)} is not a word of letters, digits and "_"`)
    const keyLength = table.kind === 'singleton' ? 0 : keyLengthOf(table.key)
    if (keyLength === null)
      throw invalid(domain, `table ${name} needs a key that is a string or a tuple of strings`)
    layouts.set(name, { name, table, keyLength, parent: null, children: [] })
  }
  for (const layout of layouts.values()) {
    if (layout.table.kind === 'singleton' || layout.table.under === null) continue
    const parent = layouts.get(layout.table.under)
    if (parent === undefined || parent.keyLength === 0) {
      throw invalid(
        domain,
        `table ${layout.name} is under ${layout.table.under}, which is no table with keys`,
      )
    }
    if (parent.keyLength > layout.keyLength || parent === layout) {
      throw invalid(domain, `keys of table ${layout.name} do not start with a key of ${parent.name}`)
    }
    layout.parent = parent
    parent.children.push(layout)
  }
  for (const layout of layouts.values()) {
    const seen = new Set<TableLayout>()
    for (let at: TableLayout | null = layout; at !== null; at = at.parent) {
      if (seen.has(at)) throw invalid(domain, `table ${layout.name} is under itself`)
      seen.add(at)
    }
  }
  return layouts
}

function keyLengthOf(schema: KeySchema): number | null {
  if (schema instanceof z.ZodTuple) return schema.def.items.length
  const sample: unknown = schema
  const isNoText =
    sample instanceof z.ZodArray ||
    sample instanceof z.ZodNumber ||
    sample instanceof z.ZodObject ||
    sample instanceof z.ZodBoolean
  return sample instanceof z.ZodType && !isNoText ? 1 : null
}

function invalid(domain: string, why: string): SyncError {
  return new SyncError('DOMAIN_INVALID', `domain ${JSON.stringify(domain)}: ${why}`)
}
