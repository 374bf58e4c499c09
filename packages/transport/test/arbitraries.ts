// Arbitrary messages of every type, as their schemas allow them.
import fc from 'fast-check'
import {
  errorCodes,
  formatHlc,
  replicaIdOf,
  type DownMessage,
  type ErrorCode,
  type UpMessage,
} from '@rejoin/core'

const text = (max: number) =>
  fc.string({ unit: 'grapheme', maxLength: max }).filter((made) => made.length <= max)
const counter = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const count = fc.oneof(fc.nat(200), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }))
const bytes = fc.uint8Array({ maxLength: 200 })
const replica = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(replicaIdOf)
const hlc = fc
  .tuple(fc.integer({ min: 0, max: 2 ** 42 - 1 }), fc.nat(4095), fc.stringMatching(/^[-0-9A-Z_a-z]{5}$/))
  .map(([ms, counter, author]) => formatHlc({ ms, counter, author }))
const namespace = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,127}$/)
const code = fc.constantFrom(...(Object.keys(errorCodes) as ErrorCode[]))
const cursor = fc.record({
  epoch: counter,
  seq: count,
  tag: fc.stringMatching(/^[0-9a-f]{16}$/),
})
const nullable = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: null })
const op = fc
  .dictionary(text(8), fc.jsonValue({ maxDepth: 3 }))
  .map((fields) => JSON.parse(JSON.stringify({ ...fields, type: 'Made' })) as { type: string })
const awareness = fc.record({ type: fc.constant('Awareness' as const), update: bytes })

export const upMessage: fc.Arbitrary<UpMessage> = fc.oneof(
  fc.record({
    type: fc.constant('Hello' as const),
    namespace,
    domain: text(64).filter((name) => name.length > 0),
    domainVersion: counter,
    replica,
    cursor: nullable(cursor),
    ackedCounter: count,
    capabilities: fc.array(text(32), { maxLength: 32 }),
  }),
  fc.record({
    type: fc.constant('Push' as const),
    epoch: nullable(counter),
    commits: fc.array(
      fc.record({
        counter,
        prev: count,
        hlc,
        domainVersion: counter,
        ops: fc.array(op, { minLength: 1, maxLength: 4 }),
        update: bytes,
      }),
      { minLength: 1, maxLength: 6 },
    ),
  }),
  fc.record({
    type: fc.constant('Heal' as const),
    counter: count,
    domainVersion: counter,
    update: bytes,
  }),
  awareness,
  fc.constant({ type: 'Bye' as const }),
)

const durability = fc.constantFrom('durable' as const, 'applied' as const)

export const downMessage: fc.Arbitrary<DownMessage> = fc.oneof(
  fc.record({
    type: fc.constant('Welcome' as const),
    path: fc.constantFrom('live', 'tail', 'snapshot', 'reset', 'unknown', 'rebuild', 'heal'),
    why: text(300),
    durability,
  }),
  fc.record({ type: fc.constant('RevisionGap' as const), cursor: count, floor: count, head: count }),
  fc.record({ type: fc.constant('Snapshot' as const), cursor, snapshot: bytes }),
  fc.record({
    type: fc.constant('Rebuild' as const),
    cursor,
    digest: fc.stringMatching(/^[0-9a-f]{64}$/),
  }),
  fc.record({ type: fc.constant('HealWanted' as const), stateVector: bytes }),
  fc.record({ type: fc.constant('NewerDomain' as const), domainVersion: fc.integer({ min: 2 }) }),
  fc.record({
    type: fc.constant('Tail' as const),
    cursor,
    commits: fc
      .array(fc.tuple(replica, fc.array(fc.record({ counter, update: nullable(bytes) }), { maxLength: 4 })), {
        maxLength: 4,
      })
      .map((groups) =>
        groups.flatMap(([id, commits]) => commits.map((commit) => ({ replica: id, ...commit }))),
      ),
  }),
  fc
    .record({
      type: fc.constant('CaughtUp' as const),
      cursor: nullable(cursor),
      ackedCounter: count,
      stamp: nullable(hlc),
    })
    .map(({ stamp, ...rest }) => ({ ...rest, ackedHlc: rest.ackedCounter === 0 ? null : stamp })),
  fc.record({
    type: fc.constant('Ack' as const),
    counter,
    seq: count,
    duplicate: fc.boolean(),
    durability,
  }),
  fc.record({
    type: fc.constant('Refused' as const),
    counter: nullable(counter),
    code,
    message: text(2_000),
    path: nullable(text(500)),
    retryable: fc.boolean(),
    retryAfterMs: nullable(count),
  }),
  awareness,
  fc.record({
    type: fc.constant('Closing' as const),
    code: nullable(code),
    message: text(2_000),
    retryAfterMs: nullable(count),
  }),
)

/** Honest bytes with some of them changed, cut or repeated. */
export function mutated(honest: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const change = fc.tuple(fc.constantFrom('set', 'cut', 'insert', 'repeat'), fc.nat(), fc.nat(255))
  return fc.tuple(honest, fc.array(change, { minLength: 1, maxLength: 5 })).map(([start, changes]) => {
    let made = [...start]
    for (const [kind, at, value] of changes) {
      const place = made.length === 0 ? 0 : at % made.length
      if (kind === 'set') made[place] = value
      else if (kind === 'cut') made = made.slice(0, place)
      else if (kind === 'insert') made.splice(place, 0, value)
      else made.splice(place, 0, ...made.slice(place, place + 20))
    }
    return Uint8Array.from(made)
  })
}
