/** Failures on demand for the stores that keep nothing on disk. */
import type { SyncError } from '@rejoin/core'

/**
 * Asked twice for each call: by the method's name before anything happens, and by its name with ` done` after it has
 * happened and before the caller hears of it: an error there is an unknown outcome (St8).
 */
export type StoreFault = (call: string) => SyncError | undefined

export function throwFault(fault: StoreFault, call: string): void {
  const error = fault(call)
  if (error !== undefined) throw error
}

export const noFault: StoreFault = () => undefined
