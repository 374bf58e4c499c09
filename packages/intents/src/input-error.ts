/** An input that was refused whole: which file, where in it, why. Its code is INPUT_INVALID. */
import { SyncError } from '@rejoin/core'
import type { z } from 'zod'

export class InputError extends SyncError {
  readonly file: string
  /** A JSON path such as `phrases.en[3]`, or `line 3, column 14` where the text is no JSON. */
  readonly place: string
  readonly reason: string

  constructor(file: string, place: string, reason: string, options: { cause?: unknown } = {}) {
    super('INPUT_INVALID', [file, place, reason].filter((part) => part !== '').join(': '), {
      ...options,
      path: [file, place].filter((part) => part !== '').join(': '),
    })
    this.file = file
    this.place = place
    this.reason = reason
  }
}

/** Runs a schema over what a file holds. @throws InputError with the path of the first fault. */
export function parseInput<S extends z.ZodType>(schema: S, input: unknown, file: string): z.output<S> {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  // Zod tells of a key only that it is invalid; why is one level further down.
  const told = issue?.code === 'invalid_key' ? (issue.issues[0] ?? issue) : issue
  const reason = told?.message.replace(/^Invalid input: /, '') ?? 'invalid'
  throw new InputError(file, jsonPath(issue?.path ?? []), reason)
}

/** A path such as `phrases.en[3]`; empty for the whole. */
export function jsonPath(steps: readonly PropertyKey[]): string {
  return steps.reduce<string>((path, step) => {
    if (typeof step === 'number') return `${path}[${step}]`
    const name = String(step)
    if (!/^[\p{L}_][\p{L}\p{N}_-]*$/u.test(name)) return `${path}[${JSON.stringify(name)}]`
    return path === '' ? name : `${path}.${name}`
  }, '')
}
