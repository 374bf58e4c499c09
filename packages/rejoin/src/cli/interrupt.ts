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
 * @param left what is left of its work then, and what to do.
 */
export function listenForInterrupt(
  streams?: Streams,
  also: readonly NodeJS.Signals[] = [],
  left: string = goesOn,
): Interrupt {
  const signals: readonly NodeJS.Signals[] = [...endings, ...also]
  const controller = new AbortController()
  const asked = new Promise<void>((resolve) => controller.signal.addEventListener('abort', () => resolve()))
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(1)
    controller.abort(interrupted(left))
  }
  const forget =
    streams === undefined ? () => {} : onReaderGone(streams, () => controller.abort(interrupted(left)))
  for (const signal of signals) process.on(signal, stop)
  listening += 1
  return {
    signal: controller.signal,
    asked,
    release: () => {
      listening -= 1
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
    throw interrupted(goesOn)
  } finally {
    interrupt.release()
  }
}

/**
 * For commands that do not listen by themselves: they are ended at once, as by a crash, which none of them is hurt by.
 * @param say hears why. Returns how to stop listening.
 */
export function endOnInterrupt(say: (error: SyncError) => void): () => void {
  const end = (): void => {
    if (listening > 0) return
    say(interrupted('it was not done: run it again'))
    process.exit(1)
  }
  for (const signal of endings) process.on(signal, end)
  return () => {
    for (const signal of endings) process.off(signal, end)
  }
}

const endings: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM']
const goesOn = 'what was saved is kept, and running it again goes on from there'

/** Commands that end by themselves. */
let listening = 0

function interrupted(left: string): SyncError {
  return new SyncError('INTERRUPTED', `interrupted; ${left}`)
}
