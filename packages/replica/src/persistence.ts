/**
 * How the local store fares, as the app is told: `ok`, failing for now, or lost to this process. And how much may wait for
 * it (invariant 14).
 */
import { limits, type ErrorCode } from '@rejoin/core'

export type Persistence =
  | 'ok'
  /**
   * `degraded`: the store fails, and is tried again by itself. `lost`: it will never take it in this process, so it is not
   * asked again; reads and writes go on in memory, nothing of them is sent, and the folder has to be opened anew.
   */
  | {
      readonly state: 'degraded' | 'lost'
      /** The code and message of the last failure. */
      readonly cause: { readonly code: ErrorCode; readonly message: string }
      /** Steps that wait in memory: commits made here, and what came from the hub. */
      readonly count: number
    }

/** Somebody else has the folder, or what is in it cannot be gone on from. */
const lostCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'STORE_LOCKED',
  'STORE_CORRUPT',
  'STORE_CLOSED',
  'FORMAT_TOO_NEW',
  'FOLDER_FOREIGN',
])

export function isLost(code: ErrorCode): boolean {
  return lostCodes.has(code)
}

interface Weighed {
  readonly steps: readonly unknown[]
  readonly bytes: number
}

/** What waits for the store. It is looked at before more is taken, so that one commit or message may go beyond the bound. */
export class PendingLoad {
  #steps = 0
  #bytes = 0

  get steps(): number {
    return this.#steps
  }

  get isFull(): boolean {
    return this.#steps >= limits.pendingStepsMax || this.#bytes >= limits.pendingBytesMax
  }

  /** For people. */
  get text(): string {
    return `${this.#steps} steps with ${this.#bytes} bytes`
  }

  add({ steps, bytes }: Weighed): void {
    this.#steps += steps.length
    this.#bytes += bytes
  }

  remove({ steps, bytes }: Weighed): void {
    this.#steps -= steps.length
    this.#bytes -= bytes
  }
}
