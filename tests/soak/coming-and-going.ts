/**
 * A hub in one process and many clients in two others, which edit, go offline, come again, leave, and are killed. In the end
 * all that is left reads the same as a newcomer, nothing acknowledged or saved is missing, nothing is logged twice, and the
 * hub's memory is what its figures say (invariants 1, 3, 4, 5 and 14).
 */
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { verifyNamespace } from '@rejoin/hub'
import { openHubFolder } from '@rejoin/persistence-level/node'
import { intents, openClient } from 'rejoin'
import { phrasesOf } from '../faults/bystander.ts'
import { CommitLedger } from '../faults/commit-ledger.ts'
import { startScript, type RunningScript } from '../support/script.ts'
import type { Seeded } from '../support/seeded.ts'
import { until, within } from '../support/until.ts'
import { namespaceOf, type ClientsArguments } from './clients.ts'
import { Witness } from './witness.ts'

export interface CrowdOptions {
  readonly folder: string
  /** At once. */
  readonly clients: number
  readonly random: Seeded
  /** Acts of each client between two kills and after the last; null: as long as `isOver` says. */
  readonly acts: number | null
  readonly pauseMsMax: number
  readonly isOver: () => boolean
  readonly say: (line: string) => void
}

export interface Memory {
  readonly rss: number
  /** After garbage collection, with what lies outside of the heap. */
  readonly heap: number
}

export interface CrowdFigures {
  /** What clients did, by kind, and how often. */
  readonly did: ReadonlyMap<string, number>
  /** Processes killed, with all the clients in them. */
  readonly kills: number
  readonly saved: number
  readonly acked: number
  readonly logged: number
  /** Of the hub: before the first client, and every few seconds. */
  readonly memory: readonly Memory[]
}

const PLACES_PER_NAMESPACE = 25
const PROCESSES = 2
/** Milliseconds between two looks at log and memory. */
const LOOK_MS = 1_000
const settleMsMax = 180_000
const here = (script: string): string => path.join(import.meta.dirname, script)

export async function comeAndGo(options: CrowdOptions): Promise<CrowdFigures> {
  const { folder } = options
  const data = path.join(folder, 'hub')
  const crowd = await Crowd.gather(options, data)
  let figures: CrowdFigures
  const digests = new Map<string, string>()
  try {
    figures = await crowd.run()
    for (const namespace of crowd.namespaces) digests.set(namespace, await crowd.checkConverged(namespace))
  } finally {
    await crowd.end()
  }
  const hub = await openHubFolder(data)
  try {
    for (const [namespace, digest] of digests) {
      const report = await verifyNamespace(hub.store, yjsCrdt.updates, namespace)
      if (report.faults.length > 0) throw new Error(`${namespace}: ${JSON.stringify(report.faults)}`)
      if (report.digest !== digest) throw new Error(`${namespace}: the hub reads something else`)
    }
  } finally {
    await hub.close()
  }
  return figures
}

class Crowd {
  readonly #options: CrowdOptions
  readonly #hub: RunningScript
  readonly #url: string
  readonly #witness: Witness
  readonly #ledgers = new Map<string, CommitLedger>()
  readonly #acked = new Set<string>()
  /** Saved or acknowledged: the log has to have them in the end. */
  readonly #owed = new Set<string>()
  readonly #did = new Map<string, number>()
  readonly #memory: Memory[] = []
  /** By namespace, what each place read in the end. */
  readonly #read = new Map<string, string[]>()
  readonly #processes: RunningScript[] = []
  readonly #heard: Set<string>[] = []
  #kills = 0

  private constructor(options: CrowdOptions, hub: RunningScript, url: string) {
    this.#options = options
    this.#hub = hub
    this.#url = url
    this.#witness = new Witness(url)
    for (const namespace of this.namespaces) this.#ledgers.set(namespace, new CommitLedger())
  }

  static async gather(options: CrowdOptions, data: string): Promise<Crowd> {
    let hear: (line: string) => void = () => {}
    const hub = startScript(here('hub.ts'), [data], {
      flags: ['--expose-gc'],
      onLine: (line) => hear(line),
    })
    const crowd = new Crowd(options, hub, await within('the hub is ready', hub.first))
    hear = (line) => crowd.#hearHub(line)
    return crowd
  }

  get namespaces(): readonly string[] {
    const count = Math.ceil(this.#options.clients / PLACES_PER_NAMESPACE)
    return Array.from({ length: count }, (_, i) => namespaceOf(i, count))
  }

  async run(): Promise<CrowdFigures> {
    await this.#measure()
    for (let i = 0; i < PROCESSES; i++) this.#start(i)
    if (this.#options.acts === null) await this.#liveOn()
    else await this.#liveShortly()
    await this.#settle()
    const unlogged = [...this.#owed].filter((commit) => !this.#witness.has(commit))
    if (unlogged.length > 0)
      throw new Error(`${unlogged.length} not logged: ${unlogged.slice(0, 5).join(', ')}`)
    const { saved, acked } = this.#counts()
    const [did, memory, kills] = [this.#did, this.#memory, this.#kills]
    return { did, kills, saved, acked, logged: this.#witness.commits, memory }
  }

  /** @returns the digest of what everybody in it reads, a newcomer too. */
  async checkConverged(namespace: string): Promise<string> {
    const all = new Set(this.#read.get(namespace))
    if (all.size !== 1) throw new Error(`${namespace} is read as ${[...all].join(' and as ')}`)
    const [, digest = '', unplaced, pending] = ([...all][0] ?? '').split(' ')
    if (unplaced !== '0' || pending !== '0')
      throw new Error(`${namespace}: ${unplaced} unplaced, ${pending} wait`)
    const newcomer = await openClient({ data: path.join(this.#options.folder, namespace), hub: this.#url })
    try {
      const replica = await newcomer.open(intents, namespace, { live: false })
      await replica.syncOnce(newcomer.dialOnce ?? undefined)
      this.#ledgers.get(namespace)?.checkReadable(phrasesOf(replica), 'saved')
    } finally {
      await newcomer.close()
    }
    return digest
  }

  async end(): Promise<void> {
    for (const process of this.#processes) await process.stop('SIGKILL')
    const code = await within('the hub is gone', this.#hub.stop('SIGTERM'))
    if (this.#hub.stderr() !== '') throw new Error(`the hub complained (${code}): ${this.#hub.stderr()}`)
  }

  /** Each process is killed once while its clients act. */
  async #liveShortly(): Promise<void> {
    const { random, clients } = this.#options
    for (let i = 0; i < PROCESSES; i++) {
      const due = this.#acked.size + random.whole(clients, 3 * clients)
      await until(
        'clients are acknowledged',
        () => this.#acked.size >= due || this.#heard[i]?.has('worked') === true,
      )
      await this.#look()
      await this.#kill(i)
    }
    for (let i = 0; i < PROCESSES; i++) await this.#whenSays(i, 'worked')
  }

  async #liveOn(): Promise<void> {
    const { random, isOver, say } = this.#options
    let [looks, next] = [0, random.whole(15, 40)]
    for (; !isOver(); looks++) {
      await sleep(LOOK_MS)
      await this.#look()
      if (looks % 60 === 59) say(this.#line())
      if (looks < next) continue
      await this.#kill(random.whole(0, PROCESSES - 1))
      next = looks + random.whole(15, 40)
    }
  }

  /** Everybody brings what it has, then everybody reads. */
  async #settle(): Promise<void> {
    for (const [word, answer] of [
      ['settle', 'settled'],
      ['read', 'done'],
    ] as const) {
      for (const process of this.#processes) process.tell(word)
      for (let i = 0; i < PROCESSES; i++) await this.#whenSays(i, answer)
      await this.#look()
    }
  }

  async #kill(i: number): Promise<void> {
    await this.#processes[i]?.stop('SIGKILL')
    this.#kills++
    this.#start(i)
  }

  #start(i: number): void {
    const { folder, clients, random, acts, pauseMsMax } = this.#options
    const count = Math.ceil(clients / PROCESSES)
    const given: ClientsArguments = {
      hub: this.#url,
      folder: path.join(folder, `clients-${i}`),
      first: i * count,
      count: Math.min(count, clients - i * count),
      namespaces: this.namespaces.length,
      seed: random.whole(0, 2 ** 30),
      acts,
      pauseMsMax,
    }
    const heard = new Set<string>()
    this.#heard[i] = heard
    const onLine = (line: string): void => this.#hearClients(line, heard)
    const running = startScript(here('clients.ts'), [JSON.stringify(given)], { onLine })
    this.#processes[i] = running
    void running.ended.then((code) => heard.add(`ended with ${code}: ${running.stderr()}`))
  }

  async #whenSays(i: number, word: string): Promise<void> {
    const heard = this.#heard[i] ?? new Set()
    const ended = (): string | undefined => [...heard].find((line) => line.startsWith('ended'))
    await until(`clients ${i} say ${word}`, () => heard.has(word) || ended() !== undefined, settleMsMax)
    if (!heard.has(word)) throw new Error(`clients ${i} ${ended()}`)
  }

  #hearClients(line: string, heard: Set<string>): void {
    const [word = '', namespace = '', commit = '', ...rest] = line.split(' ')
    if (word === 'saved' || word === 'acked') this.#owed.add(commit)
    if (word === 'saved') this.#ledgers.get(namespace)?.save(commit, rest.join(' '))
    else if (word === 'acked') {
      this.#acked.add(commit)
      this.#ledgers.get(namespace)?.ack(commit)
    } else if (word === 'read') {
      const read = this.#read.get(namespace) ?? []
      this.#read.set(namespace, [...read, [commit, ...rest].join(' ')])
    } else if (word === 'did') {
      const what = line.slice('did '.length)
      this.#did.set(what, (this.#did.get(what) ?? 0) + 1)
    } else heard.add(line)
  }

  #hearHub(line: string): void {
    if (!line.startsWith('measured ')) return
    const { rss, heapUsed, external } = JSON.parse(line.slice('measured '.length)) as NodeJS.MemoryUsage
    this.#memory.push({ rss, heap: heapUsed + external })
  }

  async #look(): Promise<void> {
    for (const namespace of this.namespaces) await this.#witness.look(namespace)
    await this.#measure()
    for (const heard of this.#heard) {
      const ended = [...heard].find((line) => line.startsWith('ended') && !heard.has('done'))
      if (ended !== undefined) throw new Error(`clients ${ended}`)
    }
  }

  async #measure(): Promise<void> {
    const before = this.#memory.length
    this.#hub.tell('measure')
    await until('the hub measures itself', () => this.#memory.length > before)
  }

  #counts(): { readonly saved: number; readonly acked: number } {
    let saved = 0
    for (const ledger of this.#ledgers.values()) saved += ledger.counts.saved
    return { saved, acked: this.#acked.size }
  }

  #line(): string {
    const { saved, acked } = this.#counts()
    const { rss = 0, heap = 0 } = this.#memory.at(-1) ?? {}
    const MiB = (bytes: number): string => (bytes / 2 ** 20).toFixed(0)
    const did = [...this.#did].map(([what, count]) => `${what} ${count}`).join(', ')
    return `${saved} saved, ${acked} acked, ${this.#kills} kills; hub ${MiB(heap)} MiB, RSS ${MiB(rss)} MiB; ${did}`
  }
}

export function crowdText({ did, kills, saved, acked, logged, memory }: CrowdFigures): string {
  const MiB = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`
  const heaps = memory.map(({ heap }) => heap)
  const acts = [...did].map(([what, count]) => `${what}: ${count}`).join(', ')
  return [
    `${saved} commits saved, ${acked} acknowledged, ${logged} logged; ${kills} processes killed; ${acts}`,
    `hub after garbage collection: ${MiB(heaps[0] ?? 0)} at first, ${MiB(Math.max(...heaps))} at most, ` +
      `${MiB(heaps.at(-1) ?? 0)} at last; RSS at most ${MiB(Math.max(...memory.map(({ rss }) => rss)))}`,
  ].join('\n')
}
