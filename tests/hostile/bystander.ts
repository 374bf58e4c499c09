/**
 * Somebody who means no harm: a live replica that writes one commit after the other, and knows how many were acknowledged, and
 * how long it waited for one at most.
 */
import path from 'node:path'
import { intents, openClient, type Client, type Replica } from 'rejoin'
import { until } from '../support/until.ts'

export class Bystander {
  readonly #client: Client
  readonly #replica: Replica<typeof intents>
  readonly #writing: Promise<void>
  #acked = 0
  #ackedAtMs = performance.now()
  #silentMs = 0
  #isOver = false
  #failure: unknown = null

  private constructor(client: Client, replica: Replica<typeof intents>) {
    this.#client = client
    this.#replica = replica
    this.#writing = this.#write().catch((error: unknown) => void (this.#failure = error))
  }

  static async open(folder: string, name: string, hub: string): Promise<Bystander> {
    const client = await openClient({ data: path.join(folder, name), hub, token: () => name })
    return new Bystander(client, await client.open(intents, 'office'))
  }

  /** The longest between two acks since `begin`, and since the last of them until now, ms. */
  get silentMs(): number {
    return Math.max(this.#silentMs, performance.now() - this.#ackedAtMs)
  }

  begin(): void {
    this.#ackedAtMs = performance.now()
    this.#silentMs = 0
  }

  /** Resolves when so many more were acknowledged. */
  async more(count: number): Promise<void> {
    const wanted = this.#acked + count
    await until(
      `${count} more commits are acknowledged`,
      () => this.#acked >= wanted || this.#failure !== null,
    )
    if (this.#failure !== null) throw this.#failure
  }

  async close(): Promise<void> {
    this.#isOver = true
    await this.#writing
    await this.#client.close()
    if (this.#failure !== null) throw this.#failure
  }

  async #write(): Promise<void> {
    await this.#replica.apply({ type: 'IntentAdded', id: 'greet', phrasesByLang: {} }).acked
    for (let i = 0; !this.#isOver; i++) {
      await this.#replica.apply({ type: 'WeightUpdates', changes: [['hello', 'greet', (i % 1_000) / 1_000]] })
        .acked
      this.#acked++
      this.#silentMs = this.silentMs
      this.#ackedAtMs = performance.now()
    }
  }
}
