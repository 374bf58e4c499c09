/**
 * `npm run soak -- [--minutes 10] [--seed N] [--only KIND]`: histories of real faults, one kind after the other, until the
 * time is over or Ctrl-C. Progress on standard error, counts on standard output. Exit codes: 0 nothing wrong, 1 a check
 * failed (its folder is kept and named, and the seed replays its draws), 2 a wrong command line. With `--clients 200` it is
 * one history instead: so many clients of one hub that come and go, and are killed, for all of the time.
 */
import { randomInt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { comeAndGo, crowdText } from '../soak/coming-and-going.ts'
import { Seeded } from '../support/seeded.ts'
import { addCounts, countsText, noCounts, type FaultCounts } from './counts.ts'
import { faultKinds } from './kinds.ts'

const usage = `usage: npm run soak -- [--minutes 10] [--seed N] [--only ${Object.keys(faultKinds).join('|')}]
       npm run soak -- --clients 200 [--minutes 10] [--seed N]`

/** Two hundred clients that each do something every few seconds are about what two cores can do beside the hub. */
const crowdPauseMsMax = 6_000

process.exitCode = await main()

async function main(): Promise<number> {
  const asked = readArgs()
  if (asked === 'help') {
    console.log(usage)
    return 0
  }
  if (typeof asked === 'string') {
    console.error(asked)
    console.error(usage)
    return 2
  }
  const over = overAfter(asked.minutes)
  if (asked.clients !== null) return await runCrowd(asked, asked.clients, over)
  const kinds = await availableKinds(asked.only)
  if (kinds.length === 0) return 1
  const totals = new Map<string, FaultCounts>()
  console.error(`soak for ${asked.minutes} minutes with seed ${asked.seed}; Ctrl-C ends it in order`)
  try {
    for (let history = 0; !over.isOver(); history++) {
      const name = kinds[history % kinds.length] ?? ''
      // Each history has a seed of its own: `--seed` with that one and `--only` begins with it.
      const seed = (asked.seed + Math.floor(history / kinds.length)) >>> 0
      const counts = await runHistory(name, seed, over.isOver)
      if (counts === null) return 1
      totals.set(name, addCounts(totals.get(name) ?? noCounts, counts))
      console.error(`${over.elapsedText()} ${name}, seed ${seed}: ${countsText(counts)}`)
    }
    return 0
  } finally {
    over.release()
    for (const [name, counts] of totals) console.log(`${name}: ${countsText(counts)}`)
  }
}

/** @returns null where a check failed, which was told. */
async function runHistory(name: string, seed: number, isOver: () => boolean): Promise<FaultCounts | null> {
  const kind = faultKinds[name]
  if (kind === undefined) return null
  const folder = await mkdtemp(path.join(tmpdir(), 'rejoin-soak-'))
  try {
    const counts = await kind.run(new Seeded(seed), { folder, faults: kind.faults, isOver })
    await rm(folder, { recursive: true, force: true })
    return counts
  } catch (error) {
    console.error(`FAILED: ${name} with seed ${seed}; its folders are kept in ${folder}`)
    console.error(error)
    return null
  }
}

async function runCrowd({ minutes, seed }: Asked, clients: number, over: Over): Promise<number> {
  const folder = await mkdtemp(path.join(tmpdir(), 'rejoin-soak-'))
  console.error(`${clients} clients for ${minutes} minutes with seed ${seed}; Ctrl-C ends it in order`)
  try {
    const figures = await comeAndGo({
      folder,
      clients,
      random: new Seeded(seed),
      acts: null,
      pauseMsMax: crowdPauseMsMax,
      isOver: over.isOver,
      say: (line) => console.error(`${over.elapsedText()} ${line}`),
    })
    console.log(crowdText(figures))
    await rm(folder, { recursive: true, force: true })
    return 0
  } catch (error) {
    console.error(`FAILED: ${clients} clients with seed ${seed}; their folders are kept in ${folder}`)
    console.error(error)
    return 1
  } finally {
    over.release()
  }
}

async function availableKinds(only: string | null): Promise<readonly string[]> {
  const available: string[] = []
  for (const [name, { without }] of Object.entries(faultKinds)) {
    if (only !== null && only !== name) continue
    const reason = await without()
    if (reason === null) available.push(name)
    else console.error(`${name} is left out: ${reason}`)
  }
  return available
}

interface Over {
  readonly isOver: () => boolean
  readonly elapsedText: () => string
  readonly release: () => void
}

function overAfter(minutes: number): Over {
  const startedAt = performance.now()
  const seconds = (): number => (performance.now() - startedAt) / 1_000
  let askedAt: number | null = null
  // A terminal and npm may both pass on the same Ctrl-C: only one that comes later does not wait.
  const ask = (): void => {
    if (askedAt !== null && seconds() - askedAt > 1) process.exit(130)
    if (askedAt === null)
      console.error('ending after the check that is under way; Ctrl-C again does not wait')
    askedAt ??= seconds()
  }
  process.on('SIGINT', ask)
  process.on('SIGTERM', ask)
  return {
    isOver: () => askedAt !== null || seconds() >= minutes * 60,
    elapsedText: () => `${seconds().toFixed(0)} s`,
    release: () => {
      process.off('SIGINT', ask)
      process.off('SIGTERM', ask)
    },
  }
}

interface Asked {
  readonly minutes: number
  readonly seed: number
  readonly only: string | null
  readonly clients: number | null
}

/** @returns what was asked, `help`, or what is wrong with it. */
function readArgs(): Asked | string {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: 'string' },
        seed: { type: 'string' },
        only: { type: 'string' },
        clients: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
    if (values.help === true) return 'help'
    const minutes = Number(values.minutes ?? 10)
    const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed)
    if (!(minutes > 0)) return '--minutes is a number above 0'
    if (!Number.isInteger(seed) || seed < 0) return '--seed is a whole number from 0'
    if (values.only !== undefined && !(values.only in faultKinds)) return `there is no kind ${values.only}`
    const clients = values.clients === undefined ? null : Number(values.clients)
    if (clients !== null && !(Number.isInteger(clients) && clients > 0))
      return '--clients is a whole number from 1'
    return { minutes, seed, only: values.only ?? null, clients }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
