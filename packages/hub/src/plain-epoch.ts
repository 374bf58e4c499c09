/**
 * How a plain Yjs document shows which epoch it is of, since bytes of two epochs never mix and a provider knows of none. The
 * hub gives it a filler: a run of collected items under one of the reserved client ids, which nobody sees, but which the
 * document's state vector and its deletions name ever after. Id and length stand for the epoch, 41 bits of it.
 */
import {
  CLIENT_ID_MIN,
  REBUILD_CLIENT_ID,
  SyncError,
  type ClientClocks,
  type Epoch,
  type InspectedState,
  type ItemRange,
  type Namespace,
} from '@rejoin/core'
import { type Marks } from './marks.ts'

const FIRST_ID = REBUILD_CLIENT_ID + 1
const IDS = CLIENT_ID_MIN - FIRST_ID
/** Other readers of Yjs's format hold a clock in 32 bits. */
const LENGTHS = 2 ** 31 - 1

/** The filler of an epoch, as a range of items. Epochs that follow each other have others: ids differ, or lengths do. */
export function epochFiller(epoch: Epoch): ItemRange {
  return { client: FIRST_ID + (epoch % IDS), clock: 0, length: 1 + (Math.floor(epoch / IDS) % LENGTHS) }
}

/**
 * Whether a document with these clocks holds this epoch's filler. One that holds none was never here.
 * @param marks of the document here; null while the namespace does not exist.
 * @throws SyncError EPOCH_CHANGED where it is of another epoch.
 */
export function checkEpoch(namespace: Namespace, clocks: ClientClocks, marks: Marks | null): boolean {
  const filler = marks === null ? null : epochFiller(marks.epoch)
  let isMarked = false
  for (const [client, clock] of clocks) {
    if (client >= CLIENT_ID_MIN || clock === 0) continue
    if (client === filler?.client && clock === filler.length) isMarked = true
    else if (client !== REBUILD_CLIENT_ID) throw epochChanged(namespace)
  }
  const base = clocks.get(REBUILD_CLIENT_ID) ?? 0
  // A rebuilt document, from elsewhere or of another time: their first items look alike.
  if (base > 0 && (!isMarked || base !== (marks?.client(REBUILD_CLIENT_ID)?.clock ?? 0)))
    throw epochChanged(namespace)
  return isMarked
}

/**
 * A state update without the filler that its document holds.
 * @throws SyncError EPOCH_CHANGED where it names another one.
 */
export function withoutFiller(
  namespace: Namespace,
  state: InspectedState,
  marks: Marks | null,
): { readonly state: InspectedState; readonly isMarked: boolean } {
  const filler = marks === null ? null : epochFiller(marks.epoch)
  const isFiller = ({ client }: ItemRange): boolean => client >= FIRST_ID && client < CLIENT_ID_MIN
  const fillers = state.deleted.filter(isFiller)
  for (const { client, clock, length } of fillers) {
    if (client === filler?.client && clock === 0 && length === filler.length) continue
    throw epochChanged(namespace)
  }
  if (fillers.length === 0) return { state, isMarked: false }
  return {
    state: { ...state, deleted: state.deleted.filter((range) => !isFiller(range)) },
    isMarked: true,
  }
}

export function epochChanged(namespace: Namespace): SyncError {
  const why = `${namespace} was made anew since this document was filled`
  return new SyncError('EPOCH_CHANGED', `${why}: connect again with an empty Y.Doc`)
}
