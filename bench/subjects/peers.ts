/**
 * Peers are no dependencies of the project: their own folder has them once `npm ci --prefix bench` was run. So nothing here is
 * imported by name, and each subject says itself which part of a peer it uses: everything type-checks without them.
 */
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/** The module, as the caller says that it is. @throws PeerMissing */
export async function importPeer<T>(specifier: string): Promise<T> {
  try {
    return (await import(specifier)) as T
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') {
      throw new PeerMissing(`${specifier} is not installed: run npm ci --prefix bench`, { cause: error })
    }
    throw error
  }
}

export class PeerMissing extends Error {
  override name = 'PeerMissing'
}

/** `yjs 13.6.33`, read from the package that is really used. */
export function versionOf(name: string): string {
  const { version } = require(`${name}/package.json`) as { version: string }
  return `${name} ${version}`
}
