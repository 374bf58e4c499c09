/**
 * Every bound of Rejoin with its unit and why it has that value. What happens at a bound is said where it is checked.
 * Sizes follow `HAZARDS.md` rows D3, D9, E1 and G3; times follow its fault rows 27 and 29.
 */
import { assert } from './assert.ts'

const KiB = 1024
const MiB = 1024 * KiB

export const limits = {
  /** Length of a namespace's name, characters: it becomes a key, never a path. */
  namespaceCharsMax: 128,
  /** UTF-8 bytes of all parts of one key together. */
  keyBytesMax: 1 * KiB,
  /** UTF-8 bytes of one value's canonical JSON. */
  valueBytesMax: 128 * KiB,
  /** Levels of arrays and objects in a value: readers recurse. */
  valueDepthMax: 32,
  /** Ops in one commit. */
  commitOpsMax: 10_000,
  /** Bytes of a commit's ops and update together: one fits a push with room for its frame. */
  commitBytesMax: 4 * MiB,
  /** Entries that one update may write. */
  updateEntriesMax: 20_000,
  /** Ranges that one update may delete. */
  updateDeleteRangesMax: 50_000,
  /** Updates merged without a document: the work is quadratic (`HAZARDS.md` C6). */
  mergeUpdatesMax: 500,
  /** Clients that a state vector may name: more than any document of ours holds. */
  stateVectorClientsMax: 100_000,
  /** Commits that wait for an acknowledgement in one replica; the next `apply` is refused. */
  outboxCommitsMax: 100_000,
  /** Commits that a replica can undo, kept in memory: far more than anybody steps back by hand. */
  undoCommitsMax: 100,
  /** Writes of all those commits together: what they replaced would be garbage otherwise. More than any one commit has. */
  undoWritesMax: 100_000,
  /** Entries of one op that tells what changed: half of what a commit may write. */
  toldOpEntriesMax: 10_000,
  /** Bytes of such an op's entries: with as many again in the update it stays below a commit's. */
  toldOpBytesMax: 1 * MiB,
  /** Commits that one push message carries. */
  pushCommitsMax: 256,
  /** Bytes of commits that one push message carries, unless a single one is larger. */
  pushBytesMax: 1 * MiB,
  /** Bytes pushed and not yet answered: what a hub may have to hold for one session. */
  pushUnansweredBytesMax: 8 * MiB,
  /** Bytes of commits that one tail message carries, unless a single one is larger. */
  tailBytesMax: 1 * MiB,
  /** Bytes of one message up, all fragments together. */
  messageUpBytesMax: 8 * MiB,
  /** Bytes of one message down: a whole snapshot. */
  messageDownBytesMax: 256 * MiB,
  /** Bytes of one frame on a socket; larger messages travel in fragments of this size. */
  frameBytesMax: 256 * KiB,
  /** Milliseconds from the first fragment of a message to its last. */
  fragmentsMsMax: 30_000,
  /** Bytes waiting for a slow peer before it is dropped back to catch-up. */
  backlogBytesMax: 4 * MiB,
  /** Milliseconds that a peer may stay behind before its session is closed. */
  backlogMsMax: 30_000,
  /** Rooms that one connection may join. */
  roomsPerConnectionMax: 1_000,
  /** Bytes of one awareness update: presence, not content. */
  awarenessBytesMax: 16 * KiB,
  /** Milliseconds that a commit's HLC may lie ahead of the hub's clock. A clock wrong by a day still works. */
  hlcAheadMsMax: 2 * 24 * 60 * 60 * 1000,
  /** Commits that stay available as a tail. */
  retentionCommitsMin: 1_000,
  /** Bytes logged since the last checkpoint that are worth a new one, where its snapshot is not larger than that. */
  checkpointBytesMin: 64 * KiB,
  /**
   * Bytes of dead content that are worth a rebuild: for less, the snapshots that replicas which are away will then need cost
   * more than it saves, and a small document is loaded in a few milliseconds in any state.
   */
  rebuildBytesMin: 64 * KiB,
  /** Times that a hub tries to rebuild a document beside its appends; then it holds them, or busy writers win for ever. */
  rebuildRacesMax: 3,
  /** Times that it tries at all: other hubs over the same store are not held, so it comes back later. */
  rebuildTriesMax: 6,
  /** Milliseconds for which appends are held: well within the time that a push waits for its answer. */
  rebuildHoldMsMax: 10_000,
  /** Milliseconds between two looks at the heads of a shared store, for signals that got lost. */
  followMs: 5_000,
  /** Times that a hub tries a store that is unavailable before it refuses what waits. */
  storeAttemptsMax: 5,
  /** Milliseconds of waiting between two such tries: doubled each time between these two. */
  storeRetryMsMin: 50,
  storeRetryMsMax: 2_000,
  /** Milliseconds that a closing hub waits for the appends under way. */
  closingMsMax: 5_000,
  /** Milliseconds between two pings of a live socket; unanswered twice closes it. */
  heartbeatMs: 15_000,
  /** Milliseconds for one answer of a hub. */
  answerMsMax: 30_000,
  /** Milliseconds of waiting before a reconnect: doubled each time between these two, with jitter. */
  reconnectMsMin: 200,
  reconnectMsMax: 30_000,
} as const

export type Limits = { readonly [Name in keyof typeof limits]: number }

assert(
  limits.pushBytesMax + limits.commitBytesMax <= limits.messageUpBytesMax,
  'a push of any commit fits a message up',
)
assert(limits.keyBytesMax + limits.valueBytesMax < limits.commitBytesMax, 'any single entry fits a commit')
assert(
  limits.updateEntriesMax + limits.updateDeleteRangesMax <= limits.undoWritesMax,
  'the history has room for any single commit',
)
assert(limits.commitBytesMax < limits.pushUnansweredBytesMax, 'any single commit may be under way')
assert(
  limits.rebuildHoldMsMax < limits.answerMsMax,
  'who pushes while a document is rebuilt does not give up',
)
assert(limits.rebuildRacesMax < limits.rebuildTriesMax, 'appends are held before a rebuild is given up')
assert(limits.reconnectMsMin < limits.reconnectMsMax, 'waiting grows')
