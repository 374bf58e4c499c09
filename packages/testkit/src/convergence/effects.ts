/**
 * No silent loss (rule 19): what a logged commit set is live, or was removed by a logged commit whose author had seen it;
 * and what is live was set by a logged commit and removed by none. The values of a conflict and orphans are live.
 */
import { keyText, type Entry } from '@rejoin/core'
import type { Finding } from './finding.ts'
import type { CommitName, EntryLine, Observation } from './world.ts'

export function checkEffects(observation: Observation): readonly Finding[] {
  const set = setInLog(observation)
  const gone = removedInLog(observation)
  const live = new Set(observation.replicas[0]?.entries)
  return [
    ...checkSet(set, gone, live),
    ...checkLeftOut(observation),
    ...[...live]
      .filter((line) => !set.has(line))
      .map((line) => ({ rule: 19, what: `${line} is live and no logged commit has set it` })),
  ]
}

function checkSet(
  set: ReadonlyMap<EntryLine, CommitName>,
  gone: Gone,
  live: ReadonlySet<EntryLine>,
): readonly Finding[] {
  const findings: Finding[] = []
  for (const [line, name] of set) {
    const by = gone.certainly.get(line)
    if (live.has(line) && by !== undefined)
      findings.push({
        rule: 19,
        what: `${line} of commit ${name} is live again after commit ${by} removed it`,
      })
    if (!live.has(line) && !gone.possibly.has(line))
      findings.push({ rule: 19, what: `${line} of commit ${name} is gone and no logged commit removed it` })
  }
  return findings
}

/** Whatever became of its bytes on the way, a commit sets in the log what its author saw it set. */
function checkLeftOut({ accepted, logged }: Observation): readonly Finding[] {
  const inLog = new Map(logged.map(({ name, sets }) => [name, new Set(sets)]))
  return accepted.flatMap(({ name, sets }) =>
    sets
      .filter((line) => inLog.get(name)?.has(line) === false)
      .map((line) => ({ rule: 19, what: `${line} of commit ${name} is in no entry of the log` })),
  )
}

function setInLog({ logged }: Observation): ReadonlyMap<EntryLine, CommitName> {
  return new Map(logged.flatMap(({ name, sets }) => sets.map((line) => [line, name] as const)))
}

interface Gone {
  /** By which commit: these may not be live. */
  readonly certainly: ReadonlyMap<EntryLine, CommitName>
  /** These need not be. */
  readonly possibly: ReadonlySet<EntryLine>
}

function removedInLog({ accepted, logged }: Observation): Gone {
  const log = new Map(logged.map((commit) => [commit.name, commit.sets]))
  const certainly = new Map<EntryLine, CommitName>()
  const possibly = new Set<EntryLine>()
  /** By author: what its commits so far have set or removed, refused ones included, and so its later ones had seen. */
  const known = new Map<number, Set<EntryLine>>()
  for (const { name, author, before, sets, removes } of accepted) {
    const written = log.get(name)
    const seen = known.get(author) ?? new Set()
    known.set(author, new Set([...seen, ...sets, ...removes, ...(written ?? [])]))
    if (written === undefined) continue
    const touched = new Set([...sets, ...removes].map(registerOf))
    const there = new Set(before)
    // What it had found gone, it may take out where a refusal or a new base brought it back.
    for (const line of seen) if (!there.has(line) || touched.has(registerOf(line))) possibly.add(line)
    for (const line of removes) {
      possibly.add(line)
      certainly.set(line, name)
    }
  }
  return { certainly, possibly }
}

function registerOf(line: EntryLine): string {
  const { table, key } = entryOf(line)
  return `${table}\u0001${keyText(key)}`
}

/** The inverse of `entryLine`. */
function entryOf(line: EntryLine): Entry {
  const [table, key, value, hlc] = JSON.parse(line) as [
    Entry['table'],
    Entry['key'],
    Entry['value'],
    Entry['hlc'],
  ]
  return { table, key, value, hlc }
}
