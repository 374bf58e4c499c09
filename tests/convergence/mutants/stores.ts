/** Bugs of stores: a replica's and a hub's. */
import type { Cursor, HubStore, ReplicaStep, ReplicaStore, Seq, StoredReplica } from '@rejoin/core'
import { withMembers } from 'rejoin/testing'
import { Marks } from '../../../packages/hub/src/marks.ts'
import { decodeMarks, encodeMarks } from '../../../packages/hub/src/stored-marks.ts'
import type { Mutant } from './mutant.ts'

export const storeMutants: readonly Mutant[] = [
  {
    name: "a replica's store forgets the last commit of the outbox",
    foundBy: [4],
    ports: () => ({
      replicaStore: (store) =>
        loading(store, (stored) => ({ ...stored, outbox: stored.outbox.slice(0, -1) })),
    }),
  },
  {
    name: "a replica's store keeps the cursor and not the updates before it",
    foundBy: [1, 4, 6, 21],
    ports: () => ({
      replicaStore: (store) =>
        recording(store, (step) => (step.kind === 'remote' ? { ...step, updates: [] } : step)),
    }),
  },
  {
    name: "a replica's store loses a commit when it is settled",
    foundBy: [1, 4, 6],
    ports: () => ({
      replicaStore: (store) =>
        recording(store, (step) =>
          step.kind === 'remote' && step.settled.length > 0
            ? { ...step, updates: step.updates.slice(1) }
            : step,
        ),
    }),
  },
  {
    name: "a replica's store gives back an older cursor",
    foundBy: [6],
    ports: () => ({
      replicaStore: (store) => loading(store, (stored) => ({ ...stored, cursor: back(stored.cursor) })),
    }),
  },
  {
    name: "a replica's store drops the outbox at a reset",
    foundBy: [4],
    ports: () => ({
      replicaStore: (store) =>
        recording(store, (step) => (step.kind === 'reset' ? { ...step, outbox: [] } : step)),
    }),
  },
  {
    name: "a hub's store says that it appended, and did not",
    foundBy: [3, 4, 13, 21],
    ports: () => ({ hubStore: forgetfulStore }),
  },
  {
    name: "a hub's checkpoint loses the high-water marks",
    foundBy: [1, 4, 5, 21],
    ports: () => ({ hubStore: markless }),
  },
  {
    name: "a hub's store trims behind a checkpoint that it did not keep",
    foundBy: [1, 4, 13, 21],
    ports: () => ({ hubStore: overtrimming }),
  },
]

function loading(store: ReplicaStore, change: (stored: StoredReplica) => StoredReplica): ReplicaStore {
  return withMembers(store, {
    load: async () => {
      const stored = await store.load()
      return stored === null ? null : change(stored)
    },
  })
}

function recording(store: ReplicaStore, change: (step: ReplicaStep) => ReplicaStep): ReplicaStore {
  return withMembers(store, { record: (steps) => store.record(steps.map(change)) })
}

function back(cursor: Cursor | null): Cursor | null {
  return cursor === null || cursor.seq < 2 ? cursor : { ...cursor, seq: cursor.seq - 1 }
}

/** Every third append comes to nothing. */
function forgetfulStore(store: HubStore): HubStore {
  let appends = 0
  return withMembers(store, {
    append: async (namespace, after, body) => {
      if (++appends % 3 > 0) return store.append(namespace, after, body)
      const head = (await store.heads([namespace])).get(namespace)?.head ?? 0
      return head === after ? { kind: 'appended', seq: after + 1 } : { kind: 'moved', head }
    },
  })
}

function markless(store: HubStore): HubStore {
  return withMembers(store, {
    installCheckpoint: (namespace, { seq, marks, snapshot }) => {
      const stored = decodeMarks(marks, 'a checkpoint')
      const lost = new Marks({ ...stored.marks.parts(), replicas: new Map() })
      return store.installCheckpoint(namespace, {
        seq,
        marks: encodeMarks(lost, snapshot, stored.digest ?? ''),
        snapshot,
      })
    },
  })
}

/** Keeps the first checkpoint only, and trims everything but the newest record. */
function overtrimming(store: HubStore): HubStore {
  let floor: Seq = 0
  return withMembers(store, {
    installCheckpoint: async (namespace, checkpoint) => {
      const kept = await store.checkpoint(namespace)
      return kept === null ? store.installCheckpoint(namespace, checkpoint) : 'installed'
    },
    trim: async (namespace) => {
      const head = (await store.heads([namespace])).get(namespace)?.head ?? 0
      floor = Math.max(floor, head - 1)
      return { floor, head }
    },
    heads: async (namespaces) => {
      const heads = await store.heads(namespaces)
      return new Map(
        [...heads].map(([name, range]) => [name, { ...range, floor: Math.max(floor, range.floor) }]),
      )
    },
    readTail: async (namespace, after, limit) => {
      const head = (await store.heads([namespace])).get(namespace)?.head ?? 0
      return after < floor ? { kind: 'gap', floor, head } : store.readTail(namespace, after, limit)
    },
  })
}
