/** Turns what a database throws into a `SyncError` of the store ports: LevelDB's own exceptions never leave. */
import { SyncError, type ErrorCode } from '@rejoin/core'

/** `doing` is what failed, for people, e.g. `the hub store could not write`; `key` of the value, where it is one. */
export function storeError(error: unknown, doing: string, key?: string): SyncError {
  if (error instanceof SyncError) return error
  const code = storeCode(error)
  const advice = advices[code]
  return new SyncError(code, `${doing} (${messageOf(error)})${advice === undefined ? '' : `: ${advice}`}`, {
    cause: error,
    ...(key === undefined ? {} : { path: key }),
  })
}

const advices: Partial<Record<ErrorCode, string>> = {
  STORE_CORRUPT: 'keep the files as they are; `rejoin repair` says what can be done',
  STORE_FULL: 'free some space; nothing that was acknowledged is lost',
  STORE_UNAVAILABLE: 'what was being written may be there or not; repeat the call, or open the store again',
  STORE_LOCKED: 'one process at a time may have it open, also for reading; stop the other one',
}

const FULL = /no space left|ENOSPC|disk quota|EDQUOT|quota.?exceeded|file too large|EFBIG/i

function storeCode(error: unknown): ErrorCode {
  const chain = causes(error)
  if (chain.some((each) => FULL.test(messageOf(each)) || nameOf(each) === 'QuotaExceededError')) {
    return 'STORE_FULL'
  }
  const codes = chain.map(codeOf)
  if (codes.includes('LEVEL_LOCKED')) return 'STORE_LOCKED'
  if (codes.includes('LEVEL_CORRUPTION') || chain.some((each) => CUT_TABLE.test(messageOf(each))))
    return 'STORE_CORRUPT'
  // With a cause it is a database that failed to open, and the cause says why.
  if (chain.length === 1 && CLOSED.has(codes[0] ?? '')) return 'STORE_CLOSED'
  return 'STORE_UNAVAILABLE'
}

/** What LevelDB says of a table that ends before what it should hold: it calls that an I/O error. */
const CUT_TABLE = /\.(?:ldb|sst): Invalid argument/

const CLOSED: ReadonlySet<string> = new Set([
  'LEVEL_DATABASE_NOT_OPEN',
  'LEVEL_ITERATOR_NOT_OPEN',
  'LEVEL_SNAPSHOT_NOT_OPEN',
])

/** The error and what led to it; a chain that bites its own tail ends at ten. */
function causes(error: unknown): readonly unknown[] {
  const chain: unknown[] = []
  let next: unknown = error
  while (next !== undefined && next !== null && chain.length < 10) {
    chain.push(next)
    next = next instanceof Error ? next.cause : undefined
  }
  return chain
}

/** The innermost message: LevelDB wraps its reason in "Database failed to open". */
function messageOf(error: unknown): string {
  const innermost = causes(error).at(-1)
  // A browser may say no more than a name.
  return innermost instanceof Error ? innermost.message || innermost.name : String(innermost)
}

function nameOf(error: unknown): string | null {
  return error instanceof Error ? error.name : null
}

function codeOf(error: unknown): string | null {
  if (!(error instanceof Error)) return null
  const code: unknown = Reflect.get(error, 'code')
  return typeof code === 'string' ? code : null
}
