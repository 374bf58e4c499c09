/** What is asked of a running hub over its control socket, and answered: one JSON document a line. */
import { isErrorCode, SyncError, type ErrorCode } from '@rejoin/core'
import { z } from 'zod'

/** Bytes of one line. */
export const lineBytesMax = 64 * 1024

export const requestSchema = z.object({
  op: z.literal('backup'),
  place: z.string().min(1),
  staysPartial: z.boolean().optional(),
})
export type ControlRequest = z.output<typeof requestSchema>

const backupSchema = z.object({
  path: z.string(),
  at: z.number(),
  values: z.number(),
  bytes: z.number(),
  namespaces: z.array(z.string()),
  damaged: z.array(z.string()),
})

/** Any number of `progress`, then one of the others. */
export const answerSchema = z.union([
  z.object({ progress: z.object({ values: z.number(), bytes: z.number() }) }),
  z.object({ backup: backupSchema }),
  z.object({ error: z.object({ code: z.string(), message: z.string() }) }),
])
export type ControlAnswer = z.output<typeof answerSchema>

export function lineOf(message: ControlRequest | ControlAnswer): string {
  return `${JSON.stringify(message)}\n`
}

/** @throws SyncError MESSAGE_MALFORMED */
export function readLine<T>(schema: z.ZodType<T>, line: string): T {
  try {
    return schema.parse(JSON.parse(line))
  } catch (cause) {
    throw new SyncError('MESSAGE_MALFORMED', 'a line on the control socket does not read', { cause })
  }
}

export function errorOf({ code, message }: { code: string; message: string }): SyncError {
  const known: ErrorCode = isErrorCode(code) ? code : 'HUB_INTERNAL'
  return new SyncError(known, message)
}
