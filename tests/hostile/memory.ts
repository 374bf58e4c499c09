/** What another process holds and waits for, as Linux tells it; elsewhere nothing is known, and nothing is held against it. */
import { readFileSync, writeFileSync } from 'node:fs'

const isKnown = process.platform === 'linux'

export class Memory {
  readonly #pid: number
  #before = 0

  constructor(pid: number) {
    this.#pid = pid
    this.begin()
  }

  /** From now on the most is measured against what is held now. */
  begin(): void {
    if (!isKnown) return
    // Forgets the most that it ever held.
    writeFileSync(`/proc/${this.#pid}/clear_refs`, '5')
    this.#before = this.#read('VmRSS')
  }

  /** Bytes by which the most since `begin` was above what was held then. */
  grownBytes(): number {
    return isKnown ? this.#read('VmHWM') - this.#before : 0
  }

  #read(name: string): number {
    const status = readFileSync(`/proc/${this.#pid}/status`, 'utf8')
    return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1_024
  }
}

/** How long the main thread of another process was ready to run and had no core. */
export class CoreWaits {
  readonly #pid: number
  #beforeMs = 0

  constructor(pid: number) {
    this.#pid = pid
    this.begin()
  }

  begin(): void {
    this.#beforeMs = this.#readMs()
  }

  sinceMs(): number {
    return this.#readMs() - this.#beforeMs
  }

  #readMs(): number {
    if (!isKnown) return 0
    const [, waitedNs] = readFileSync(`/proc/${this.#pid}/schedstat`, 'utf8').split(' ')
    return Number(waitedNs) / 1e6
  }
}
