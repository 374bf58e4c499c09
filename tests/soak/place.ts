/**
 * One place at a hub and the clients in it, one after the other: each with a data folder of its own, live or by HTTP. It
 * opens, edits, goes offline and comes again, closes, and leaves for good once all it had is at the hub.
 */
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { commitName, SyncError } from '@rejoin/core'
import { digestOf } from '@rejoin/crdt-adapter'
import { intents, openClient, type Client, type Replica } from 'rejoin'
import { intentId, nextOps } from '../faults/writing.ts'
import type { Seeded } from '../support/seeded.ts'
import { until } from '../support/until.ts'

export interface PlaceOptions {
  readonly name: string
  readonly namespace: string
  readonly hub: string
  /** Where its clients' folders are. */
  readonly folder: string
  readonly random: Seeded
  /** Between two acts, at most. */
  readonly pauseMsMax: number
  /** `saved NAMESPACE COMMIT PHRASE`, `acked NAMESPACE COMMIT`, `did WHAT`. */
  readonly say: (line: string) => void
}

interface Present {
  readonly client: Client
  readonly replica: Replica<typeof intents>
  /** By HTTP it exchanges now and then. */
  readonly way: 'live' | 'http'
}

const settleTriesMax = 50

export class Place {
  readonly #options: PlaceOptions
  #present: Present | null = null
  #written = 0

  constructor(options: PlaceOptions) {
    this.#options = options
  }

  /** Comes and goes until it has done so many acts, or is told to stop. */
  async live(actsMax: number, isOver: () => boolean): Promise<void> {
    const { random, pauseMsMax } = this.#options
    for (let act = 0; act < actsMax && !isOver(); act++) {
      await this.#act(this.#present ?? (await this.#come()))
      await sleep(random.whole(0, pauseMsMax))
    }
  }

  /** Whoever is here, or was last, brings everything it has to the hub. */
  async settle(): Promise<void> {
    await this.#settle(this.#present ?? (await this.#come()))
  }

  /** What it reads once it has everything that the hub has: `SEQ DIGEST UNPLACED PENDING`. */
  async read(): Promise<string> {
    const { replica, client } = this.#present ?? (await this.#come())
    replica.disconnect()
    await this.#exchange(replica, client)
    // Its cursor says what it has once that is recorded.
    await replica.flush()
    const { status, registers, unplaced } = replica
    return `${status.cursor?.seq ?? 0} ${digestOf(registers)} ${unplaced} ${status.pending}`
  }

  async close(): Promise<void> {
    const present = this.#present
    this.#present = null
    await present?.client.close()
  }

  async #come(): Promise<Present> {
    const { folder, name, hub, namespace, random, say } = this.#options
    await mkdir(folder, { recursive: true })
    const mine = (await readdir(folder)).filter((found) => found.startsWith(`${name}.`))
    // Who was here comes again, also after a crash; a newcomer has an empty folder.
    const data = path.join(folder, mine[0] ?? `${name}.${random.whole(0, 2 ** 30)}`)
    const client = await openClient({ data, hub })
    const way = random.chance(0.5) ? 'live' : 'http'
    const replica = await client.open(intents, namespace, { live: way === 'live' })
    this.#present = { client, replica, way }
    say(`did ${mine.length === 0 ? 'join' : 'reopen'}`)
    return this.#present
  }

  async #act(present: Present): Promise<void> {
    const { random, say } = this.#options
    const { replica, client, way } = present
    const drawn = random.unit()
    if (drawn < 0.6) return this.#edit(replica)
    if (drawn < 0.8) {
      if (way === 'http') return this.#exchange(replica, client)
      if (random.chance(0.6)) replica.connect()
      else replica.disconnect()
      return say('did come or go')
    }
    if (drawn < 0.85 && way === 'live') return replica.awareness.setLocal({ at: random.whole(0, 9) })
    if (drawn < 0.93) {
      await this.close()
      return say('did close')
    }
    if (drawn < 0.97) return this.#leave(present)
  }

  async #edit(replica: Replica<typeof intents>): Promise<void> {
    const { random, name, namespace, say } = this.#options
    for (let count = random.whole(1, 4); count > 0; count--) {
      const n = this.#written++
      const phrase = `${process.pid} ${name} ${n}`
      // A newcomer that has heard of nothing yet begins with the intent.
      const receipt = replica.apply(nextOps(phrase, replica.tables.intents.has(intentId) ? n + 1 : 0))
      if (receipt.kind === 'unchanged') continue
      const commit = commitName(receipt.id)
      receipt.saved.then(
        () => say(`saved ${namespace} ${commit} ${phrase}`),
        () => {},
      )
      receipt.acked.then(
        () => say(`acked ${namespace} ${commit}`),
        () => {},
      )
    }
    await replica.flush()
  }

  /** Over HTTP. What may be tried again is; anything else is a failure. */
  async #exchange(replica: Replica<typeof intents>, client: Client): Promise<void> {
    const { say } = this.#options
    try {
      await replica.syncOnce(client.dialOnce ?? undefined)
      say('did exchange')
    } catch (error) {
      if (!(error instanceof SyncError) || !error.retryable) throw error
      say(`did put off an exchange: ${error.code}`)
    }
  }

  /** For good: nothing of its is left but what the hub has. */
  async #leave(present: Present): Promise<void> {
    const { folder, name, say } = this.#options
    await this.#settle(present)
    await this.close()
    for (const mine of (await readdir(folder)).filter((found) => found.startsWith(`${name}.`))) {
      // A crash amid the removal must not leave half of a folder to come back to.
      const gone = path.join(folder, `gone.${mine}`)
      await rename(path.join(folder, mine), gone)
      await rm(gone, { recursive: true, force: true })
    }
    say('did leave')
  }

  async #settle({ replica, client, way }: Present): Promise<void> {
    const { name, random } = this.#options
    if (way === 'live') {
      replica.connect()
      const isSettled = (): boolean => replica.status.state === 'live' && replica.status.pending === 0
      const why = (): string => JSON.stringify(replica.status.lastError)
      return until(`${name} is settled (${why()})`, isSettled)
    }
    for (let tries = 0; tries === 0 || replica.status.pending > 0; tries++) {
      if (tries > settleTriesMax) throw new Error(`${name} still has ${replica.status.pending} commits`)
      if (tries > 0) await sleep(random.whole(0, 200))
      await this.#exchange(replica, client)
    }
  }
}
