/**
 * What can be read of a hub store in which LevelDB cannot read some block or table. A namespace that lacks a value then is
 * closed for writing by an entry that says so, in what is made of these: it never looks like a shorter one that is whole.
 */
import type { Namespace, Seq, SyncError } from '@rejoin/core'
import type { DatabaseMoment } from '../database-moment.ts'
import { corrupt, isCorrupt, seal, unseal } from '../sealed-value.ts'
import { seqOf } from '../seq-text.ts'
import { hubKeys } from './hub-keys.ts'
import { encodeError } from './namespace-damage.ts'
import { readState, type KnownState, type NamespaceState } from './namespace-state.ts'
import { decodeRecord } from './record-value.ts'

/**
 * @param without `the store record`: it is left out where it cannot be read, or where the states do not tell whether one is
 * missing; what is made of these is damaged as a whole then.
 * @throws SyncError STORE_CORRUPT where the store's own record cannot be read
 */
export async function* readableEntries(
  begin: () => Promise<Moment>,
  without: 'nothing' | 'the store record' = 'nothing',
): AsyncGenerator<[key: string, sealed: Uint8Array], void, undefined> {
  const moment = await begin()
  try {
    yield* entriesOf(moment, without)
  } finally {
    await moment.close()
  }
}

type Moment = Pick<DatabaseMoment, 'entries' | 'sealed' | 'close'>

async function* entriesOf(
  moment: Moment,
  without: 'nothing' | 'the store record',
): AsyncGenerator<[key: string, sealed: Uint8Array], void, undefined> {
  const found = new Map<Namespace, FoundNamespace>()
  const foundOf = (namespace: Namespace): FoundNamespace => {
    const known = found.get(namespace) ?? new FoundNamespace(namespace)
    found.set(namespace, known)
    return known
  }
  for await (const [key, shown] of moment.entries(hubKeys.all)) {
    // One that is said not to be there is hidden by LevelDB's index or filter: where it were gone, what says so is read or told.
    const sealed = (await sealedOrError(moment, key)) ?? shown
    if (key === hubKeys.store) {
      // Where a state is damaged nothing adds up any more, and nobody would miss another one that cannot be read.
      const isLeftOut = without === 'the store record' && [...found.values()].some((each) => each.isStateless)
      if (isLeftOut) continue
      if (sealed instanceof Uint8Array) yield [key, sealed]
      else if (without === 'nothing') throw sealed
      continue
    }
    const namespace = foundOf(hubKeys.namespaceIn(key))
    if (sealed instanceof Uint8Array) {
      namespace.take(key, sealed)
      yield [key, sealed]
    } else namespace.unreadable(key)
  }
  for (const [namespace, each] of found) {
    // No key of the range tells of these where they are in the block.
    const single = [hubKeys.state(namespace), hubKeys.damage(namespace), hubKeys.untold(namespace)]
    for (const key of single) if (isError(await sealedOrError(moment, key))) each.unreadable(key)
    const lack = each.lack()
    if (lack === null || each.isClosed) continue
    const key = hubKeys.damage(namespace)
    yield [key, seal(key, encodeError(lack))]
  }
}

async function sealedOrError(moment: Moment, key: string): Promise<Uint8Array | SyncError | null> {
  return await moment.sealed(key).catch((error: SyncError) => {
    if (!isCorrupt(error)) throw error
    return error
  })
}

function isError(sealed: Uint8Array | SyncError | null): boolean {
  return sealed !== null && !(sealed instanceof Uint8Array)
}

/** What was read of one namespace, so far as tells whether anything is missing. */
class FoundNamespace {
  readonly #namespace: Namespace
  readonly #parts = new Map<Seq, number>()
  /** Unbroken stretches of the log, in order: from what the first record follows to the last one. */
  readonly #stretches: { readonly from: Seq; to: Seq }[] = []
  #state: NamespaceState | null = null
  #unreadable: SyncError | null = null
  isClosed = false
  /** Its state is there, and damaged. */
  isStateless = false

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  unreadable(key: string): void {
    this.#unreadable ??= corrupt(key, 'could not be read when this was copied')
  }

  take(key: string, sealed: Uint8Array): void {
    const is = (part: string): boolean => key.startsWith(`hub!${part}!`)
    if (is('damage')) this.isClosed = true
    else if (is('state')) this.#takeState(readState(key, sealed))
    else if (is('marks') || is('snapshot'))
      this.#parts.set(seqOf(key), (this.#parts.get(seqOf(key)) ?? 0) + 1)
    else if (is('record')) this.#takeRecord(key, sealed)
  }

  #takeState(known: KnownState | null): void {
    this.#state = known?.state ?? null
    this.isStateless = known === null
  }

  /** A damaged one is there, and says so itself: what it follows is not asked for. */
  #takeRecord(key: string, sealed: Uint8Array): void {
    const last = this.#stretches.at(-1)
    const seq = seqOf(key)
    const prev = prevOf(key, sealed) ?? last?.to ?? 0
    if (last?.to === prev) last.to = seq
    else this.#stretches.push({ from: prev, to: seq })
  }

  /** What is missing of that which the state promises; null where nothing is, whatever else could not be read. */
  lack(): SyncError | null {
    if (this.#unreadable !== null) return this.#unreadable
    const state = this.#state
    // Its opening tells that it has none.
    if (state?.kind !== 'present') return null
    const { floor, head, checkpoint } = state
    const key = hubKeys.state(this.#namespace)
    const log = this.#stretches.find(({ to }) => to === head)
    // A repair may leave the checkpoint alone.
    if (floor < head && (log === undefined || log.from > floor))
      return corrupt(
        key,
        `names a log from ${floor} to ${head} of which some could not be read when this was copied`,
      )
    if (checkpoint > 0 && this.#parts.get(checkpoint) !== 2)
      return corrupt(
        key,
        `names the checkpoint at ${checkpoint}, which could not be read when this was copied`,
      )
    return null
  }
}

function prevOf(key: string, sealed: Uint8Array): Seq | null {
  try {
    return decodeRecord(key, unseal(key, sealed)).prev
  } catch (error) {
    if (!isCorrupt(error)) throw error
    return null
  }
}
