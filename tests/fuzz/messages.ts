/** Honest messages of every type, drawn from a seed; and strange ones, made of them by changing a member or two. */
import {
  errorCodes,
  formatHlc,
  replicaIdOf,
  type Cursor,
  type DownMessage,
  type ErrorCode,
  type Hlc,
  type ReplicaId,
  type UpMessage,
} from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import type { Seeded } from '../support/seeded.ts'
import { struck } from './strange-bytes.ts'

const codes = Object.keys(errorCodes) as ErrorCode[]

/** @param updates of an honest history. */
export function someUpMessage(random: Seeded, updates: readonly Uint8Array[]): UpMessage {
  switch (random.whole(0, 4)) {
    case 0:
      return {
        type: 'Hello',
        namespace: random.pick(['a', 'team-7', 'x'.repeat(128)]),
        domain: 'shapes',
        domainVersion: random.whole(1, 9),
        replica: someReplica(random),
        cursor: random.chance(0.5) ? null : someCursor(random),
        ackedCounter: someCount(random),
        capabilities: ['delta', 'newer', 'rebuild'].slice(0, random.whole(0, 3)),
      }
    case 1:
      return {
        type: 'Push',
        epoch: random.chance(0.3) ? null : someCount(random) + 1,
        commits: Array.from({ length: random.whole(1, 5) }, (_, i) => ({
          counter: i + 2,
          prev: i + 1,
          hlc: someHlc(random),
          domainVersion: 1,
          ops: [{ type: 'RowAdded', id: 'é', title: 'a "b" [c' }],
          update: random.pick(updates),
        })),
      }
    case 2:
      return { type: 'Heal', counter: someCount(random), domainVersion: 1, update: random.pick(updates) }
    case 3:
      return { type: 'Awareness', update: somePresence(random) }
    default:
      return { type: 'Bye' }
  }
}

export function someDownMessage(random: Seeded, updates: readonly Uint8Array[]): DownMessage {
  const durability = random.pick(['durable', 'applied'] as const)
  switch (random.whole(0, 11)) {
    case 0:
      return {
        type: 'Welcome',
        path: random.pick(['live', 'tail', 'snapshot', 'reset', 'unknown', 'rebuild', 'heal']),
        why: 'nothing was missed',
        durability,
      }
    case 1:
      return { type: 'RevisionGap', cursor: 1, floor: someCount(random), head: someCount(random) }
    case 2:
      return { type: 'Snapshot', cursor: someCursor(random), snapshot: random.pick(updates) }
    case 3:
      return { type: 'Rebuild', cursor: someCursor(random), digest: 'ab'.repeat(32) }
    case 4:
      return { type: 'HealWanted', stateVector: yjsCrdt.updates.stateVector(new Map([[5_000, 7]])) }
    case 5:
      return { type: 'NewerDomain', domainVersion: 2 }
    case 6:
    case 7: {
      const replicas = [someReplica(random), someReplica(random)]
      const commits = Array.from({ length: random.whole(0, 6) }, (_, i) => ({
        replica: random.pick(replicas),
        counter: i + 1,
        update: random.chance(0.2) ? null : random.pick(updates),
      }))
      return { type: 'Tail', cursor: someCursor(random), commits }
    }
    case 8: {
      const ackedCounter = someCount(random)
      const ackedHlc = ackedCounter === 0 ? null : someHlc(random)
      return { type: 'CaughtUp', cursor: someCursor(random), ackedCounter, ackedHlc }
    }
    case 9:
      return { type: 'Ack', counter: 5, seq: someCount(random), duplicate: random.chance(0.5), durability }
    case 10:
      return {
        type: 'Refused',
        counter: random.chance(0.2) ? null : 7,
        code: random.pick(codes),
        message: 'a sentence',
        path: random.chance(0.5) ? null : 'ops[0].key',
        retryable: random.chance(0.5),
        retryAfterMs: random.chance(0.5) ? null : 250,
      }
    default:
      return { type: 'Closing', code: random.pick(codes), message: 'soon', retryAfterMs: null }
  }
}

/** The same with a member or two that are not what they should be. */
export function strangeMessage(random: Seeded, honest: object): object {
  let strange: unknown = honest
  for (let times = random.whole(1, 2); times > 0; times--) strange = changed(random, strange, 0)
  return typeof strange === 'object' && strange !== null ? strange : honest
}

function changed(random: Seeded, value: unknown, depth: number): unknown {
  if (value instanceof Uint8Array) {
    return random.chance(0.1) ? new Uint8Array(random.pick([0, 1, 20_000])) : struck(random, value)
  }
  if (Array.isArray(value)) {
    const items: unknown[] = [...(value as unknown[])]
    const at = random.whole(0, Math.max(0, items.length - 1))
    if (items.length === 0 || random.chance(0.1)) return [...items, 0]
    if (random.chance(0.15)) return items.toSpliced(at, 1)
    if (random.chance(0.15)) return items.toSpliced(at, 0, items[at])
    if (random.chance(0.02)) return Array.from({ length: 300 }, () => items[at])
    return items.with(at, changed(random, items[at], depth + 1))
  }
  if (typeof value === 'object' && value !== null) {
    const names = Object.keys(value).filter((name) => depth > 0 || name !== 'type')
    if (names.length === 0) return value
    const name = random.pick(names)
    return { ...value, [name]: changed(random, (value as Record<string, unknown>)[name], depth + 1) }
  }
  if (typeof value === 'number')
    return random.pick([0, 1, value + 1, value - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 0.5, NaN])
  if (typeof value === 'string') {
    return random.pick([
      '',
      `${value}x`,
      value.slice(1),
      '__proto__',
      '\ud800',
      'a\0b',
      'x'.repeat(3_000),
      'ü😀',
    ])
  }
  if (typeof value === 'boolean') return !value
  return random.pick([0, 'text', null])
}

function someReplica(random: Seeded): ReplicaId {
  return replicaIdOf(Uint8Array.from({ length: 16 }, () => random.whole(0, 255)))
}

function someHlc(random: Seeded): Hlc {
  return formatHlc({ ms: random.whole(0, 2 ** 42 - 1), counter: random.whole(0, 4_095), author: 'abcde' })
}

function someCursor(random: Seeded): Cursor {
  return { epoch: someCount(random) + 1, seq: someCount(random), tag: '0123456789abcdef' }
}

function someCount(random: Seeded): number {
  return random.pick([0, 1, 127, 128, random.whole(0, 2 ** 31), 2 ** 40])
}

function somePresence(random: Seeded): Uint8Array {
  const states = [5_000, 6_000].slice(0, random.whole(1, 2)).map((client) => ({
    client,
    clock: random.whole(0, 500),
    json: random.pick(['null', '{"name":"ada"}', '{"at":[1,2,{"x":null}]}']),
  }))
  return yjsCrdt.updates.encodePresence(states)
}
