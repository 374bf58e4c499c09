/** Holds a refusal against its promise: whatever is refused leaves no trace anywhere. */
import { deepStrictEqual } from 'node:assert/strict'
import type { ErrorCode } from '@rejoin/core'
import { openWatched, refusalOf, type Refusal } from './world.ts'

/** What is applied, and how it is refused where it is the only op. */
export type Case = readonly [name: string, op: unknown, code: ErrorCode, path: string]

const good = [
  { type: 'JsonSet', key: 'good', value: 1 },
  { type: 'ValueRemoved', key: 'there' },
]

/** How an op is refused alone, as a commit of one, and late in a commit whose other ops are fine. */
export async function refusalsOf(op: unknown): Promise<readonly Refusal[]> {
  return [
    // As `apply` takes one op; an array would be a commit of its own.
    await untouchedBy(Array.isArray(op) ? [op] : op),
    await untouchedBy([op]),
    await untouchedBy([...good, op, { type: 'JsonSet', key: 'last', value: 2 }]),
  ]
}

/** What `refusalsOf` gives for an op that is refused with this code and path. */
export function refusedWith(code: ErrorCode, path: string): readonly unknown[] {
  return [path, path, path.replace('ops[0]', 'ops[2]')].map((where) => ({ code, path: where }))
}

/** How this input of `apply` is refused; throws where it left a trace. */
export async function untouchedBy(input: unknown): Promise<Refusal> {
  const [touched, control] = [await openWatched(), await openWatched()]
  const before = await touched.trace()
  const refusal = refusalOf(() => touched.replica.apply(input as never))
  deepStrictEqual(await touched.trace(), before)
  // What comes next is what would have come: the same counter, stamp and bytes as where nothing was refused.
  for (const { replica } of [touched, control]) {
    replica.apply({ type: 'JsonSet', key: 'next', value: 1 })
    await replica.flush()
  }
  deepStrictEqual(await touched.trace(), await control.trace())
  for (const { replica } of [touched, control]) await replica.close()
  return refusal
}
