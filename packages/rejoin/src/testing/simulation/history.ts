/** What has happened in a simulated world: told to whoever listens, and named by a hash (invariant 15). */
import type { Namespace } from '@rejoin/core'
import type { HearHistory, HistoryEvent, HistoryValue } from './history-event.ts'
import type { SimulatedTime } from './simulated-time.ts'

/** Of a replica or of a hub. */
interface Process {
  readonly index: number
  readonly namespace: Namespace
}

export class History {
  readonly #time: SimulatedTime
  readonly #startMs: number
  readonly #hear: HearHistory | null
  #events = 0
  #steps = 0
  #high = 0x811c9dc5
  #low = 0x01000193

  constructor(time: SimulatedTime, hear: HearHistory | null) {
    this.#time = time
    this.#startMs = time.now()
    this.#hear = hear
  }

  get isHeard(): boolean {
    return this.#hear !== null
  }

  get timeMs(): number {
    return this.#time.now() - this.#startMs
  }

  get hash(): string {
    return [this.#high, this.#low].map((half) => half.toString(16).padStart(8, '0')).join('')
  }

  /** A step was taken to its end. */
  step(line: string): void {
    this.#steps++
    this.mix(line)
    this.mix(String(this.timeMs))
  }

  mix(text: string): void {
    for (let i = 0; i < text.length; i++) {
      this.#high = Math.imul(this.#high ^ text.charCodeAt(i), 0x01000193) >>> 0
      this.#low = Math.imul(this.#low + text.charCodeAt(i), 0x85ebca6b) >>> 0
    }
  }

  mixBytes(bytes: Uint8Array): void {
    for (const byte of bytes) {
      this.#high = Math.imul(this.#high ^ byte, 0x01000193) >>> 0
      this.#low = Math.imul(this.#low + byte, 0x85ebca6b) >>> 0
    }
  }

  tell(of: Process, type: HistoryEvent['type'], f: HistoryEvent['f'], value: HistoryValue): void {
    this.#tell(`r${of.index}`, of.namespace, type, f, value)
  }

  appended(namespace: Namespace, seq: number, commits: readonly string[]): void {
    this.#tell('hub', namespace, 'ok', 'append', { seq, commits })
  }

  lost(namespace: Namespace, head: number): void {
    this.#tell('hub', namespace, 'info', 'lose', { head })
  }

  #tell(
    process: string,
    namespace: Namespace,
    type: HistoryEvent['type'],
    f: HistoryEvent['f'],
    value: HistoryValue,
  ): void {
    const { timeMs } = this
    this.#hear?.({ index: this.#events++, timeMs, step: this.#steps, process, namespace, type, f, value })
  }
}
