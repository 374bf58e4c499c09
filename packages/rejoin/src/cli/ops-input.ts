/** Ops as text, from a file or standard input. */
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { SyncError, type AnyOp } from '@rejoin/core'
import { interruptible } from './interrupt.ts'

/** @param file a path, or `-` for standard input. @throws SyncError INPUT_INVALID or INTERRUPTED */
export async function readInput(file: string): Promise<string> {
  if (file === '-') {
    return interruptible(
      () => text(process.stdin),
      async () => void process.stdin.destroy(),
    )
  }
  return readFile(file, 'utf8').catch((cause: unknown) => {
    throw new SyncError('INPUT_INVALID', `${file} cannot be read`, { cause })
  })
}

/** @throws SyncError INPUT_INVALID */
export function parseJson(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch (cause) {
    throw new SyncError('INPUT_INVALID', `not JSON: ${cause instanceof Error ? cause.message : ''}`, {
      cause,
    })
  }
}

/** One op, or an array of them; whether they are ops at all is for the domain to say. @throws SyncError INPUT_INVALID */
export function parseOps(json: string): readonly AnyOp[] {
  const parsed = parseJson(json)
  return (Array.isArray(parsed) ? parsed : [parsed]) as AnyOp[]
}
