/**
 * Which file of a pack holds which intent. An id that is safe as a file name on every system names its file; any other is
 * kept inside its file as `_id`. Ids are free text: none may lead out of the folder or onto another intent's file.
 */

export const NAMESPACE_FILE = '_ns.json'
export const DOMAIN_FILE = '_domain.json'

const SAFE_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,98}[A-Za-z0-9_-])?$/
/** Windows gives these names to devices, whatever stands after a dot. */
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i

export interface IntentPath {
  readonly path: string
  /** Whether the path says the id. */
  readonly saysId: boolean
}

/** A path for every id, the same for the same ids. No two files or folders differ by case alone. */
export function intentPaths(ids: Iterable<string>): ReadonlyMap<string, IntentPath> {
  const paths = new Map<string, IntentPath>()
  const taken = new Set<string>()
  const folders = new Map<string, string>()
  const deferred: string[] = []
  for (const id of [...ids].sort()) {
    const path = pathOfSafeId(id)
    const folder = path?.split('/', 1)[0] ?? ''
    const sameFolder = path?.includes('/') === true ? (folders.get(folder.toLowerCase()) ?? folder) : folder
    if (path === null || sameFolder !== folder || taken.has(path.toLowerCase())) {
      deferred.push(id)
      continue
    }
    taken.add(path.toLowerCase())
    if (path.includes('/')) folders.set(folder.toLowerCase(), folder)
    paths.set(id, { path, saysId: true })
  }
  for (const id of deferred) {
    const path = freePath(id, taken)
    taken.add(path)
    paths.set(id, { path, saysId: false })
  }
  return paths
}

/** The id that a path says: `billing/refund.json` is `billing:refund`. */
export function idOfPath(path: string): string {
  return path.replace(/\.json$/, '').replace('/', ':')
}

/** Whether a file of this name, at the root or in a domain's folder, holds an intent. */
export function isIntentFile(name: string): boolean {
  return name.endsWith('.json') && !/^[._]/.test(name)
}

/** Whether a folder of this name, written with its "/", is a domain. */
export function isDomainFolder(name: string): boolean {
  return name.endsWith('/') && !/^[._]/.test(name)
}

function pathOfSafeId(id: string): string | null {
  const colon = id.indexOf(':')
  const parts = colon === -1 ? [id] : [id.slice(0, colon), id.slice(colon + 1)]
  return parts.every((part) => SAFE_NAME.test(part) && !DEVICE.test(part)) ? `${parts.join('/')}.json` : null
}

function freePath(id: string, taken: ReadonlySet<string>): string {
  const letters = id
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 40)
  const name = `intent-${letters === '' ? 'other' : letters}`
  for (let number = 1; ; number++) {
    const path = number === 1 ? `${name}.json` : `${name}-${number}.json`
    if (!taken.has(path)) return path
  }
}
