/**
 * The token of a command that speaks with a hub: from a file or from the environment, never from an argument, which every
 * user of the machine can list.
 */
import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { SyncError } from '@rejoin/core'
import type { TokenSource } from '@rejoin/transport'

const VARIABLE = 'REJOIN_TOKEN'

export interface TokenOptions {
  readonly tokenFile?: string
}

export function withToken(command: Command): Command {
  return command.option(
    '--token-file <file>',
    `file with the API key or token to sign in with, read at each connection (else the environment's ${VARIABLE})`,
  )
}

/** Undefined where there is neither a file nor the variable: for a hub that asks nobody. */
export function tokenSource({ tokenFile }: TokenOptions): TokenSource | undefined {
  if (tokenFile !== undefined) return () => readToken(tokenFile)
  const token = process.env[VARIABLE]?.trim() ?? ''
  return token === '' ? undefined : () => token
}

/** Says with UNAUTHENTICATED what to do about it on the command line. */
export async function withTokenHint<R>(work: () => Promise<R>): Promise<R> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof SyncError) || error.code !== 'UNAUTHENTICATED') throw error
    // What a program would do about it is no help here.
    const [what = ''] = error.message.split(': give a key or token')
    const hint = `give a key that this hub knows: --token-file FILE, or ${VARIABLE} in the environment`
    throw new SyncError(error.code, `${what} (${hint})`, { cause: error })
  }
}

/** @throws SyncError INPUT_INVALID */
async function readToken(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    throw new SyncError('INPUT_INVALID', `no token can be read from ${file}: is the path right?`, {
      cause: error,
    })
  }
}
