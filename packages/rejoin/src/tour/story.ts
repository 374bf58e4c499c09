/**
 * The tour: one hub and three replicas, each with its own LevelDB folder, on loopback, in a temporary folder that is gone
 * afterwards. Every figure it prints was counted in this very run.
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SyncError, type ReplicaState } from '@rejoin/core'
import { digestOf } from '@rejoin/crdt-adapter'
import { indexOf, intents, packCommits, rankingDefaults, rankIntents, readPack } from '@rejoin/intents'
import type { Replica, ReplicaStatus, SyncReport } from '@rejoin/replica'
import { countText } from '../cli/output.ts'
import { openClient, type Client } from '../wiring/client.ts'
import { startHub, type RunningHub } from '../wiring/hub.ts'
import { nodePackFiles } from '../wiring/pack-files.ts'
import { systemClock } from '../wiring/system-clock.ts'
import { withTemporaryFolder } from './temporary-folder.ts'

const NAMESPACE = 'workshop'
const FLAT_TYRE = 'repair:flat_tyre'
const WHEELS = 'repair:cost_estimate'
const SAMPLE_PACK = fileURLToPath(new URL('../../sample-pack', import.meta.url))

/** Few, so that the tour meets the gap. */
const RETENTION_COMMITS = 4
const PRICE_QUESTIONS = [
  'price of a new rim',
  'what is a spoke',
  'how much to true a wheel',
  'rim and spokes, how much',
  'cost of a hub gear service',
  'what do you charge for a tube',
]

type IntentsReplica = Replica<typeof intents>

/** What happened in one step, for people and for `--json`. */
export interface TourStep {
  readonly step: string
  readonly says: readonly string[]
  readonly exchanges: readonly { readonly replica: string; readonly report: SyncReport }[]
}

export interface TourResult {
  readonly agree: boolean
  readonly digests: Readonly<Record<string, string>>
}

/**
 * Runs the tour; `tell` hears each step as it is done. Leaves nothing running and nothing on disk.
 * @throws what `signal` was aborted with.
 */
export function runTour(tell: (step: TourStep) => void, signal: AbortSignal): Promise<TourResult> {
  return withTemporaryFolder('rejoin-tour-', async (folder) => {
    const opened: { close(): Promise<void> }[] = []
    try {
      const hub = await startHub({
        data: join(folder, 'hub'),
        domains: [intents],
        port: 0,
        retention: { commits: RETENTION_COMMITS },
      })
      opened.push(hub)
      const joinHub = async (name: string): Promise<Traveller> => {
        const client = await openClient({ data: join(folder, name), hub: hub.url })
        opened.push(client)
        const replica = await client.open(intents, NAMESPACE, { live: false })
        return { name, client, replica }
      }
      const telling = (step: TourStep): void => {
        signal.throwIfAborted()
        tell(step)
      }
      telling({ step: 'A hub is up', says: [`${hub.url}, its log in LevelDB, on loopback`], exchanges: [] })
      return await walk({ hub, joinHub, tell: telling })
    } finally {
      for (const part of opened.reverse()) await part.close()
    }
  })
}

interface Traveller {
  readonly name: string
  readonly client: Client
  readonly replica: IntentsReplica
}

interface Stage {
  readonly hub: RunningHub
  readonly joinHub: (name: string) => Promise<Traveller>
  readonly tell: (step: TourStep) => void
}

async function walk({ hub, joinHub, tell }: Stage): Promise<TourResult> {
  const desk = await joinHub('desk')
  const van = await joinHub('van')

  const commits = packCommits(await readPack(nodePackFiles(SAMPLE_PACK)))
  for (const ops of commits) await desk.replica.apply([...ops]).saved
  const { tables } = desk.replica
  tell({
    step: 'The desk imports the sample pack and sends it to the hub',
    says: [
      `${tables.intents.size} intents, ${tables.phrases.size} phrases, in ${countText(commits.length, 'commit')}`,
    ],
    exchanges: [await exchange(desk)],
  })
  tell({ step: 'The van joins', says: ['it has nothing yet'], exchanges: [await exchange(van)] })
  tell({ step: 'The van asks again', says: ['nothing was missed'], exchanges: [await exchange(van)] })

  desk.replica.apply({
    type: 'PhraseAdded',
    intentId: FLAT_TYRE,
    phrase: 'there is a thorn in my tube',
    lang: 'en',
  })
  desk.replica.apply(descriptionOf(FLAT_TYRE, 'A tyre lost its air; walk-ins before noon'))
  van.replica.apply({ type: 'PhraseAdded', intentId: FLAT_TYRE, phrase: 'my tyre hisses', lang: 'en' })
  van.replica.apply(descriptionOf(FLAT_TYRE, 'A tyre lost its air; the van carries tubes'))
  tell({
    step: 'Both are offline, and both edit; the same field, too',
    says: [desk, van].map(
      ({ name, replica }) => `${name}: ${replica.status.pending} commits wait for the hub`,
    ),
    exchanges: [],
  })
  tell({
    step: 'Both come back',
    says: ['only the tail travels'],
    exchanges: [await exchange(desk), await exchange(van), await exchange(desk)],
  })

  const [conflict] = van.replica.conflicts()
  if (conflict === undefined) throw new Error('the two descriptions should be a conflict')
  tell({
    step: 'The same field was written on both sides: a conflict, kept and listed on every replica',
    says: conflict.choices.map(
      ({ value, author }, i) => `${i === 0 ? 'read:   ' : 'beside: '}${JSON.stringify(value)} by ${author}`,
    ),
    exchanges: [],
  })
  const kept = conflict.choices[1] ?? conflict.choices[0]
  await van.replica.resolve(conflict, { kind: 'choose', value: kept?.value ?? null }).saved
  tell({
    step: 'The van chooses; the choice is a commit like any other',
    says: [`${JSON.stringify(kept?.value)}`],
    exchanges: [await exchange(van), await exchange(desk)],
  })

  const work: TourStep['exchanges'][number][] = []
  for (const phrase of PRICE_QUESTIONS) {
    desk.replica.apply({ type: 'PhraseAdded', intentId: WHEELS, phrase, lang: 'en' })
    work.push(await exchange(desk))
  }
  const { seq } = await hub.checkpoint(NAMESPACE)
  tell({
    step: 'The van sleeps while the desk goes on, for longer than the hub keeps commits',
    says: [
      `the hub keeps ${RETENTION_COMMITS} commits as a tail, and folded its log into a checkpoint at seq ${seq}`,
    ],
    exchanges: work.slice(-1),
  })
  van.replica.apply({
    type: 'PhraseAdded',
    intentId: WHEELS,
    phrase: 'a quote for my wobbling wheel',
    lang: 'en',
  })
  tell({
    step: 'The van wakes up, with a commit of its own that was never sent',
    says: ['it gets a snapshot, and its commit is kept and sent'],
    exchanges: [await exchange(van), await exchange(desk)],
  })
  const tablet = await joinHub('tablet')
  tell({ step: 'A third replica joins', says: [], exchanges: [await exchange(tablet)] })

  const { phrases } = desk.replica.tables
  const before = phrases.size
  desk.replica.undo()
  tell({
    step: 'The desk takes back what it did last: undo, a commit like any other',
    says: [`${before} phrases before, ${phrases.size} after`],
    exchanges: [await exchange(desk), await exchange(van)],
  })
  await rebuildInPlace({ hub, desk, van, tablet, tell })

  const query = 'how much is a new tube'
  tell({
    step: `Each routes "${query}" by itself`,
    says: [desk, van, tablet].map(({ name, replica }) => `${name}: ${routed(query, replica)}`),
    exchanges: [],
  })

  const digests: Record<string, string> = { hub: await hubDigest(hub) }
  for (const { name, replica } of [desk, van, tablet]) digests[name] = digestOf(replica.registers)
  const agree = new Set(Object.values(digests)).size === 1
  tell({
    step: agree ? "All replicas and the hub's log agree" : "The replicas and the hub's log DISAGREE",
    says: Object.entries(digests).map(([name, digest]) => `${name.padEnd(7)} ${digest}`),
    exchanges: [],
  })
  return { agree, digests }
}

interface Rebuilding {
  readonly hub: RunningHub
  readonly desk: Traveller
  readonly van: Traveller
  /** Has not heard of the latest commits. */
  readonly tablet: Traveller
  readonly tell: (step: TourStep) => void
}

/** A new epoch under replicas that are live, caught up and stale. */
async function rebuildInPlace({ hub, desk, van, tablet, tell }: Rebuilding): Promise<void> {
  desk.replica.connect()
  await reached(desk, ({ state }) => state === 'live')
  tablet.replica.apply({ type: 'PhraseAdded', intentId: WHEELS, phrase: 'what is a true wheel', lang: 'en' })
  const states = new Set<ReplicaState>()
  const stop = desk.replica.onStatus(({ state }) => states.add(state))
  const { epoch, seq, snapshotBytes } = await hub.rebuild(NAMESPACE)
  await reached(desk, ({ state, cursor }) => state === 'live' && cursor?.epoch === epoch)
  stop()
  tell({
    step: 'The hub rebuilds the document while the desk is live: a new epoch, of the live entries alone',
    says: [
      `epoch ${epoch} from seq ${seq}, ${snapshotBytes} bytes as a snapshot`,
      `the desk goes on in it, ${states.size === 1 ? 'live all the while' : `by way of ${[...states].join(', ')}`}`,
    ],
    exchanges: [],
  })
  desk.replica.disconnect()
  tell({
    step: 'The van was away and had missed nothing: it makes the new document itself, too',
    says: [],
    exchanges: [await exchange(van)],
  })
  tell({
    step: 'The tablet had missed something: it is reset, and its commit that was never sent is made anew',
    says: [],
    exchanges: [await exchange(tablet), await exchange(desk), await exchange(van)],
  })
}

/** Milliseconds; a hundred times what it takes. */
const REACH_MS_MAX = 20_000

/** Waits until the status is such. @throws SyncError TIMED_OUT */
async function reached(
  { name, replica }: Traveller,
  isIt: (status: ReplicaStatus) => boolean,
): Promise<void> {
  const over = new AbortController()
  const it = new Promise<'reached'>((resolve) => {
    const look = (status: ReplicaStatus): void => {
      if (isIt(status)) resolve('reached')
    }
    const stop = replica.onStatus(look)
    over.signal.addEventListener('abort', stop)
    look(replica.status)
  })
  const first = await Promise.race([it, systemClock.sleep(REACH_MS_MAX, over.signal)])
  over.abort()
  if (first !== 'reached')
    throw new SyncError('TIMED_OUT', `the ${name} did not get on within ${REACH_MS_MAX} ms`)
}

async function exchange({ name, replica }: Traveller): Promise<TourStep['exchanges'][number]> {
  return { replica: name, report: await replica.syncOnce() }
}

function descriptionOf(id: string, description: string) {
  return { type: 'IntentMetadataUpdated', id, edit: { description } } as const
}

function routed(query: string, { tables }: IntentsReplica): string {
  const [best] = rankIntents(query, indexOf(tables), { defaults: rankingDefaults(tables) }).intents
  return best === undefined ? 'no intent' : `${best.id}, score ${best.score.toFixed(5)}`
}

async function hubDigest(hub: RunningHub): Promise<string> {
  const { digest, faults } = await hub.verify(NAMESPACE)
  return digest ?? faults.map(({ message }) => message).join('; ')
}
