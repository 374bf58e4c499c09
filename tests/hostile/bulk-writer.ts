/** Writes much into a small document: 4 texts of 100 kB, again and again, 800 kB a commit with its ops. */
import path from 'node:path'
import { intents, openClient, type Client, type Replica } from 'rejoin'

const TEXTS = 4
const TEXT_CHARS = 100_000

export class BulkWriter {
  readonly #client: Client
  readonly #replica: Replica<typeof intents>
  #round = 0

  private constructor(client: Client, replica: Replica<typeof intents>) {
    this.#client = client
    this.#replica = replica
  }

  static async open(folder: string, hub: string, namespace: string): Promise<BulkWriter> {
    const data = path.join(folder, `bulk-${namespace}`)
    const client = await openClient({ data, hub, token: () => 'bulk' })
    return new BulkWriter(client, await client.open(intents, namespace))
  }

  async write(rounds: number): Promise<void> {
    for (let i = 0; i < rounds; i++) {
      const text = `${this.#round++} `.padEnd(TEXT_CHARS, 'x')
      const ops = Array.from(
        { length: TEXTS },
        (_, number) =>
          ({ type: 'IntentAdded', id: `t${number}`, phrasesByLang: {}, description: text }) as const,
      )
      await this.#replica.apply(ops).acked
    }
  }

  async close(): Promise<void> {
    await this.#client.close()
  }
}
