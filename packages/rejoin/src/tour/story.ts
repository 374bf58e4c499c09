/**
 * The tour: one hub and three replicas, each with its own LevelDB folder, on loopback, in a temporary folder that is gone
 * afterwards. Every figure it prints was counted in this very run.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { digestOf } from '@rejoin/crdt-adapter'
import { indexOf, intents, packCommits, rankingDefaults, rankIntents, readPack } from '@rejoin/intents'
import type { Replica, SyncReport } from '@rejoin/replica'
import { countText } from '../cli/output.ts'
import { openClient, type Client } from '../wiring/client.ts'
import { startHub, type RunningHub } from '../wiring/hub.ts'
import { nodePackFiles } from '../wiring/pack-files.ts'

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

/** Runs the tour; `tell` hears each step as it is done. Leaves nothing running and nothing on disk. */
export async function runTour(tell: (step: TourStep) => void, signal: AbortSignal): Promise<TourResult> {
  const folder = await mkdtemp(join(tmpdir(), 'rejoin-tour-'))
  const opened: { close(): Promise<void> }[] = []
  try {
    const hub = await startHub({
      data: join(folder, 'hub'),
      domains: [intents],
      port: 0,
      retentionCommits: RETENTION_COMMITS,
    })
    opened.push(hub)
    const joinHub = async (name: string): Promise<Traveller> => {
      const client = await openClient({ data: join(folder, name), hub: hub.url })
      opened.push(client)
      const replica = await client.open(intents, NAMESPACE, { live: false })
      return { name, client, replica }
    }
    tell({ step: 'A hub is up', says: [`${hub.url}, its log in LevelDB, on loopback`], exchanges: [] })
    return await walk({ hub, joinHub, tell, signal })
  } finally {
    for (const part of opened.reverse()) await part.close()
    await rm(folder, { recursive: true, force: true })
  }
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
  readonly signal: AbortSignal
}

async function walk({ hub, joinHub, tell, signal }: Stage): Promise<TourResult> {
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
  signal.throwIfAborted()

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
  signal.throwIfAborted()

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
