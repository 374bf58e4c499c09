/**
 * Ctrl-C and `kill` as an abort signal: the first ends a command cleanly, a second one at once. A reader who has had enough
 * (`| head`) ends what goes on by itself, too.
 */
import { SyncError } from '@rejoin/core'
import { onReaderGone, type Streams } from './output.ts'

export interface Interrupt {
  readonly signal: AbortSignal
  /** Resolves when the command is asked to stop. */
  readonly asked: Promise<void>
  release(): void
}

/**
 * @param streams whose reader is to be watched as well.
 * @param also signals that end it like Ctrl-C. Not SIGHUP for what may run under `nohup`, which a listener would undo.
 */
export function listenForInterrupt(streams?: Streams, also: readonly NodeJS.Signals[] = []): Interrupt {
  const signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', ...also]
  const controller = new AbortController()
  const asked = new Promise<void>((resolve) => controller.signal.addEventListener('abort', () => resolve()))
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(1)
    controller.abort(interrupted())
  }
  const forget =
    streams === undefined ? () => {} : onReaderGone(streams, () => controller.abort(interrupted()))
  for (const signal of signals) process.on(signal, stop)
  return {
    signal: controller.signal,
    asked,
    release: () => {
      forget()
      for (const signal of signals) process.off(signal, stop)
    },
  }
}

/**
 * Waits for `work`, or for Ctrl-C. Then `undo` is awaited, which ends the work and keeps what was saved.
 * @throws SyncError INTERRUPTED, or what the work throws.
 */
export async function interruptible<T>(work: () => Promise<T>, undo: () => Promise<void>): Promise<T> {
  const interrupt = listenForInterrupt()
  try {
    const working = work()
    const first = await Promise.race([working.then((value) => ({ value })), interrupt.asked])
    if (first !== undefined) return first.value
    // What the work says of its end is of no interest any more.
    working.catch(() => {})
    await undo()
    throw interrupted()
  } finally {
    interrupt.release()
  }
}

function interrupted(): SyncError {
  return new SyncError(
    'INTERRUPTED',
    'interrupted; what was saved is kept, and running it again goes on from there',
  )
}
