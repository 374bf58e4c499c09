/**
 * Damages copies of a folder, each once, has them opened and read by another process, and judges what was read: all of it
 * as it was, or a refusal with a code, of the folder or of the namespace (invariant 13). What is neither is a fault of ours:
 * a shorter content, a wrong value, an error without a code. LevelDB may abort the process that reads: that is counted.
 */
import { cp, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { isErrorCode } from '@rejoin/core'
import { z } from 'zod'
import { startScript } from '../../support/script.ts'
import type { Seeded } from '../../support/seeded.ts'
import { within } from '../../support/until.ts'
import { makeFolder, type Kind } from './content.ts'
import { damagesOf, type Damage } from './damages.ts'
import { readFolder, readingSchema, type Reading } from './reading.ts'

const script = path.join(import.meta.dirname, '../processes/folder-reader.ts')

/** `right`: nothing was missing. A code: the first that was told. `aborted`: LevelDB ended the process. */
export type Outcome = 'right' | 'aborted' | (string & {})

export interface Struck {
  readonly damage: Damage
  readonly where: string
  readonly outcome: Outcome
}

export interface StruckCounts {
  readonly struck: readonly Struck[]
  /** What no damage may lead to, for people. */
  readonly wrong: readonly string[]
}

export async function strikeAll(
  kind: Kind,
  places: number,
  random: Seeded,
  folder: string,
): Promise<StruckCounts> {
  const whole = path.join(folder, `whole-${kind}`)
  await makeFolder(kind, whole, random)
  const copies: { readonly copy: string; readonly damage: Damage; readonly where: string }[] = []
  for (const [i, damage] of damagesOf(kind, places).entries()) {
    const copy = path.join(folder, `${kind}-${i}`)
    await cp(whole, copy, { recursive: true })
    copies.push({ copy, damage, where: await damage.strike(copy, random) })
  }
  const intact = await readFolder(kind, whole)
  const readings = await readAll(
    kind,
    copies.map(({ copy }) => copy),
    path.join(folder, 'list'),
  )
  const struck: Struck[] = []
  const wrong: string[] = []
  for (const { copy, damage, where } of copies) {
    const both = readings.get(copy) ?? 'aborted'
    const outcomes =
      both === 'aborted' ? (['aborted'] as const) : both.map((reading) => outcomeOf(reading, intact))
    const outcome = outcomes[0] ?? 'aborted'
    struck.push({ damage, where, outcome })
    const told = `${kind}: ${where} ${damage.how}: ${outcomes.join(', then ')}`
    // Nobody is sent to try again what will never be.
    const isKnown = outcomes.every(
      (each) => each === 'right' || each === 'aborted' || (isErrorCode(each) && each !== 'STORE_UNAVAILABLE'),
    )
    // What was refused once is not taken for right when it is asked for again.
    if (!isKnown || (outcome !== 'right' && outcomes[1] === 'right')) wrong.push(told)
    // The one thing that the package's README says may happen: a damaged table trips an assertion.
    if (outcome === 'aborted' && damage.part !== '.ldb') wrong.push(told)
    await rm(copy, { recursive: true, force: true })
  }
  return { struck, wrong }
}

/** What was read of each folder, twice; `aborted` where the process did not survive it. */
async function readAll(
  kind: Kind,
  folders: readonly string[],
  list: string,
): Promise<ReadonlyMap<string, readonly Reading[] | 'aborted'>> {
  const readings = new Map<string, readonly Reading[] | 'aborted'>()
  for (let left = folders; left.length > 0; left = folders.filter((each) => !readings.has(each))) {
    await writeFile(list, left.join('\n'))
    let current: string | null = null
    const reader = startScript(script, [list, kind], {
      onLine: (line) => {
        if (!line.startsWith('[')) current = line
        else if (current !== null) readings.set(current, z.array(readingSchema).parse(JSON.parse(line)))
      },
    })
    const end = await within('the folders are read', reader.ended, 300_000)
    if (end === 0) continue
    if (current === null || readings.has(current))
      throw new Error(`the reader ended with ${end}: ${reader.stderr()}`)
    readings.set(current, 'aborted')
  }
  return readings
}

/** `right`, a code, or in words what is wrong. */
function outcomeOf(reading: Reading, intact: Reading): Outcome {
  if ('refused' in intact) throw new Error(`the undamaged folder is refused: ${intact.refused}`)
  if ('refused' in reading) return reading.refused
  const names = Object.keys(intact.namespaces)
  const missing = names.filter((name) => !(name in reading.namespaces))
  if (missing.length > 0) return `${missing.join(', ')} went missing without a word`
  let outcome: Outcome = 'right'
  for (const [name, read] of Object.entries(reading.namespaces)) {
    const expected = intact.namespaces[name]
    if ('refused' in read) outcome = read.refused
    else if (expected === undefined || !('hash' in expected) || expected.hash !== read.hash) {
      return `${name} was read, and is not what was written`
    }
  }
  return outcome
}

/** How often each part of a folder ended how, one line a part. */
export function struckText({ struck }: StruckCounts): string {
  const parts = [...new Set(struck.map(({ damage }) => damage.part))]
  return parts
    .map((part) => {
      const counts = new Map<string, number>()
      for (const { damage, outcome } of struck)
        if (damage.part === part) counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
      return `  ${part}: ${Array.from(counts, ([outcome, count]) => `${count} ${outcome}`).join(', ')}`
    })
    .join('\n')
}
