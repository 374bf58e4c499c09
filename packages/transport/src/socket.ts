/** What a connection needs of whatever carries its frames: a WebSocket, an HTTP exchange, a pair in memory. */
import type { Clock, CloseReason } from '@rejoin/core'

export interface SocketHandler {
  /** Frames come whole and in order. */
  frame(bytes: Uint8Array): void
  /** Called once, whichever side closed; nothing is called after it. */
  closed(reason: CloseReason): void
}

export interface Socket {
  /** Frames leave whole and in order; `taken` is called, not before `send` has returned, when the network has this one. */
  send(frame: Uint8Array, taken: () => void): void
  /** Sends what was given to it, then closes. Idempotent. */
  close(reason: CloseReason): void
  /** Whether `pause` keeps the peer from sending. */
  readonly pausable: boolean
  pause(): void
  resume(): void
  /** Called before anything is sent; a later call takes over. */
  handle(handler: SocketHandler): void
}

/** Without one, an error with its stack would be made each time that a timer is not needed: a quarter of what a socket costs. */
const notNeeded = 'not needed'

/** Does something after `ms` milliseconds unless the returned function was called before. */
export function after(clock: Clock, ms: number, act: () => void): () => void {
  const cancelled = new AbortController()
  void clock.sleep(ms, cancelled.signal).then(() => {
    if (!cancelled.signal.aborted) act()
  })
  return () => cancelled.abort(notNeeded)
}
