/** The settings for tokens in a file: JSON as `JwtOptions` says. A `keys` that is a file stands beside it. */
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { SyncError } from '@rejoin/core'
import { jwtOptionsOf, type JwtOptions } from './token-verifier.ts'

/** @throws SyncError INPUT_INVALID */
export async function readJwtOptions(file: string): Promise<JwtOptions> {
  const options = jwtOptionsOf(await readJson(file), file)
  const { keys } = options
  return /^https?:/.test(keys) ? options : { ...options, keys: resolve(dirname(file), keys) }
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    throw new SyncError('INPUT_INVALID', `${file} cannot be read as JSON`, { cause: error })
  }
}
