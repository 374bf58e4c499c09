/**
 * Holds a browser's database for one tab, window or worker at a time, by a Web Lock: what `rejoin.lease` is to a folder. The
 * browser gives it up with the page, however that ends.
 */
import { asSyncError, SyncError, type Clock } from '@rejoin/core'
import { lockManager } from './platform.ts'

export interface TabLock {
  /** Resolves when somebody took it away; never rejects. */
  readonly stolen: Promise<SyncError>
  /** Idempotent. */
  release(): void
}

/** Milliseconds: a page that is reloaded may meet itself going. */
const lockMsMax = 1_000

/** @throws SyncError STORE_LOCKED, STORE_UNAVAILABLE where the browser has no locks for this page. */
export async function takeTabLock(name: string, clock: Pick<Clock, 'sleep'>): Promise<TabLock> {
  const locks = lockManager()
  if (locks === undefined) {
    const cure = 'serve it over https:, or from localhost'
    throw new SyncError('STORE_UNAVAILABLE', `this page has no Web Locks to hold ${name} with: ${cure}`)
  }
  const waiting = new AbortController()
  const granted = new AbortController()
  let release = (): void => {}
  const held = new Promise<void>((resolve) => (release = resolve))
  const hold = (): Promise<void> => {
    // Granted too late: given back at once.
    if (waiting.signal.aborted) return Promise.resolve()
    granted.abort()
    return held
  }
  const failed = new Promise<SyncError>((resolve) => {
    locks
      .request(name, { signal: waiting.signal }, hold)
      .catch((error: unknown) => resolve(failure(name, error, granted.signal.aborted)))
  })
  const refused = await Promise.race([clock.sleep(lockMsMax, granted.signal), failed])
  if (granted.signal.aborted) return { stolen: failed, release }
  waiting.abort()
  // Ends the sleep, where it is the browser that refused.
  granted.abort()
  throw refused ?? locked(name)
}

function failure(name: string, error: unknown, wasHeld: boolean): SyncError {
  if (!(error instanceof Error) || error.name !== 'AbortError')
    return asSyncError(error, 'STORE_UNAVAILABLE', `the browser refuses a lock for ${name}`)
  if (!wasHeld) return locked(name)
  return new SyncError(
    'STORE_LOCKED',
    `${name} was taken over by another tab: close one of the two and reload`,
  )
}

function locked(name: string): SyncError {
  return new SyncError(
    'STORE_LOCKED',
    `${name} is open in another tab, window or worker: use that one, or close it and open this again`,
  )
}
