/**
 * Where a running hub is asked for what only it can do with its folder: a Unix domain socket in `rejoin.run` inside the data
 * folder. That folder is its owner's alone (0700), and so is what is asked. The name of a socket may be some hundred bytes long
 * and no longer: of a folder further down it is among the temporary files, in a folder of its own that is named after the path
 * of the data folder. Nothing is believed that lies about in a data folder, which may be a copy of another hub's.
 */
import { createHash } from 'node:crypto'
import { lstat, mkdir, realpath, rm, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SyncError } from '@rejoin/core'

const RUN = 'rejoin.run'
const SOCKET = 'socket'
/** Bytes of a socket's name: 104 on macOS, 108 on Linux, the end of the text included. */
const nameBytesMax = 100

export interface ControlAddress {
  readonly path: string
  remove(): Promise<void>
}

/**
 * Only while the data folder is ours: what a dead process left is cleared away.
 * @throws SyncError FOLDER_FOREIGN where somebody else has made that folder, or what the file system says
 */
export async function makeControlAddress(data: string): Promise<ControlAddress> {
  const run = await runFolder(data)
  await removeRun(run)
  await mkdir(run, { recursive: true, mode: 0o700 })
  if (!(await isOurs(run))) {
    throw new SyncError('FOLDER_FOREIGN', `${run} is not this user's alone: remove it, then start again`)
  }
  return { path: join(run, SOCKET), remove: () => removeRun(run) }
}

/** Null where nobody of this user can be asked there. */
export async function findControlAddress(data: string): Promise<string | null> {
  const run = await runFolder(data).catch(() => null)
  return run !== null && (await isOurs(run)) ? join(run, SOCKET) : null
}

async function runFolder(data: string): Promise<string> {
  const folder = await realpath(data)
  const near = join(folder, RUN)
  if (Buffer.byteLength(join(near, SOCKET)) <= nameBytesMax) return near
  const name = createHash('sha256').update(folder).digest('hex').slice(0, 16)
  return join(tmpdir(), `rejoin-${name}`)
}

/** The socket and its folder, and nothing else: what is not ours is left where it is. */
async function removeRun(run: string): Promise<void> {
  if (!(await isOurs(run))) return
  await rm(join(run, SOCKET), { force: true })
  await rmdir(run).catch(() => {})
}

/** A folder, not a link to one, of this user, into which nobody else can put anything. */
async function isOurs(run: string): Promise<boolean> {
  const found = await lstat(run).catch(() => null)
  if (found === null || !found.isDirectory()) return false
  // Windows has neither.
  const user = process.getuid?.()
  return user === undefined || (found.uid === user && (found.mode & 0o022) === 0)
}
