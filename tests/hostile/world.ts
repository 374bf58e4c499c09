/**
 * A hub in a process of its own and somebody who means no harm in another, before, amid and after each attack: the hub lives, its
 * memory grows by at most 64 MiB, it has nothing to complain of, and the bystander's commits go on being acknowledged. With
 * `REJOIN_TOLD=1` each row prints by how much it grew, how long the bystander waited for an ack at most, and the longest that the
 * hub's loop was late by and that its process waited for a core: what of the bystander's wait is the machine's.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startScript, type RunningScript } from '../support/script.ts'
import { within } from '../support/until.ts'
import { Bystander } from './bystander.ts'
import { DistantBystander } from './distant-bystander.ts'
import { CoreWaits, Memory } from './memory.ts'
import { Raw, upgraded } from './raw.ts'

export const KiB = 1_024
export const MiB = 1_024 * KiB
const GROWN_BYTES_MAX = 64 * MiB

export class HostileWorld {
  folder = ''
  url = ''
  #hub: RunningScript | null = null
  #memory: Memory | null = null
  #waits: CoreWaits | null = null
  #heldBefore: number | null = null
  readonly #heard: ((answer: number) => void)[] = []
  #bystander: DistantBystander | null = null
  readonly #others: Bystander[] = []
  readonly #open: Raw[] = []

  async begin(): Promise<DistantBystander> {
    this.folder = await mkdtemp(path.join(tmpdir(), 'rejoin-hostile-'))
    const script = path.join(import.meta.dirname, 'hub-process.ts')
    // What the C library keeps for each thread, in case, is nothing that the hub holds.
    const env = { MALLOC_ARENA_MAX: '2' }
    this.#hub = startScript(script, [path.join(this.folder, 'hub')], {
      env,
      flags: ['--expose-gc'],
      onLine: (line) => this.#heard.shift()?.(Number(line)),
    })
    this.url = await this.#hub.first
    const bystander = await DistantBystander.open(this.folder, 'bystander', this.url)
    this.#bystander = bystander
    // What serving takes by itself is no attack's.
    await bystander.more(100)
    this.#memory = new Memory(this.#hub.pid)
    this.#waits = new CoreWaits(this.#hub.pid)
    return bystander
  }

  /** A further one, in the test's own process. */
  async bystander(name: string): Promise<Bystander> {
    const bystander = await Bystander.open(this.folder, name, this.url)
    this.#others.push(bystander)
    return bystander
  }

  async measure(): Promise<void> {
    await this.#bystander?.more(3)
    this.#memory?.begin()
    await this.#begin()
  }

  /**
   * Where much is written meanwhile, the most that the process has is what its collector has not come to yet: so what is held by
   * the end counts, collected, above what is held now.
   */
  async measureHeld(): Promise<void> {
    this.#heldBefore = await this.#ask('held')
    // That stopped it for a moment.
    await this.#bystander?.more(1)
    await this.#begin()
  }

  async check(name: string): Promise<void> {
    await this.#bystander?.more(3)
    const silentMs = Math.round(this.#bystander?.silentMs ?? 0)
    const lateMs = await this.#ask('delay')
    const waitedMs = Math.round(this.#waits?.sinceMs() ?? 0)
    const mostBytes = this.#memory?.grownBytes() ?? 0
    const grownBytes = this.#heldBefore === null ? mostBytes : (await this.#ask('held')) - this.#heldBefore
    this.#heldBefore = null
    const leaving = this.#open.splice(0)
    for (const raw of leaving) raw.close()
    await Promise.all(leaving.map(({ closed }) => closed))
    if (process.env['REJOIN_TOLD'] !== undefined) {
      const hub = `its loop ${lateMs} ms late, ${waitedMs} ms without a core in all`
      console.log(`told | ${name} | ${(grownBytes / MiB).toFixed(1)} MiB | ${silentMs} ms | ${hub}`)
    }
    if (grownBytes > GROWN_BYTES_MAX) throw new Error(`the hub grew by ${(grownBytes / MiB).toFixed(1)} MiB`)
    const said = this.#hub?.stderr() ?? ''
    if (said !== '') throw new Error(`the hub said: ${said}`)
  }

  /** Who joined for one attack leaves. */
  async leave(bystanders: readonly Bystander[]): Promise<void> {
    for (const bystander of bystanders) {
      this.#others.splice(this.#others.indexOf(bystander), 1)
      await bystander.close()
    }
  }

  async end(): Promise<void> {
    for (const bystander of this.#others) await bystander.close()
    await this.#bystander?.close()
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

  async #begin(): Promise<void> {
    await this.#ask('begin')
    this.#waits?.begin()
    this.#bystander?.begin()
  }

  /** As `hub-process.ts` says. */
  async #ask(what: 'held' | 'begin' | 'delay'): Promise<number> {
    const answer = new Promise<number>((resolve) => this.#heard.push(resolve))
    this.#hub?.tell(what)
    return await within(`the hub answers ${what}`, answer)
  }
}
