/** A replica of this process, which nobody kills: writes what is known to it, and shows what everybody should read. */
import { commitName } from '@rejoin/core'
import { digestOf } from '@rejoin/crdt-adapter'
import { intents, openClient, type Replica } from 'rejoin'
import { until } from '../support/until.ts'
import type { CommitLedger } from './commit-ledger.ts'
import { nextOps } from './writing.ts'

type Intents = Replica<typeof intents>
const unansweredMax = 64

export class Bystander {
  readonly replica: Intents
  readonly #name: string
  readonly #ledger: CommitLedger
  readonly #close: () => Promise<void>
  #written = 0
  #unanswered = 0
  #acked = 0

  private constructor(name: string, replica: Intents, ledger: CommitLedger, close: () => Promise<void>) {
    this.#name = name
    this.replica = replica
    this.#ledger = ledger
    this.#close = close
  }

  static async open(name: string, data: string, hub: string, ledger: CommitLedger): Promise<Bystander> {
    const client = await openClient({ data, hub })
    const replica = await client.open(intents, 'support')
    return new Bystander(name, replica, ledger, () => client.close())
  }

  /** Commits of this run that were acknowledged. */
  get acked(): number {
    return this.#acked
  }

  /** Dials at once instead of when its back-off says. */
  redial(): void {
    this.replica.disconnect()
    this.replica.connect()
  }

  /** Writes the first commit: from then on the hub has the namespace. */
  async begin(): Promise<void> {
    this.#writeOne()
    await this.isSettled()
  }

  /** Writes until `isOver`, never more ahead of the hub than a few dozen commits. */
  async write(isOver: () => boolean): Promise<void> {
    for (let burst = 0; !isOver(); burst++) {
      await until(
        `${this.#name} hears its acknowledgements`,
        () => isOver() || this.#unanswered < unansweredMax,
      )
      for (let i = 0; i <= burst % 4; i++) this.#writeOne()
      await this.replica.flush()
    }
  }

  async isSettled(): Promise<void> {
    await until(
      `${this.#name} is live with an empty outbox (${JSON.stringify(this.replica.status.lastError)})`,
      () => this.replica.status.state === 'live' && this.replica.status.pending === 0,
    )
  }

  close(): Promise<void> {
    return this.#close()
  }

  #writeOne(): void {
    const n = this.#written++
    const phrase = `${this.#name} ${n}`
    const receipt = this.replica.apply(nextOps(phrase, n))
    if (receipt.kind === 'unchanged') return
    const commit = commitName(receipt.id)
    this.#unanswered++
    void receipt.saved.then(() => this.#ledger.save(commit, phrase))
    void receipt.acked.then(
      () => {
        this.#unanswered--
        this.#acked++
        this.#ledger.ack(commit)
      },
      () => {},
    )
  }
}

/** @throws where replicas that are settled do not come to read the same. */
export async function checkConverged(replicas: readonly Intents[]): Promise<string> {
  const digests = (): readonly string[] => replicas.map(({ registers }) => digestOf(registers))
  const seqs = (): ReadonlySet<number | undefined> =>
    new Set(replicas.map(({ status }) => status.cursor?.seq))
  await until('all replicas have the same cursor', () => seqs().size === 1)
  const [first, ...others] = digests()
  if (first === undefined || others.some((digest) => digest !== first)) {
    throw new Error(`replicas at one seq read different contents: ${digests().join(', ')}`)
  }
  const unplaced = replicas.filter((replica) => replica.unplaced > 0)
  if (unplaced.length > 0)
    throw new Error(`${unplaced.length} replicas hold updates that they could not place`)
  return first
}

export function phrasesOf({ tables }: Intents): ReadonlySet<string> {
  return new Set(Array.from(tables.phrases.entries(), ([key]) => String(key.at(-1))))
}
