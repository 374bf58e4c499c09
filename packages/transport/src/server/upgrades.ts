/**
 * Upgrades to a WebSocket while they are judged, whatever is spoken on it then: one that is refused is answered with a status
 * and a code, and what happens on its socket meanwhile is no failure of the process. Of hundreds that come at once a few are
 * judged in each turn of the loop, so that whoever is connected does not wait for them (`HAZARDS.md` G7).
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { NoRoom } from './intake.ts'
import type { ServerLog } from './log.ts'
import { Portions } from './portions.ts'
import { refuseUpgrade } from './refuse.ts'

/** @throws SyncError why the upgrade is refused. */
export type JudgeUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void>

/** Some 200 microseconds each. */
const PER_TURN = 16
/** Each may have a head of 16 KiB. */
const WAITING_MAX = 1_000

export class Upgrades {
  readonly #judge: JudgeUpgrade
  readonly #log: ServerLog
  /** Those that wait to be judged too. */
  readonly #judged = new Set<Duplex>()
  readonly #portions = new Portions({
    perTurn: PER_TURN,
    waitingMax: WAITING_MAX,
    nextTurn: (act) => void setImmediate(act),
  })

  constructor(judge: JudgeUpgrade, log: ServerLog) {
    this.#judge = judge
    this.#log = log
  }

  /** The listener of an HTTP server's `upgrade`. */
  take(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // A peer that goes away while it is judged.
    socket.on('error', () => {})
    this.#judged.add(socket)
    if (this.#portions.take(() => void this.#take(request, socket, head))) return
    this.#judged.delete(socket)
    refuseUpgrade(socket, new NoRoom(`${WAITING_MAX} upgrades wait`), this.#log)
  }

  /** Lets go of those that are still judged. */
  terminate(): void {
    for (const socket of this.#judged) socket.destroy()
  }

  /** Never rejects. */
  async #take(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    try {
      if (!socket.destroyed) await this.#judge(request, socket, head)
    } catch (error) {
      refuseUpgrade(socket, error, this.#log)
    } finally {
      this.#judged.delete(socket)
    }
  }
}
