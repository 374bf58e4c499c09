/**
 * A socket that is read no faster than its principal may send frames, whatever is in them: also beats, pings and frames for
 * channels that are over, which nobody counts as messages. Above the rate it is not read for a while; nothing is lost.
 */
import type { Clock } from '@rejoin/core'
import { after, type Socket } from '../socket.ts'
import type { TokenBucket } from './rates.ts'

export interface PacedSocket extends Socket {
  /** Counts a frame that no handler gets. */
  count(): void
}

export function pacedSocket(socket: Socket, clock: Clock, bucket: TokenBucket): PacedSocket {
  let isWanted = true
  let isTooFast = false
  let isClosing = false
  let cancel = (): void => {}
  const count = (): void => {
    bucket.take(1)
    const waitMs = bucket.waitMs(clock.now())
    if (waitMs === 0 || isTooFast || isClosing) return
    isTooFast = true
    socket.pause()
    cancel = after(clock, waitMs, () => {
      isTooFast = false
      if (isWanted) socket.resume()
    })
  }
  return {
    pausable: socket.pausable,
    count,
    send: (frame, taken) => socket.send(frame, taken),
    close: (reason) => {
      // Whoever is not read would never be heard to close.
      isClosing = true
      cancel()
      socket.resume()
      socket.close(reason)
    },
    pause: () => {
      isWanted = false
      socket.pause()
    },
    resume: () => {
      isWanted = true
      if (!isTooFast) socket.resume()
    },
    handle: (handler) =>
      socket.handle({
        frame: (bytes) => {
          count()
          handler.frame(bytes)
        },
        closed: (reason) => {
          isClosing = true
          cancel()
          handler.closed(reason)
        },
      }),
  }
}
