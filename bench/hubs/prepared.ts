/** A writer's commits, made beforehand as a replica makes them, so that pushing them costs nothing. */
import {
  HlcClock,
  planWrites,
  replicaIdOf,
  type Namespace,
  type PushedCommit,
  type ReplicaId,
} from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { weights } from '../subjects/domain.ts'
import { overwrites } from '../workload.ts'

export interface PreparedWriter {
  readonly namespace: Namespace
  readonly replica: ReplicaId
  readonly commits: readonly PushedCommit[]
}

export type Rooms = 'a room each' | 'one room'

export function roomOf(rooms: Rooms, writer: number): Namespace {
  return rooms === 'one room' ? 'room' : `room-${writer}`
}

/** Keys that each writer overwrites in turn. */
const KEYS = 100

/** One weight a commit, of a few keys in turn. `number` is no other writer's; `nowMs`, milliseconds since 1970, stamps the commits. */
export function prepareWriter(
  namespace: Namespace,
  number: number,
  count: number,
  nowMs: number,
): PreparedWriter {
  return prepared(namespace, number, count, nowMs, (i) => [
    [`token-${number}-${i % KEYS}`, `intent-${number % 150}`, Math.fround(i / count)],
  ])
}

/** A hundred weights a commit, over 10,000 keys in turn. */
export function prepareOverwriter(
  namespace: Namespace,
  number: number,
  count: number,
  nowMs: number,
): PreparedWriter {
  return prepared(namespace, number, count, nowMs, (i) =>
    overwrites(i * 100, 100, 10_000).map(({ key: [token = '', intent = ''], value }) => [
      token,
      intent,
      value,
    ]),
  )
}

function prepared(
  namespace: Namespace,
  number: number,
  count: number,
  nowMs: number,
  changesOf: (commit: number) => [token: string, intent: string, weight: number][],
): PreparedWriter {
  const id = new Uint8Array(16)
  new DataView(id.buffer).setUint32(0, number + 1)
  const replica = replicaIdOf(id)
  const document = yjsCrdt.open(10_000 + number, [])
  const stamps = new HlcClock(replica, null)
  const commits = Array.from({ length: count }, (_, i): PushedCommit => {
    const op = { type: 'Weighed' as const, changes: changesOf(i) }
    const hlc = stamps.tick(nowMs)
    const update = document.write(planWrites(weights, [op], document, hlc, 'optional'), hlc)
    return { counter: i + 1, prev: i, hlc, domainVersion: 1, ops: [op], update: update ?? new Uint8Array(0) }
  })
  document.destroy()
  return { namespace, replica, commits }
}
