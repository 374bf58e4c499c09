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
  /**
   * Steps that wait for a replica's store, of commits made here and of what others wrote each: for a whole outbox the commit
   * and that it may be sent. There `apply` is refused with the store's code and nothing is changed; and nothing more is read
   * from the hub, until there is room where the store is merely slow, and where it fails the session ends and the hub is
   * greeted again later.
   */
  pendingStepsMax: 250_000,
  /** Bytes of those steps, likewise, up to one commit or one message beyond: what an app may have to hold in memory. */
  pendingBytesMax: 64 * MiB,
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
  /** Bytes of the state vector in a greeting: some thousand clients, and a replica has written under few. */
  helloVectorBytesMax: 16 * KiB,
  /** Bytes of one message down: a whole snapshot. */
  messageDownBytesMax: 256 * MiB,
  /**
   * Bytes of one document as its hub keeps it, the newest snapshot and what was logged since: half of what a message down
   * carries, so that whoever comes anew still gets it whole, and twice what is told as overdue where folding fails. A replica
   * holds some ten times as much in memory.
   */
  documentBytesMax: 128 * MiB,
  /**
   * Replica ids that a namespace knows, one for each device, folder and tab that ever wrote: 4 MB of marks, written with each
   * checkpoint and read with each opening, and some 20 MB of heap. And of one principal: far more than anybody installs, and
   * a tenth, so that nobody uses up what is everybody's (decision 0012).
   */
  replicasMax: 100_000,
  replicasPerPrincipalMax: 10_000,
  /** Milliseconds between two checkpoints that are asked for since a document is that large. */
  documentFoldMsMin: 10_000,
  /** Bytes of a snapshot that is worth packing: below that a frame or two are saved at best. */
  packedBytesMin: 4 * KiB,
  /** Bytes of packed snapshots that a hub keeps for the next who needs them, and their number. */
  packedBytesMax: 32 * MiB,
  packedSnapshotsMax: 1_000,
  /** Snapshots that a hub packs at once: Node has four threads for that, and logs are written by the same. */
  packingsMax: 2,
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
  /** Milliseconds for signing in: for its frame to come, and for the hub to judge it (`HAZARDS.md` G2). */
  signInMsMax: 5_000,
  /** Bytes that a socket may send before it has signed in: a token with room to spare (`HAZARDS.md` G2). */
  signInBytesMax: 16 * KiB,
  /** Characters of a token: it has to fit the head of a request, which Node bounds at 16 KiB. */
  tokenCharsMax: 8 * KiB,
  /** Sockets and requests of one address that are being judged: a proxy's many users share one (`HAZARDS.md` G7). */
  signInsPerAddressMax: 200,
  /** Sockets and requests that one address may begin: checking a token costs some 100 microseconds (`HAZARDS.md` G7). */
  callsPerSecondMax: 2_000,
  callsBurstMax: 20_000,
  /** Sockets and requests of one principal at once: a person has few devices, a fleet under one key some dozens. */
  connectionsPerPrincipalMax: 200,
  /** The same of one address, whoever signs in from it: an office, or a machine with many replicas. */
  connectionsPerAddressMax: 1_000,
  /** Channels of one namespace: whatever one of them writes is sent to all others. */
  connectionsPerNamespaceMax: 5_000,
  /** TCP connections of a hub, busy or idle: what a process has file descriptors for. */
  socketsMax: 10_000,
  /**
   * What one principal may send, all its connections together: so much a second, and so much at once after a rest. Once: a
   * whole outbox of somebody who comes back. A second: well above what people and their devices do, below what one hub logs.
   */
  messagesPerSecondMax: 2_000,
  messagesBurstMax: 20_000,
  bytesUpPerSecondMax: 16 * MiB,
  bytesUpBurstMax: 128 * MiB,
  commitsPerSecondMax: 5_000,
  commitsBurstMax: 100_000,
  /** Frames, pings among them: a message that is cut into fragments has several. Above that its sockets are read later. */
  framesPerSecondMax: 8_000,
  framesBurstMax: 80_000,
  /** Times that one address may send where nobody signs in: it stands for all who share it. */
  addressShareMax: 10,
  /** Bytes of unfinished messages, all sockets of one principal together: they are held and not counted yet. */
  unfinishedBytesMax: 16 * MiB,
  /** Greetings of one principal that are answered at once: each may bring a whole snapshot into memory. */
  greetingsAtOnceMax: 8,
  /** Milliseconds that a greeting waits for its turn: then it hears why, before whoever waits for an answer gives up. */
  greetingMsMax: 15_000,
  /** Bytes that may wait for all channels of one principal before a further greeting waits too; at twice that all are behind. */
  outgoingBytesMax: 12 * MiB,
  /**
   * The same of all principals together, however many they are: above it whoever has something waiting is behind. Half of what a
   * hub may grow by under those who read nothing (`HAZARDS.md` G6): one more message each comes on top.
   */
  outgoingBytesOfAllMax: 32 * MiB,
  /** Pieces that a WebSocket message may come in, and of the network's own; most come in one (`HAZARDS.md` G4). */
  socketFragmentsMax: 1_024,
  socketChunksMax: 16 * KiB,
  /** Pongs that wait for a peer which sends pings and reads nothing. */
  socketPongsMax: 16,
  /** Milliseconds for the head of a request, also of an upgrade, and for the whole of it (`HAZARDS.md` G2, G9). */
  requestHeadMsMax: 4_000,
  requestMsMax: 30_000,
  /** Percent of a sign-in's life after which a fresh token is asked for; of what is left then, again (`HAZARDS.md` G11). */
  signInAskPercent: 80,
  /** Bytes of one awareness update: presence, not content. */
  awarenessBytesMax: 16 * KiB,
  /** States that one session may present: a page shows one, or one for each of its documents. */
  presencePerSessionMax: 32,
  /** States in one room, more than its readers can look at; further ones are left out until others leave. */
  presencePerRoomMax: 1_000,
  /** Milliseconds in which what is presented is gathered and sent on as one: below what people notice. */
  presenceTickMs: 50,
  /**
   * Client ids that a plain Yjs client's update may begin: one for each time that its page was loaded offline. Each costs every
   * reader a search among those at the same place (`HAZARDS.md` E1), and all of them are let in where one is.
   */
  plainClientsMax: 64,
  /**
   * Steps of Yjs's search for the places of first items (`DocumentWeight.scanSteps`), 0.1 to 0.3 microseconds each, that are worth
   * a rebuild, which makes one client of all; and those from which on no further client id is let in until that was done.
   */
  scanStepsRebuild: 1_000_000,
  scanStepsMax: 2_000_000,
  /**
   * Such steps that the client ids begun since the last checkpoint may cost, each at most what the document has of runs; at
   * half of that a checkpoint is due, which weighs what they do cost. With those above it stays below a second.
   */
  freshScanStepsMax: 1_000_000,
  /** Client ids that may begin between two checkpoints of any document: of large ones that themselves take a second to read. */
  freshClientsMin: 32,
  /** Bytes of a log or snapshot that a run takes at least, where they were not counted. */
  runBytesMin: 4,
  /** Runs of items, and ranges of deleted ones, that it may name, known ones too: what they take in memory while they are read. */
  plainRunsMax: 100_000,
  plainDeleteRangesMax: 500_000,
  /** Milliseconds that a commit's HLC may lie ahead of the hub's clock. A clock wrong by a day still works. */
  hlcAheadMsMax: 2 * 24 * 60 * 60 * 1000,
  /** Commits that stay available as a tail. */
  retentionCommitsMin: 1_000,
  /** Bytes of records that stay so: what a thousand of the largest commits would otherwise cost is 4 GiB. */
  retentionBytesMin: 8 * MiB,
  /** Bytes that may come after a record which only a running catch-up has yet to read; then it goes on by snapshot. */
  readerHeldBytesMax: 64 * MiB,
  /** Milliseconds between two looks whether records have grown too old, in rooms that somebody is in. */
  retentionLookMs: 10 * 60 * 1000,
  /** Bytes logged since the last checkpoint that are worth a new one, where its snapshot is not larger than that. */
  checkpointBytesMin: 64 * KiB,
  /** Bytes logged since the last checkpoint, where building fails, that are told as an error: a second's work to open. */
  checkpointOverdueBytes: 64 * MiB,
  /** Checkpoints built at once: each holds a document in memory, the others wait. */
  checkpointsAtOnceMax: 4,
  /** Milliseconds before a failed one is tried again: doubled each time between these two, with jitter. */
  checkpointRetryMsMin: 500,
  checkpointRetryMsMax: 5 * 60 * 1000,
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
  /**
   * Seqs for which a restored log leaves room, since cursors of what it lost may name them: more commits than any backup is
   * behind.
   */
  lostSeqsMax: 2 ** 32,
  /** Seqs that a cursor may be ahead of a log that is believed to have lost so many: a few such rooms. */
  lostAheadMax: 2 ** 40,
  /** Losses that one log knows of; what it lost after that no replica gives back without an operator. */
  lostRangesMax: 1_000,
  /** Times that a hub asks one replica for what was lost, since others give it back too; then the replica comes again. */
  healTriesMax: 5,
  /** Client ids that one heal may bring: each costs every reader a search among those at the same place (`HAZARDS.md` E1). */
  healClientsMax: 10_000,
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
assert(2 * limits.outboxCommitsMax <= limits.pendingStepsMax, 'the outbox is full before the store is behind')
assert(limits.commitBytesMax < limits.pendingBytesMax, 'any single commit may wait for the store')
assert(limits.commitBytesMax < limits.pushUnansweredBytesMax, 'any single commit may be under way')
assert(limits.greetingMsMax < limits.answerMsMax, 'who is kept waiting hears why')
assert(
  limits.rebuildHoldMsMax < limits.answerMsMax,
  'who pushes while a document is rebuilt does not give up',
)
assert(limits.rebuildRacesMax < limits.rebuildTriesMax, 'appends are held before a rebuild is given up')
assert(
  limits.lostRangesMax * (limits.lostAheadMax + limits.lostSeqsMax) < 2 ** 52,
  'no number of losses that are believed uses up the seqs',
)
assert(limits.scanStepsRebuild < limits.scanStepsMax, 'a rebuild comes before anybody is refused')
assert(
  2 * limits.documentBytesMax <= limits.messageDownBytesMax,
  'a snapshot of any document fits a message down',
)
assert(
  10 * limits.replicasPerPrincipalMax <= limits.replicasMax,
  'no few principals use up the replica ids of a namespace',
)
assert(
  2 * limits.checkpointOverdueBytes <= limits.documentBytesMax,
  'an operator hears that folding fails before anybody is refused for it',
)
assert(limits.reconnectMsMin < limits.reconnectMsMax, 'waiting grows')
assert(limits.tokenCharsMax < limits.signInBytesMax, 'any token fits the frame that signs in')
assert(
  limits.connectionsPerPrincipalMax <= limits.connectionsPerAddressMax,
  'a principal may be at one place with all its devices',
)
assert(limits.messageUpBytesMax <= limits.unfinishedBytesMax, 'any message may be under way')
assert(
  2 * limits.outgoingBytesMax < limits.outgoingBytesOfAllMax,
  'one principal alone puts nobody else behind',
)
assert(
  limits.requestHeadMsMax < limits.signInMsMax,
  'who says nothing is gone by then, looked for each second',
)
assert(limits.outboxCommitsMax <= limits.commitsBurstMax, 'a full outbox is taken at once')
assert(limits.messageUpBytesMax <= limits.bytesUpBurstMax, 'any message fits what may be sent at once')
assert(limits.checkpointRetryMsMin < limits.checkpointRetryMsMax, 'so does waiting for a checkpoint')
assert(
  limits.retentionBytesMin <= limits.readerHeldBytesMax,
  'a catch-up is never held to less than retention',
)
