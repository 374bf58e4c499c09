/** What each step of `ReplicaStore.record` means, on plain values: the model that every adapter is compared with. */
import {
  assert,
  unreachable,
  type Commit,
  type Counter,
  type Cursor,
  type Hlc,
  type RejectedCommit,
  type ReplicaIdentity,
  type ReplicaStep,
  type StoredReplica,
  type SyncNotes,
} from '@rejoin/core'

/** One replica; steps replace its fields and never change what they hold. */
export interface ReplicaModel {
  readonly identity: ReplicaIdentity
  /** Its storage is a copy, and it has no identity of its own yet. */
  readonly isCopy: boolean
  readonly formerCounter: Counter
  readonly counter: Counter
  readonly hlc: Hlc | null
  readonly cursor: Cursor | null
  readonly snapshot: Uint8Array | null
  readonly updates: readonly Uint8Array[]
  readonly outbox: ReadonlyMap<Counter, Commit>
  readonly rejected: ReadonlyMap<Counter, RejectedCommit>
  readonly notes: SyncNotes
}

export function modelAfter(model: ReplicaModel | null, step: ReplicaStep): ReplicaModel {
  if (step.kind === 'create') {
    // Repeated after a write whose outcome was unknown.
    if (model?.identity.replica === step.identity.replica) return model
    assert(model === null, 'a replica is created once in its store')
    return created(step.identity)
  }
  assert(model !== null, 'the first step of a replica creates it')
  switch (step.kind) {
    case 'reidentify': {
      const { replica, clientId } = step
      // Repeated after a write whose outcome was unknown.
      if (model.identity.replica === replica) return model
      const { notes, counter } = model
      return {
        ...model,
        identity: { ...model.identity, replica, clientId },
        isCopy: false,
        formerCounter: counter,
        notes: {
          ...notes,
          ackedCounter: 0,
          sentCounter: Math.max(notes.sentCounter, counter),
          lastError: notes.lastError?.code === 'REPLICA_TAKEN' ? null : notes.lastError,
        },
      }
    }
    case 'local': {
      const { counter } = step.commit.id
      const outbox = new Map(model.outbox).set(counter, step.commit)
      return {
        ...model,
        outbox,
        counter: Math.max(model.counter, counter),
        hlc: newer(model, step.commit.hlc),
      }
    }
    case 'remote': {
      const outbox = without(model.outbox, (counter) => step.settled.includes(counter))
      const updates = [...model.updates, ...step.updates]
      return { ...model, updates, outbox, cursor: step.cursor, hlc: newer(model, step.hlc) }
    }
    case 'snapshot': {
      const { snapshot, cursor } = step
      return { ...model, snapshot, updates: [], cursor, hlc: newer(model, step.hlc) }
    }
    case 'settle':
      return { ...model, outbox: without(model.outbox, (counter) => counter <= step.upTo) }
    case 'reset': {
      const { snapshot, updates, cursor, clientId } = step
      const identity = { ...model.identity, clientId }
      return {
        ...model,
        identity,
        snapshot,
        updates,
        cursor,
        outbox: byCounter(step.outbox),
        hlc: newer(model, step.hlc),
      }
    }
    case 'recommit': {
      const rejected = new Map(model.rejected)
      for (const each of step.rejected) rejected.set(each.commit.id.counter, each)
      const identity = { ...model.identity, clientId: step.clientId }
      return { ...model, identity, outbox: byCounter(step.outbox), rejected }
    }
    case 'discard':
      return { ...model, rejected: without(model.rejected, (counter) => counter === step.counter) }
    case 'notes':
      return { ...model, notes: step.notes }
    case 'domainVersion': {
      const domainVersion = Math.max(model.identity.domainVersion, step.domainVersion)
      return { ...model, identity: { ...model.identity, domainVersion } }
    }
    default:
      return unreachable(step)
  }
}

/** The model as a store loads it. */
export function storedOf(model: ReplicaModel): StoredReplica {
  const { identity, isCopy, formerCounter, counter, hlc, cursor, snapshot, updates, notes } = model
  return {
    identity,
    isCopy,
    formerCounter,
    counter,
    hlc,
    cursor,
    base: snapshot === null ? updates : [snapshot, ...updates],
    snapshotBytes: snapshot?.length ?? 0,
    updateBytes: updates.reduce((bytes, update) => bytes + update.length, 0),
    outbox: inOrder(model.outbox),
    rejected: inOrder(model.rejected),
    notes,
  }
}

function created(identity: ReplicaIdentity): ReplicaModel {
  return {
    identity,
    isCopy: false,
    formerCounter: 0,
    counter: 0,
    hlc: null,
    cursor: null,
    snapshot: null,
    updates: [],
    outbox: new Map(),
    rejected: new Map(),
    notes: { lastAttemptAt: null, lastSuccessAt: null, lastError: null, ackedCounter: 0, sentCounter: 0 },
  }
}

function newer({ hlc: known }: ReplicaModel, hlc: Hlc | null): Hlc | null {
  return known === null || (hlc !== null && hlc > known) ? hlc : known
}

function without<T>(kept: ReadonlyMap<Counter, T>, drop: (counter: Counter) => boolean): Map<Counter, T> {
  return new Map([...kept].filter(([counter]) => !drop(counter)))
}

function byCounter(commits: readonly Commit[]): Map<Counter, Commit> {
  return new Map(commits.map((commit) => [commit.id.counter, commit]))
}

function inOrder<T>(kept: ReadonlyMap<Counter, T>): readonly T[] {
  return [...kept].sort(([a], [b]) => a - b).map(([, value]) => value)
}
