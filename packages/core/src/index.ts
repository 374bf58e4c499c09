/** The door of `@rejoin/core`: words, decisions and ports. */
export { assert, unreachable } from './assert.ts'
export { commitName, type Commit, type RejectedCommit } from './commit.ts'
export {
  cursorSchema,
  sameCursor,
  ZERO_TAG,
  type Cursor,
  type Epoch,
  type LostRange,
  type Seq,
  type Tag,
} from './cursor.ts'
export { compareEntries, entryLine, type Entry, type Register } from './entry.ts'
export {
  asSyncError,
  damaged,
  errorCodes,
  isErrorCode,
  SyncError,
  withoutDamageAdvice,
  type ErrorCode,
} from './errors.ts'
export { authorOf, formatHlc, HlcClock, isHlc, parseHlc, type Hlc, type HlcParts } from './hlc.ts'
export {
  checkNamespace,
  counterSchema,
  namespaceSchema,
  replicaIdOf,
  replicaIdSchema,
  type CommitId,
  type Counter,
  type Namespace,
  type ReplicaId,
} from './ids.ts'
export { ItemRanges } from './item-ranges.ts'
export { checkKey, keyParts, keyText, prefixText, type KeyParts, type KeyText } from './key.ts'
export { limits, type Limits } from './limits.ts'
export { pathBillsSince, PathLedger, PathMeter, type PathBill, type PathBills } from './path-bill.ts'
export {
  isLostSeq,
  planCatchUp,
  type CatchUpPlan,
  type HealPlan,
  type LoggedRebuild,
  type LogView,
  type Offers,
  type Standing,
} from './plan.ts'
export { nextReplicaState, type ReplicaEvent, type ReplicaState } from './replica-state.ts'
export { onSignInEnd, signInEnd, type SignIn } from './sign-in.ts'
export { canonicalJson, canonicalValue, sameValue, utf8Length, type Value } from './value.ts'

export { defineDomain, type DeclareOp } from './domain/define.ts'
export { mergeOf, type AnyDomain, type Domain, type OpOf, type TableLayout } from './domain/domain.ts'
export { Draft, type Write } from './domain/draft.ts'
export {
  builtInOps,
  isBuiltInOp,
  type AnyOp,
  type BuiltInOp,
  type OpDeclaration,
  type OpDeclarations,
  type RegisterWrite,
  type Upcaster,
  type Upcasters,
} from './domain/op.ts'
export {
  canonicalOps,
  checkEntries,
  checkOps,
  planWrites,
  type CheckedOps,
  type ParentRule,
  type ParsedOp,
} from './domain/planning.ts'
export { checkCommitEntries, checkEntriesFollowFromOps, checkWriters } from './domain/explaining.ts'
export { checkRegister, findPlace, layoutOf, placeOf, type RegisterPlace } from './domain/register-schema.ts'
export {
  Id,
  map,
  records,
  singleton,
  type FieldSchemas,
  type FieldsOf,
  type KeyOf,
  type KeySchema,
  type MapTable,
  type Merge,
  type RecordsTable,
  type SingletonTable,
  type Table,
  type Tables,
  type ValueOf,
} from './domain/table.ts'
export { domainTooNew, upcastOps } from './domain/upcasting.ts'
export {
  type MapWriter,
  type RecordsWriter,
  type SingletonWriter,
  type TableWriters,
} from './domain/writers.ts'

export { listConflicts, type Choice, type Conflict } from './reading/conflicts.ts'
export { knownChanges, knownRegisters } from './reading/known.ts'
export { isConflict, isParentVisible, isRowVisible, mergeValues, readRegister } from './reading/read.ts'
export { allEntries, noRegisters, type Registers } from './reading/registers.ts'
export {
  readTables,
  rowKey,
  rowParts,
  type MapReads,
  type PrefixOf,
  type RecordsReads,
  type SingletonReads,
  type TablesReads,
} from './reading/tables.ts'

export {
  type Bill,
  type Channel,
  type CloseReason,
  type Dial,
  type HubChannel,
  type ReplicaChannel,
} from './ports/channel.ts'
export { randomUint32, randomUnit, type Clock } from './ports/clock.ts'
export {
  mayPlainReturn,
  type PlainDown,
  type PlainHubChannel,
  type PlainRequest,
  type PlainUp,
} from './ports/plain-channel.ts'
export {
  CLIENT_ID_MIN,
  REBUILD_CLIENT_ID,
  type ChangeListener,
  type ChangeOrigin,
  type ClientClocks,
  type ClientId,
  type Crdt,
  type CrdtAwareness,
  type CrdtDocument,
  type CrdtUpdates,
  type DocumentWeight,
  type InspectedSection,
  type InspectedState,
  type InspectedUpdate,
  type ItemRange,
  type PresenceState,
  type RebuiltDocument,
  type RegisterChange,
  type StateBounds,
} from './ports/crdt.ts'
export {
  type AppendResult,
  type Durability,
  type HubStore,
  type LogRange,
  type NamespaceState,
  type NewCheckpoint,
  type StoredCheckpoint,
  type StoredRecord,
  type TailLimit,
  type TailResult,
} from './ports/hub-store.ts'
export {
  type ReplicaIdentity,
  type ReplicaStep,
  type ReplicaStore,
  type StoredReplica,
  type SyncNotes,
} from './ports/replica-store.ts'
export { noSignals, type HubSignals } from './ports/signals.ts'

export {
  downMessageSchema,
  type Ack,
  type CatchUpPath,
  type CaughtUp,
  type Closing,
  type DownMessage,
  type HealWanted,
  type NewerDomain,
  type Rebuild,
  type Refused,
  type RevisionGap,
  type Snapshot,
  type Tail,
  type TailCommit,
  type Welcome,
} from './protocol/down.ts'
export {
  upMessageSchema,
  type Awareness,
  type Bye,
  type Heal,
  type Hello,
  type Push,
  type PushedCommit,
  type UpMessage,
} from './protocol/up.ts'
export { capabilities, PROTOCOL_VERSION, type Capability } from './protocol/version.ts'
