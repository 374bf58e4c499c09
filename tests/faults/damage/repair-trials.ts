/**
 * Damages a hub's folder in values of one namespace, at two places at a time, and has it verified, opened, repaired and healed:
 * what is damaged is told, nothing goes unasked, whatever is left becomes a log that works, and a replica that has all of it
 * brings all of it back.
 */
import { cp, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { repairFolder, SyncError, verifyFolder, type FolderReport, type RepairReport } from 'rejoin'
import { openHubFolder } from '@rejoin/persistence-level/node'
import { cutValue, flipValue, keysIn, loseValue, replaceValue } from '../../support/strike.ts'
import { bystander, digestsOf, heal, type Layout, type RepairWorld } from './repair-world.ts'

/** `replaced`: whole by its checksum, and nothing that reads. */
export const hows = ['flipped', 'cut', 'lost', 'replaced'] as const
export type How = (typeof hows)[number]

export interface Strike {
  readonly key: string
  readonly how: How
}

/** What of a namespace can be damaged: its state, its first, a middle and its last record, each part of each checkpoint. */
export async function targetsOf(hub: string, layout: Layout): Promise<readonly string[]> {
  const records = await keysIn(hub, `hub!record!${layout}!`)
  const picked = new Set([records[0], records[Math.floor(records.length / 2)], records.at(-1)])
  return [
    `hub!state!${layout}`,
    ...[...picked].filter((key) => key !== undefined),
    ...(await keysIn(hub, `hub!marks!${layout}!`)),
    ...(await keysIn(hub, `hub!snapshot!${layout}!`)),
  ]
}

/** Any two places, each damaged in any way. */
export function pairsOf(targets: readonly string[]): readonly (readonly Strike[])[] {
  const singles = targets.flatMap((key) => hows.map((how): Strike => ({ key, how })))
  return singles.flatMap((one, i) =>
    singles.slice(i + 1).flatMap((other) => (one.key === other.key ? [] : [[one, other]])),
  )
}

/** @returns what was wrong, for people. */
export async function tryRepair(
  world: RepairWorld,
  layout: Layout,
  strikes: readonly Strike[],
  folder: string,
): Promise<readonly string[]> {
  const wrong: string[] = []
  const [hub, laptop] = [path.join(folder, 'struck'), path.join(folder, 'healer')]
  await cp(world.hub, hub, { recursive: true })
  await cp(world.laptop, laptop, { recursive: true })
  const say = (what: string): void => void wrong.push(what)
  try {
    await strikeAll(hub, strikes)
    const before = await verifyFolder(hub)
    if (!isTold(before, layout) && !strikes.every((strike) => isOfNoAccount(world, layout, strike)))
      say('verify did not tell it')
    if (before.fault === null) checkBystander(before, say)
    await checkOpening(hub, layout, say)
    const there = await contentKeys(world, hub, layout)
    const unasked = await repairFolder(hub)
    checkLoss(unasked, await digestsOf(hub), world, say)
    const asked = await repairFolder(hub, { discard: true })
    for (const { namespace, outcome, advice, faults } of asked.namespaces)
      if (outcome !== 'whole' && outcome !== 'repaired')
        say(`${namespace ?? 'the folder'}: ${outcome}: ${faults.join('; ')}: ${advice}`)
    const kept = await keptValues(hub, [unasked, asked])
    for (const strike of strikes)
      if (strike.how !== 'lost' && !isOfNoAccount(world, layout, strike) && !kept.has(strike.key))
        say(`${strike.key} is not kept aside`)
    const left = new Set(await contentKeys(world, hub, layout))
    for (const key of there) if (!left.has(key) && !kept.has(key)) say(`${key} is gone, and not kept aside`)
    const after = await verifyFolder(hub)
    for (const { namespace, faults } of after.namespaces)
      if (faults.length > 0)
        say(`${namespace} afterwards: ${faults.map(({ message }) => message).join('; ')}`)
    if (after.fault !== null) say(`the folder afterwards: ${after.fault}`)
    const again = await repairFolder(hub)
    if (again.namespaces.some(({ outcome }) => outcome !== 'whole')) say(`a second repair found work`)
    for (const namespace of [layout, bystander]) {
      const error = await heal(hub, laptop, namespace)
      if (error !== null) say(`${namespace} is not healed: ${error}`)
    }
    const healed = await digestsOf(hub)
    for (const namespace of [layout, bystander])
      if (healed.get(namespace) !== world.digests.get(namespace)) say(`${namespace} has another content`)
  } catch (error) {
    say(error instanceof SyncError ? `${error.code}: ${error.message}` : String((error as Error).stack))
  } finally {
    await rm(hub, { recursive: true, force: true })
    await rm(laptop, { recursive: true, force: true })
  }
  return wrong.map(
    (what) => `${layout}, ${strikes.map(({ key, how }) => `${key} ${how}`).join(' and ')}: ${what}`,
  )
}

export async function strikeAll(hub: string, strikes: readonly Strike[]): Promise<void> {
  for (const { key, how } of strikes) {
    if (how === 'flipped') await flipValue(hub, key)
    else if (how === 'cut') await cutValue(hub, key)
    else if (how === 'lost') await loseValue(hub, key)
    else await replaceValue(hub, key, new Uint8Array([1, 2, 3]))
  }
}

function isTold({ fault, namespaces }: FolderReport, layout: Layout): boolean {
  if (fault !== null) return true
  return namespaces.some(({ namespace, faults }) => namespace === layout && faults.length > 0)
}

/** Of the records and checkpoints that are there, whole or not, but for the checkpoint that another one took the place of. */
async function contentKeys(
  { superseded }: RepairWorld,
  hub: string,
  layout: Layout,
): Promise<readonly string[]> {
  const keys = (await keysIn(hub, 'hub!')).filter((key) => /^hub!(?:record|marks|snapshot)!/.test(key))
  return keys.filter((key) => key.split('!')[2] === layout && !superseded.includes(key))
}

/** Keys of what was saved beside the folder, or kept in it. */
async function keptValues(hub: string, reports: readonly RepairReport[]): Promise<ReadonlySet<string>> {
  const kept = new Set((await keysIn(hub, 'hub!damaged!')).map((key) => key.split('!').slice(3).join('!')))
  for (const { salvage } of reports) {
    if (salvage === null) continue
    for (const line of (await readFile(salvage, 'utf8')).trim().split('\n')) kept.add(keyIn(line))
    await rm(salvage)
  }
  return kept
}

function keyIn(line: string): string {
  const { key } = JSON.parse(line) as { key: string }
  return key
}

/** Half of a checkpoint that was replaced may be gone, and nobody reads what it says. */
function isOfNoAccount({ superseded }: RepairWorld, layout: Layout, { key, how }: Strike): boolean {
  return layout === 'folded' && superseded.includes(key) && (how === 'lost' || how === 'replaced')
}

function checkBystander({ namespaces }: FolderReport, say: (what: string) => void): void {
  const found = namespaces.find(({ namespace }) => namespace === bystander)
  if (found?.faults.length !== 0) say('the bystander is not sound')
}

/** Refused as a whole, or that namespace alone; or it is all there. */
async function checkOpening(hub: string, layout: Layout, say: (what: string) => void): Promise<void> {
  let folder: Awaited<ReturnType<typeof openHubFolder>>
  try {
    folder = await openHubFolder(hub)
  } catch (error) {
    if (!(error instanceof SyncError) || error.code !== 'STORE_CORRUPT') say(`opening: ${String(error)}`)
    return
  }
  try {
    const { store } = folder
    if (!(await store.namespaces()).includes(layout)) say('it is opened without the namespace')
    const head = (await store.heads([bystander])).get(bystander)?.head ?? 0
    const result = await store.append(bystander, head + 1, new Uint8Array(1))
    if (result.kind !== 'moved') say('the bystander takes anything')
  } finally {
    await folder.close()
  }
}

/** What was repaired unasked has lost nothing that a checkpoint or the log still has. */
function checkLoss(
  { namespaces }: RepairReport,
  digests: ReadonlyMap<string, string | null>,
  world: RepairWorld,
  say: (what: string) => void,
): void {
  for (const { namespace, outcome, advice } of namespaces) {
    if (namespace === null || outcome !== 'repaired' || advice !== null) continue
    if (digests.get(namespace) !== world.digests.get(namespace)) say(`${namespace} lost something unasked`)
  }
}
