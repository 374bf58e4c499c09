/**
 * Where a running hub is asked for what only it can do with its folder: a Unix domain socket in `rejoin.run` inside the data
 * folder. That folder is its owner's alone (0700), and so is what is asked. The name of a socket may be some hundred
 * bytes long and no longer: for a folder further down the socket is in a folder of its own among the temporary ones, and
 * `rejoin.run/at` says where.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'

const RUN = 'rejoin.run'
/** Bytes of a socket's name: 104 on macOS, 108 on Linux, the end of the text included. */
const nameBytesMax = 100

export interface ControlAddress {
  readonly path: string
  remove(): Promise<void>
}

/** Only while the data folder is ours: what a dead process left is cleared away. */
export async function makeControlAddress(data: string): Promise<ControlAddress> {
  const run = join(resolve(data), RUN)
  await removeControl(run)
  await mkdir(run, { mode: 0o700 })
  const near = join(run, 'socket')
  if (Buffer.byteLength(near) <= nameBytesMax) return { path: near, remove: () => removeControl(run) }
  const far = join(await mkdtemp(join(tmpdir(), 'rejoin-')), 'socket')
  await writeFile(join(run, 'at'), far, { mode: 0o600 })
  return { path: far, remove: () => removeControl(run) }
}

/** Null where no hub says that it can be asked. */
export async function findControlAddress(data: string): Promise<string> {
  const run = join(resolve(data), RUN)
  return (await farPath(run)) ?? join(run, 'socket')
}

async function removeControl(run: string): Promise<void> {
  const far = await farPath(run)
  if (far !== null) await rm(dirname(far), { recursive: true, force: true })
  await rm(run, { recursive: true, force: true })
}

async function farPath(run: string): Promise<string | null> {
  return await readFile(join(run, 'at'), 'utf8').catch(() => null)
}
