/** What a repair takes out of a hub's folder: read for what it says, and saved beside the folder before it goes. */
import type { Namespace, Seq, SyncError } from '@rejoin/core'
import { loggedCommits, marksPlace, recordPlace } from '@rejoin/hub'
import type { ExaminedHubFolder, HubFindings } from '@rejoin/persistence-level/node'
import type { RepairManner } from './repair-report.ts'

type Store = ExaminedHubFolder['store']
export type Place = ReturnType<typeof recordPlace>

export interface ReadRecord {
  readonly key: string
  /** Null where its bytes are what was stored, and what they mean nobody knows here. */
  readonly place: Place | null
  readonly commits: readonly string[]
}

/** The records at these seqs: each can be read, whatever lies before it. */
export async function readRecords(
  store: Store,
  namespace: Namespace,
  seqs: readonly Seq[],
): Promise<readonly ReadRecord[]> {
  const records: ReadRecord[] = []
  for (const seq of seqs) {
    const { key, body } = await store.record(namespace, seq)
    const where = `${namespace}: log record ${seq}`
    records.push({
      key,
      place: nullWhereUnread(() => recordPlace(body, where)),
      commits: nullWhereUnread(() => loggedCommits(body, where)) ?? [],
    })
  }
  return records
}

/** Of the newest epoch of which a record or a checkpoint's marks can be read; null where none can. */
export async function newestPlace(
  store: Store,
  { namespace, checkpointParts }: HubFindings,
  records: readonly ReadRecord[],
): Promise<Place | null> {
  let newest: Place | null = null
  const take = (place: Place | null): void => {
    if (place !== null && place.epoch >= (newest?.epoch ?? 0)) newest = place
  }
  for (const { seq, part } of checkpointParts) {
    if (part !== 'marks') continue
    const { marks: bytes } = await store.checkpointAt(namespace, seq)
    take(nullWhereUnread(() => marksPlace(bytes, `${namespace}: checkpoint ${seq}`)))
  }
  for (const { place } of records) take(place)
  return newest
}

/** On the disk once it resolves. @param keys values that match their checksums, beside the records. */
export async function salvageAll(
  store: Store,
  damaged: readonly SyncError[],
  records: readonly ReadRecord[],
  keys: readonly string[],
  { salvage }: RepairManner,
): Promise<void> {
  const save = async (key: string, what: object = {}): Promise<void> => {
    const sealed = await store.raw(key)
    if (sealed !== null) await salvage.add(key, sealed, what)
  }
  for (const key of keys) await save(key)
  for (const { path } of damaged) if (path !== null) await save(path)
  for (const { key, commits } of records) await save(key, { commits })
  await salvage.kept()
}

function nullWhereUnread<T>(read: () => T): T | null {
  try {
    return read()
  } catch {
    return null
  }
}
