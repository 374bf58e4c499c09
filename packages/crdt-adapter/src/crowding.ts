/**
 * How much Yjs may have to search when it integrates a snapshot, in whatever order its parts come: who begins behind an item
 * that others stand behind too is placed after all that came there under a smaller client id (`HAZARDS.md` E1, C7; decision
 * 0002). Counted in runs passed, from the bytes alone and in time near linear to them; no document is made.
 */
import { type ClientId } from '@rejoin/core'
import { type ItemId, type Section } from './update-reader.ts'

/** A client's items and all that stands behind any of them. */
interface Branch {
  readonly section: Section
  /** The first items of others, by the clock of the item that they follow. */
  readonly behind: Map<number, Branch[]>
  /** Runs of all that; 0 until it is counted. */
  size: number
}

/** At one place of the array: how many runs belong to what begins there under this client id. */
interface Rival {
  readonly client: ClientId
  readonly size: number
}

export function scanStepsOf(sections: readonly Section[]): number {
  const { branches, places } = branchesOf(sections)
  let steps = 0
  // Who stands behind another is counted before it.
  for (const branch of branches.reverse()) steps += measure(branch)
  for (const place of places) steps += stepsAt(place.map(rivalOf))
  return steps
}

/** Each after the one that it stands behind; and the others by the place where they begin. */
function branchesOf(sections: readonly Section[]): { branches: Branch[]; places: Iterable<Branch[]> } {
  const byClient = new Map<ClientId, Branch>(
    sections.map((section) => [section.client, { section, behind: new Map<number, Branch[]>(), size: 0 }]),
  )
  const places = new Map<string, Branch[]>()
  for (const branch of byClient.values()) {
    const origin = branch.section.runs[0]?.origin ?? null
    const holder = origin === null ? undefined : holderOf(byClient, origin)
    if (origin === null || holder === undefined) {
      push(places, origin === null ? 'start' : `${origin.client}:${origin.clock}`, branch)
    } else push(holder.behind, origin.clock, branch)
  }
  const branches = [...places.values()].flat()
  // It grows while it is read.
  for (const { behind } of branches) for (const others of behind.values()) branches.push(...others)
  return { branches, places: places.values() }
}

/** Undefined where the item is not among them. */
function holderOf(byClient: ReadonlyMap<ClientId, Branch>, { client, clock }: ItemId): Branch | undefined {
  const holder = byClient.get(client)
  return holder !== undefined && clock >= holder.section.clock ? holder : undefined
}

/** Sets its size. @returns the steps at all places behind its own items. */
function measure(branch: Branch): number {
  const { client, runs } = branch.section
  let steps = 0
  let behind = 0
  let next = runs.length
  for (const [clock, others] of [...branch.behind].sort(([a], [b]) => b - a)) {
    for (
      let run = runs[next - 1];
      run !== undefined && run.clock + run.length - 1 > clock;
      run = runs[next - 1]
    )
      next--
    // What the client itself adds after that item competes with those who begin there.
    const own = { client, size: runs.length - next + behind }
    steps += stepsAt(next < runs.length ? [...others.map(rivalOf), own] : others.map(rivalOf))
    for (const { size } of others) behind += size
  }
  branch.size = runs.length + behind
  return steps
}

/** Each is placed after all that belongs to smaller ids. */
function stepsAt(rivals: Rival[]): number {
  let steps = 0
  let passed = 0
  for (const { size } of rivals.sort((a, b) => a.client - b.client)) {
    steps += passed
    passed += size
  }
  return steps
}

function rivalOf({ section, size }: Branch): Rival {
  return { client: section.client, size }
}

function push<Key>(lists: Map<Key, Branch[]>, key: Key, branch: Branch): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [branch])
  else list.push(branch)
}
