/** How `checkConvergence` says no: a clean error whose stack is where it was called. */

interface Found {
  /** Numbers of the broken rules in `docs/SPEC.md`, ascending; none where the world itself failed or nothing was proved. */
  readonly rules: readonly number[]
  readonly seed: number
  /** Empty where no story failed. */
  readonly path: string
  /** Stories played before one failed, and that one. */
  readonly runs: number
}

/** A story broke rules, or the stories proved nothing. The message tells everything; the rest is for programs. */
export class ConvergenceError extends Error implements Found {
  override readonly name = 'ConvergenceError'
  // Private: whoever prints the error has read it all in the message.
  readonly #found: Found

  constructor(message: string, found: Found, options?: ErrorOptions) {
    super(message, options)
    this.#found = found
  }

  get rules(): readonly number[] {
    return this.#found.rules
  }

  get seed(): number {
    return this.#found.seed
  }

  get path(): string {
    return this.#found.path
  }

  get runs(): number {
    return this.#found.runs
  }
}

/** Where `door` was called, for an error that is thrown much later. */
export function calledAt(door: (...args: never[]) => unknown): string {
  const here: { stack?: string } = {}
  Error.captureStackTrace(here, door)
  return (here.stack ?? '').split('\n').slice(1).join('\n')
}
