/** Ctrl-C and `kill` as an abort signal: the first ends a command cleanly, a second one at once. */
export interface Interrupt {
  readonly signal: AbortSignal
  /** Resolves when the command is asked to stop. */
  readonly asked: Promise<void>
  release(): void
}

export function listenForInterrupt(): Interrupt {
  const controller = new AbortController()
  const asked = new Promise<void>((resolve) => controller.signal.addEventListener('abort', () => resolve()))
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(1)
    controller.abort()
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return {
    signal: controller.signal,
    asked,
    release: () => {
      process.off('SIGINT', stop)
      process.off('SIGTERM', stop)
    },
  }
}
