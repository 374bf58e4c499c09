/**
 * Upgrades to a WebSocket while they are judged, whatever is spoken on it then: one that is refused is answered with a status
 * and a code, and what happens on its socket meanwhile is no failure of the process.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ServerLog } from './log.ts'
import { refuseUpgrade } from './refuse.ts'

/** @throws SyncError why the upgrade is refused. */
export type JudgeUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void>

export class Upgrades {
  readonly #judge: JudgeUpgrade
  readonly #log: ServerLog
  readonly #judged = new Set<Duplex>()

  constructor(judge: JudgeUpgrade, log: ServerLog) {
    this.#judge = judge
    this.#log = log
  }

  /** The listener of an HTTP server's `upgrade`. Never rejects. */
  async take(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    // A peer that goes away while it is judged.
    socket.on('error', () => {})
    this.#judged.add(socket)
    try {
      await this.#judge(request, socket, head)
    } catch (error) {
      refuseUpgrade(socket, error, this.#log)
    } finally {
      this.#judged.delete(socket)
    }
  }

  /** Lets go of those that are still judged. */
  terminate(): void {
    for (const socket of this.#judged) socket.destroy()
  }
}
