/** Counts that a hub keeps while it runs. */
import { PathLedger, type CrdtUpdates, type ErrorCode, type PathBills } from '@rejoin/core'

export interface HubMetrics {
  /** Rooms in memory and sessions in them, now. */
  readonly rooms: number
  readonly sessions: number
  /** Namespaces whose log cannot be folded, now; each is tried again by itself. */
  readonly checkpointsFailing: number
  /** Since the hub was opened: */
  readonly commits: number
  readonly acks: number
  readonly duplicates: number
  readonly refusals: Readonly<Partial<Record<ErrorCode, number>>>
  /** Records and their bytes appended by this hub. */
  readonly records: number
  readonly bytesLogged: number
  readonly tails: number
  readonly snapshots: number
  readonly checkpoints: number
  readonly checkpointFailures: number
  readonly rebuilds: number
  readonly rebuildFailures: number
  /** Times that a replica gave back what this hub had lost. */
  readonly heals: number
  /** What catching up has cost, by path; of a plain Yjs client nothing. */
  readonly paths: PathBills
  /** Times that a document was decoded: for checkpoints and rebuilds, never for a push or a tail. */
  readonly documentsDecoded: number
}

export class HubCounts {
  commits = 0
  acks = 0
  duplicates = 0
  readonly refusals: Partial<Record<ErrorCode, number>> = {}
  records = 0
  bytesLogged = 0
  tails = 0
  snapshots = 0
  checkpoints = 0
  checkpointFailures = 0
  rebuilds = 0
  rebuildFailures = 0
  heals = 0
  readonly paths = new PathLedger()
  documentsDecoded = 0

  refused(code: ErrorCode): void {
    this.refusals[code] = (this.refusals[code] ?? 0) + 1
  }

  read(now: Pick<HubMetrics, 'rooms' | 'sessions' | 'checkpointsFailing'>): HubMetrics {
    const { commits, acks, duplicates, records, bytesLogged, tails, snapshots } = this
    const { checkpoints, checkpointFailures, rebuilds, rebuildFailures, heals, documentsDecoded } = this
    return {
      ...now,
      commits,
      acks,
      duplicates,
      refusals: { ...this.refusals },
      records,
      bytesLogged,
      tails,
      snapshots,
      checkpoints,
      checkpointFailures,
      rebuilds,
      rebuildFailures,
      heals,
      paths: this.paths.read(),
      documentsDecoded,
    }
  }
}

/** The same port, with every call that decodes a document counted. */
export function countDocuments(updates: CrdtUpdates, counts: HubCounts): CrdtUpdates {
  const counted = <Args extends unknown[], Result>(decode: (...args: Args) => Result) => {
    return (...args: Args): Result => {
      counts.documentsDecoded++
      return decode(...args)
    }
  }
  return {
    inspect: (update) => updates.inspect(update),
    inspectState: (update, bounds) => updates.inspectState(update, bounds),
    stateVector: (clocks) => updates.stateVector(clocks),
    readStateVector: (stateVector) => updates.readStateVector(stateVector),
    trim: (update, clocks, deleted) => updates.trim(update, clocks, deleted),
    filler: (client, length) => updates.filler(client, length),
    readPresence: (update) => updates.readPresence(update),
    encodePresence: (states) => updates.encodePresence(states),
    merge: (parts) => updates.merge(parts),
    diff: counted((parts: readonly Uint8Array[], stateVector: Uint8Array) =>
      updates.diff(parts, stateVector),
    ),
    compact: counted((parts: readonly Uint8Array[]) => updates.compact(parts)),
    clocks: counted((snapshot: Uint8Array) => updates.clocks(snapshot)),
    digest: counted((parts: readonly Uint8Array[]) => updates.digest(parts)),
    rebuild: counted((parts: readonly Uint8Array[]) => updates.rebuild(parts)),
    weigh: (snapshot) => updates.weigh(snapshot),
  }
}
