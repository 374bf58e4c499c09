/** Which of an apply step's candidates fit: tried on a draft of what the replica holds, so nothing is touched. */
import {
  asSyncError,
  canonicalOps,
  checkWriters,
  formatHlc,
  planWrites,
  type AnyDomain,
  type AnyOp,
  type Registers,
  type Write,
} from '@rejoin/core'
import type { Misfit, Refusal } from '@rejoin/testkit'

/** Nothing that a draft decides follows from its stamp. */
const HLC = formatHlc({ ms: 0, counter: 0, author: '-----' })

export interface Choice {
  readonly ops: readonly AnyOp[]
  readonly misfits: readonly Misfit[]
}

/**
 * As many as `count` of the candidates that make one commit together, each of them changing something: an op that others
 * of the same commit make room for comes behind them. Of `others` none that only removes is taken, or little would ever be
 * there that ops could meet on.
 */
export function chooseOps(
  domain: AnyDomain,
  registers: Registers,
  drawn: readonly AnyOp[],
  others: readonly AnyOp[],
  count: number,
): Choice {
  const ops: AnyOp[] = []
  let written: readonly Write[] = []
  let misfits: Misfit[] = []
  let left = [...drawn, ...others]
  for (let before = -1; ops.length < count && ops.length > before;) {
    before = ops.length
    misfits = []
    const wait: AnyOp[] = []
    for (const op of left) {
      if (ops.length === count) break
      const fit = fitOf(domain, registers, ops, op)
      if (fit.kind === 'misfit') {
        misfits.push({ type: op.type, refusal: fit.refusal })
        wait.push(op)
        continue
      }
      if (setsIn(fit.writes) <= setsIn(written) && !drawn.includes(op)) continue
      if (isSame(fit.writes, written)) misfits.push({ type: op.type, refusal: null })
      else {
        ops.push(op)
        written = fit.writes
      }
    }
    left = wait
  }
  return { ops, misfits }
}

type Fit =
  | { readonly kind: 'fits'; readonly writes: readonly Write[] }
  | { readonly kind: 'misfit'; readonly refusal: Refusal }

function fitOf(domain: AnyDomain, registers: Registers, ops: readonly AnyOp[], op: AnyOp): Fit {
  try {
    return { kind: 'fits', writes: planned(domain, registers, [...ops, op]) }
  } catch (error) {
    return { kind: 'misfit', refusal: refusalOf(error) }
  }
}

function setsIn(writes: readonly Write[]): number {
  return writes.filter(({ kind }) => kind === 'set').length
}

function isSame(a: readonly Write[], b: readonly Write[]): boolean {
  // Writes are plain values.
  return a.length === b.length && JSON.stringify(a) === JSON.stringify(b)
}

/** What a writer sets that does not follow from its op's payload, or null; null too where the ops are refused anyway. */
export function unexplainedIn(domain: AnyDomain, registers: Registers, ops: readonly AnyOp[]): string | null {
  let writes: readonly Write[]
  try {
    writes = planned(domain, registers, ops)
  } catch {
    return null
  }
  try {
    checkWriters(domain, ops, writes, HLC)
    return null
  } catch (error) {
    return asSyncError(error, 'OP_FAILED', 'its writer failed').message
  }
}

export function refusalOf(error: unknown): Refusal {
  const { code, path, message } = asSyncError(error, 'OP_FAILED', 'its writer failed')
  return { code, path: (path ?? '').replace(/^ops(\[\d+\])?\.?/, ''), message }
}

function planned(domain: AnyDomain, registers: Registers, ops: readonly AnyOp[]): readonly Write[] {
  return planWrites(domain, canonicalOps(domain, ops), registers, HLC, 'required')
}
