/**
 * Finding peers that are gone, or read nothing: pings at each heartbeat; a peer that leaves two unanswered is closed (fault model
 * 7). A pong counts that repeats what its ping said, which nobody knows who has not read it.
 */
import { limits, type Clock, type CloseReason } from '@rejoin/core'
import type { WebSocket } from 'ws'
import { after } from '../socket.ts'

const UNANSWERED_PINGS_MAX = 2
/** Bytes that a ping says. */
const SAID_BYTES = 8

export function beat(
  clock: Clock,
  webSocket: WebSocket,
  connection: { beat(): void; close(reason: CloseReason): void },
): () => void {
  const unanswered: Uint8Array[] = []
  webSocket.on('pong', (said: Buffer) => {
    // Who is late may answer the last one alone.
    unanswered.splice(0, unanswered.findIndex((ping) => said.equals(ping)) + 1)
  })
  const timer = new Timer(clock, limits.heartbeatMs, () => {
    if (unanswered.length >= UNANSWERED_PINGS_MAX) {
      connection.close({ code: 'TIMED_OUT', message: `${unanswered.length} pings were not answered` })
      webSocket.terminate()
      return
    }
    const ping = clock.random(SAID_BYTES)
    unanswered.push(ping)
    webSocket.ping(ping)
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
