/**
 * A process that does to folders with one flipped bit in a table of LevelDB what people do: `repair`, `verify`, `restore`, and a hub's
 * start after a crash. A line for each: what came of it. Were LevelDB to end the process, no more lines would come.
 */
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { intents, repairFolder, restoreBackup, startHub, SyncError, verifyFolder } from 'rejoin'

export interface Place {
  readonly table: string
  readonly at: number
  readonly bit: number
}

export interface Outcome {
  readonly place: Place
  /** How the hub started where the process before it was killed: `served`, or its error's code and message. */
  readonly start: string
  /** What verify says before. */
  readonly fault: string | null
  readonly repair: readonly string[]
  /** Faults that it has afterwards: of namespaces that were not repaired, these alone. */
  readonly after: readonly string[]
  readonly restore: string
}

const [hub = '', text = '[]'] = process.argv.slice(2)

for (const place of JSON.parse(text) as readonly Place[]) {
  const folder = `${hub}-struck`
  const restored = `${hub}-restored`
  await cp(hub, folder, { recursive: true })
  const file = path.join(folder, 'db', place.table)
  const bytes = await readFile(file)
  await writeFile(file, bytes.with(place.at, (bytes[place.at] ?? 0) ^ (1 << place.bit)))
  // As a process that was killed leaves it.
  await writeFile(path.join(folder, 'rejoin.lease'), '{"owner":"killed","durability":"durable"}\n')
  const start = await outcomeOf(async () => {
    const running = await startHub({ data: folder, domains: [intents], port: 0 })
    await running.close()
    return 'served'
  })
  const { fault } = await verifyFolder(folder)
  const restore = await outcomeOf(async () => {
    const { damaged, namespaces } = await restoreBackup(folder, restored)
    return damaged.length + namespaces.filter(({ faults }) => faults.length > 0).length > 0 ? 'told' : 'whole'
  })
  const { namespaces } = await repairFolder(folder, { discard: true })
  const report = await verifyFolder(folder)
  const after = [
    ...(report.fault === null ? [] : [report.fault]),
    ...report.namespaces.flatMap(({ faults }) => faults.map(({ message }) => message)),
  ]
  const outcome: Outcome = {
    place,
    start,
    fault,
    repair: namespaces.map((each) => each.outcome),
    after,
    restore,
  }
  console.log(JSON.stringify(outcome))
  for (const each of [folder, restored]) await rm(each, { recursive: true, force: true })
}

async function outcomeOf(work: () => Promise<string>): Promise<string> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof SyncError) return `${error.code} ${error.message}`
    throw error
  }
}
