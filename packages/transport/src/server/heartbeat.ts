/** Finding peers that are gone: pings at each heartbeat; a peer that leaves two unanswered is closed (fault model 7). */
import { limits, type Clock, type CloseReason } from '@rejoin/core'
import type { WebSocket } from 'ws'
import { after } from '../socket.ts'

const UNANSWERED_PINGS_MAX = 2

export function beat(
  clock: Clock,
  webSocket: WebSocket,
  connection: { beat(): void; close(reason: CloseReason): void },
): () => void {
  let unanswered = 0
  webSocket.on('pong', () => (unanswered = 0))
  const timer = new Timer(clock, limits.heartbeatMs, () => {
    if (unanswered >= UNANSWERED_PINGS_MAX) {
      connection.close({ code: 'TIMED_OUT', message: `${unanswered} pings were not answered` })
      webSocket.terminate()
      return
    }
    unanswered++
    webSocket.ping()
    connection.beat()
    timer.start()
  })
  timer.start()
  return () => timer.stop()
}

/** Does one thing after a time, unless stopped. */
export class Timer {
  readonly #clock: Clock
  readonly #ms: number
  readonly #act: () => void
  #cancel = () => {}

  constructor(clock: Clock, ms: number, act: () => void) {
    this.#clock = clock
    this.#ms = ms
    this.#act = act
  }

  start(): void {
    this.#cancel()
    this.#cancel = after(this.#clock, this.#ms, this.#act)
  }

  stop(): void {
    this.#cancel()
  }
}
