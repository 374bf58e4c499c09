// [14] Every limit of `core/src/limits.ts` with a test that stands at it: a limit that no test shows is a fault here, by its type too.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { limits, type Limits } from '@rejoin/core'
import { checkout } from '../support/command.ts'

/** The file, and what the name of its test says. */
type Shown = readonly [file: string, says: string]

const bounds = (says: string): Shown => ['tests/limits/boundaries.test.ts', `'${says}': {`]
const hub = (file: string, says: string): Shown => [`packages/hub/test/${file}.test.ts`, says]
const transport = (file: string, says: string): Shown => [`packages/transport/test/${file}.test.ts`, says]
const replica = (file: string, says: string): Shown => [`packages/replica/test/${file}.test.ts`, says]
const here = (file: string, says: string): Shown => [`tests/limits/${file}.test.ts`, says]
const hostile = (file: string, says: string): Shown => [`tests/hostile/${file}.test.ts`, says]

const shown: Readonly<Record<keyof Limits, Shown>> = {
  namespaceCharsMax: bounds('a namespace’s name'),
  keyBytesMax: bounds('a key, all its parts together'),
  valueBytesMax: bounds('a value, its quotes counted'),
  valueDepthMax: bounds('the levels of a value'),
  commitOpsMax: bounds('the ops of a commit'),
  commitBytesMax: bounds('the bytes of a commit'),
  updateEntriesMax: bounds('the entries of an update'),
  updateDeleteRangesMax: bounds('the deleted ranges of an update'),
  mergeUpdatesMax: bounds('the updates that are merged'),
  stateVectorClientsMax: bounds('the clients of a state vector'),
  outboxCommitsMax: replica('full-outbox', 'of at most 3 commits that wait'),
  pendingStepsMax: replica('pending-writes', 'what others write takes no room of what is written here'),
  pendingBytesMax: replica('pending-writes', 'what others write takes no room of what is written here'),
  undoCommitsMax: replica('undo', 'is bounded: the oldest commits can no longer be undone'),
  undoWritesMax: replica('undo-bound', 'two writes each'),
  toldOpEntriesMax: replica('telling-ops', 'fit into commits, however much comes at once'),
  toldOpBytesMax: replica('telling-ops', 'fit into commits, however much comes at once'),
  pushCommitsMax: bounds('the commits of a push'),
  pushBytesMax: replica('sync-once', 'what is under way stays within the limits of a push'),
  pushUnansweredBytesMax: hub('append', 'a hub reads no more of a session than it may leave unanswered'),
  tailBytesMax: hub('append', 'a record carries no more than a tail message does'),
  messageUpBytesMax: bounds('a message up in fragments'),
  helloVectorBytesMax: bounds('the state vector of a greeting'),
  messageDownBytesMax: bounds('a message down in fragments'),
  documentBytesMax: hub('document-bound', 'a commit that leaves room for %i bytes more'),
  replicasMax: hub('replica-bound', 'at the bound a new replica’s commit is refused'),
  replicasPerPrincipalMax: hub('replica-bound', 'one principal uses up its own share and no more'),
  documentFoldMsMin: hub('document-bound', 'it is not folded for every refusal anew'),
  packedBytesMin: hub('packing', 'a small one is not worth it'),
  packedBytesMax: hub('packing', 'what is kept is bounded'),
  packedSnapshotsMax: hub('packed-count', 'packed snapshots, asked for twice'),
  packingsMax: hub('packing', 'as many are packed at once as may be'),
  frameBytesMax: bounds('a frame'),
  fragmentsMsMax: transport('connection', 'a message that takes too long'),
  backlogBytesMax: hub('session', 'a slow reader costs bounded memory'),
  backlogMsMax: hub('silence', 'a peer that does not take its answers is not heard any further'),
  roomsPerConnectionMax: transport('connection', 'one channel more than the limit'),
  signInMsMax: transport('sign-in', 'a socket that says nothing is closed after its time'),
  signInBytesMax: bounds('what a socket sends before it signs in'),
  tokenCharsMax: bounds('a token'),
  signInsPerAddressMax: transport('peers', 'callers of one address that are judged'),
  callsPerSecondMax: transport('peers', 'calls of one address, and again after the wait'),
  callsBurstMax: transport('peers', 'calls of one address, and again after the wait'),
  connectionsPerPrincipalMax: transport('peers', 'connections of one principal, wherever it is'),
  connectionsPerAddressMax: transport('peers', 'connections of one address, whoever it is'),
  connectionsPerNamespaceMax: transport('peers', 'channels of one namespace'),
  socketsMax: here('sockets', 'takes one connection below its bound and one at it'),
  messagesPerSecondMax: here('rates', 'messages: {'),
  messagesBurstMax: here('rates', 'messages: {'),
  bytesUpPerSecondMax: here('rates', 'bytes: {'),
  bytesUpBurstMax: here('rates', 'bytes: {'),
  commitsPerSecondMax: here('rates', 'commits: {'),
  commitsBurstMax: here('rates', 'commits: {'),
  framesPerSecondMax: here('rates', 'frames: {'),
  framesBurstMax: here('rates', 'frames: {'),
  addressShareMax: transport('peers', 'an address may send ten times as much, and no more'),
  unfinishedBytesMax: transport('peers', 'bytes of unfinished messages of one principal'),
  greetingsAtOnceMax: transport('peers', 'are let through a few at a time'),
  greetingMsMax: transport('sending-turn', 'a plain client that gets no turn hears why'),
  outgoingBytesMax: transport('peers', 'wait while too much waits to be read'),
  outgoingBytesOfAllMax: hostile('stalled-memory', 'that read nothing'),
  socketFragmentsMax: here('sockets', 'takes a message in so many fragments and no more'),
  socketChunksMax: here('sockets', 'keeps so many pieces of the network’s own and no more'),
  socketPongsMax: hostile('frames', 'sends 500,000 pings and reads nothing is not kept'),
  requestHeadMsMax: here('sockets', "'a head'"),
  requestMsMax: here('sockets', "'a body'"),
  signInAskPercent: transport('renewal', 'it goes on by a fresh one'),
  awarenessBytesMax: bounds('an awareness update'),
  presencePerSessionMax: hub('presence', 'one session shows so many states and no more'),
  presencePerRoomMax: hub('presence-bounds', 'below, at and above what a room shows'),
  presenceTickMs: hub('presence', 'what is said within a tick is told as one'),
  plainClientsMax: hub('bounds', 'update that begins %i client ids'),
  scanStepsRebuild: hub('fresh-clients', 'takes no further one until it is rebuilt'),
  scanStepsMax: hub('fresh-clients', 'takes no further one until it is rebuilt'),
  freshScanStepsMax: hub(
    'fresh-clients',
    'as many new client ids are let in as could pass all that is there',
  ),
  freshClientsMin: hub('fresh-clients', 'as many new client ids are let in as could pass all that is there'),
  runBytesMin: hub('fresh-clients', 'as many new client ids are let in as could pass all that is there'),
  plainRunsMax: bounds('the runs of a plain client’s update'),
  plainDeleteRangesMax: bounds('the deleted ranges of a plain client’s update'),
  hlcAheadMsMax: hub('bounds', 'so far ahead of the hub’s clock'),
  retentionCommitsMin: hub(
    'retention',
    'a thousand commits and 8 MiB are kept unless somebody says otherwise',
  ),
  retentionBytesMin: hub('retention', 'a thousand commits and 8 MiB are kept unless somebody says otherwise'),
  readerHeldBytesMax: hub(
    'retention',
    'what a catch-up has yet to read stays, unless very much came after it',
  ),
  retentionLookMs: hub('retention', 'by age alone records go too, where somebody is in the room'),
  checkpointBytesMin: hub('bounds', 'a log is folded once it is above what is worth it'),
  checkpointOverdueBytes: hub(
    'checkpointing',
    'how far a log has grown that cannot be folded is told as an error',
  ),
  checkpointsAtOnceMax: hub('checkpointing', 'few checkpoints are built at once, and all in the end'),
  checkpointRetryMsMin: hub('checkpointing', 'what fails for long is tried every few minutes'),
  checkpointRetryMsMax: hub('checkpointing', 'what fails for long is tried every few minutes'),
  rebuildBytesMin: hub('bounds', 'a document is rebuilt once its dead content is above what is worth it'),
  rebuildRacesMax: hub('rebuild', 'writers that never pause do not starve a rebuild'),
  rebuildTriesMax: hub('bounds', 'is given up after so many tries'),
  rebuildHoldMsMax: hub('rebuild', 'appends are held for a bounded time'),
  lostSeqsMax: ['packages/core/test/plan.test.ts', 'knows a loss by any jump beyond the cursor'],
  lostAheadMax: ['packages/core/test/plan.test.ts', 'a cursor that is too far ahead is not believed'],
  lostRangesMax: ['packages/core/test/plan.test.ts', 'a cursor that is too far ahead is not believed'],
  healTriesMax: hub('heal', 'who answers with something else each time is not asked for ever'),
  healClientsMax: hub('heal', 'limits.healClientsMax + 1'),
  followMs: hub('append', 'who finds the log moved reads on and admits again'),
  storeAttemptsMax: hub('bounds', 'a store that is away is tried so many times'),
  storeRetryMsMin: hub('bounds', 'a store that is away is tried so many times'),
  storeRetryMsMax: hub('bounds', 'a store that is away is tried so many times'),
  closingMsMax: hub('session', 'closing does not wait for a store that never answers'),
  heartbeatMs: transport('server', 'two pings without an answer close the connection'),
  answerMsMax: hub('silence', 'a channel that does not greet in time is closed'),
  reconnectMsMin: replica('backoff', 'waits double from the least to the most'),
  reconnectMsMax: replica('backoff', 'waits double from the least to the most'),
}

test('[14] every limit has a test that stands at it, and no other has', () => {
  expect(Object.keys(shown).toSorted()).toEqual(Object.keys(limits).toSorted())
})

test.each(Object.entries(shown))('%s is shown in %j', (_, [file, says]) => {
  expect(readFileSync(path.join(checkout, file), 'utf8')).toContain(says)
})
