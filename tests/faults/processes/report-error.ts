/** For the processes of the fault runs: they end with the code of what stopped them, as the command does. */
import { SyncError } from '@rejoin/core'

export function reportError(error: unknown): never {
  console.error(error instanceof SyncError ? `${error.code} ${error.message}` : error)
  process.exit(1)
}
