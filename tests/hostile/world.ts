/**
 * A hub in a process of its own and somebody who means no harm, before, amid and after each attack: the hub lives, its memory
 * grows by at most 64 MiB, it has nothing to complain of, and the bystander's commits go on being acknowledged.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startScript, type RunningScript } from '../support/script.ts'
import { Bystander } from './bystander.ts'
import { Memory } from './memory.ts'
import { Raw, upgraded } from './raw.ts'

export const KiB = 1_024
export const MiB = 1_024 * KiB
const GROWN_BYTES_MAX = 64 * MiB

export class HostileWorld {
  folder = ''
  url = ''
  #hub: RunningScript | null = null
  #memory: Memory | null = null
  readonly #bystanders: Bystander[] = []
  readonly #open: Raw[] = []

  async begin(): Promise<Bystander> {
    this.folder = await mkdtemp(path.join(tmpdir(), 'rejoin-hostile-'))
    const script = path.join(import.meta.dirname, 'hub-process.ts')
    // What the C library keeps for each thread, in case, is nothing that the hub holds.
    const env = { MALLOC_ARENA_MAX: '2' }
    this.#hub = startScript(script, [path.join(this.folder, 'hub')], { env })
    this.url = await this.#hub.first
    const bystander = await this.bystander('bystander')
    // What serving takes by itself is no attack's.
    await bystander.more(100)
    this.#memory = new Memory(this.#hub.pid)
    return bystander
  }

  async bystander(name: string): Promise<Bystander> {
    const bystander = await Bystander.open(this.folder, name, this.url)
    this.#bystanders.push(bystander)
    return bystander
  }

  async measure(): Promise<void> {
    for (const bystander of this.#bystanders) await bystander.more(3)
    this.#memory?.begin()
  }

  async check(name: string): Promise<void> {
    for (const bystander of this.#bystanders) await bystander.more(3)
    for (const raw of this.#open.splice(0)) raw.close()
    const grownBytes = this.#memory?.grownBytes() ?? 0
    if (process.env['REJOIN_TOLD'] !== undefined) console.log(`${name}: ${(grownBytes / MiB).toFixed(1)} MiB`)
    if (grownBytes > GROWN_BYTES_MAX) throw new Error(`the hub grew by ${(grownBytes / MiB).toFixed(1)} MiB`)
    const said = this.#hub?.stderr() ?? ''
    if (said !== '') throw new Error(`the hub said: ${said}`)
  }

  /** Who joined for one attack leaves. */
  async leave(bystanders: readonly Bystander[]): Promise<void> {
    for (const bystander of bystanders) {
      this.#bystanders.splice(this.#bystanders.indexOf(bystander), 1)
      await bystander.close()
    }
  }

  async end(): Promise<void> {
    for (const bystander of this.#bystanders) await bystander.close()
    await this.#hub?.stop('SIGTERM')
    await rm(this.folder, { recursive: true, force: true })
  }

  /** A TCP connection that says nothing yet. */
  plain(): Raw {
    const raw = new Raw(this.url)
    this.#open.push(raw)
    return raw
  }

  /** A WebSocket; without a token one that has not signed in. */
  async socket(token: string | null = 'abuser', at?: string): Promise<Raw> {
    const raw = await upgraded(this.url, token, at)
    this.#open.push(raw)
    if (raw.status !== 101) throw new Error(`the upgrade was answered with ${raw.status}`)
    return raw
  }
}
