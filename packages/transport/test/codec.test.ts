// Messages as bytes: nothing is lost on the way, and foreign bytes can only ever be refused.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatHlc, limits, SyncError, type DownMessage, type Tail } from '@rejoin/core'
import { decodeDown, decodeUp, encodeDown, encodeUp } from '../src/index.ts'
import { encodeFrame } from '../src/frames.ts'
import { downMessage, mutated, upMessage } from './arbitraries.ts'
import { hello } from './fixtures.ts'

const stamp = formatHlc({ ms: 1_700_000_000_000, counter: 1, author: 'abcde' })

describe('what was encoded is decoded', () => {
  test('any message up', () => {
    fc.assert(
      fc.property(upMessage, (message) => {
        expect(decodeUp(encodeUp(message))).toEqual(message)
      }),
    )
  })

  test('any message down', () => {
    fc.assert(
      fc.property(downMessage, (message) => {
        expect(decodeDown(encodeDown(message))).toEqual(message)
      }),
    )
  })

  test('a message has one encoding: what decodes, encodes to the same bytes', () => {
    fc.assert(
      fc.property(mutated(downMessage.filter(({ type }) => type !== 'Tail').map(encodeDown)), (bytes) => {
        const message = decodedOrNull(() => decodeDown(bytes))
        fc.pre(message !== null && !isNewerRefusal(message))
        expect(encodeDown(message)).toEqual(bytes)
      }),
      { numRuns: 300 },
    )
  })

  test('updates do not keep the message that brought them', () => {
    const tail: Tail = {
      type: 'Tail',
      cursor: { epoch: 1, seq: 1, tag: '0123456789abcdef' },
      commits: [{ replica: 'AAECAwQFBgcICQoLDA0ODw', counter: 1, update: new Uint8Array(10) }],
    }
    const decoded = decodeDown(encodeDown(tail)) as Tail
    expect(decoded.commits[0]?.update?.buffer.byteLength).toBe(10)
  })
})

describe('[14] foreign bytes', () => {
  test('random ones only ever throw SyncError', () => {
    const payload = fc
      .tuple(
        fc.constantFrom(1, 2, 3, 4, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49),
        fc.uint8Array(),
      )
      .map(([type, rest]) => Uint8Array.from([1, type, ...rest]))
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), payload), (bytes) => {
        decodedOrNull(() => decodeUp(bytes))
        decodedOrNull(() => decodeDown(bytes))
      }),
      { numRuns: 2_000 },
    )
  })

  test('mutated honest ones only ever throw SyncError', () => {
    fc.assert(
      fc.property(mutated(upMessage.map(encodeUp)), (bytes) => void decodedOrNull(() => decodeUp(bytes))),
      { numRuns: 1_000 },
    )
    fc.assert(
      fc.property(
        mutated(downMessage.map(encodeDown)),
        (bytes) => void decodedOrNull(() => decodeDown(bytes)),
      ),
      { numRuns: 1_000 },
    )
  })

  test('every cut of an honest message is refused', () => {
    const whole = encodeUp(hello())
    for (let length = 0; length < whole.length; length++) {
      expectRefused(() => decodeUp(whole.subarray(0, length)), 'MESSAGE_MALFORMED')
    }
  })

  test('trailing bytes are refused', () => {
    expectRefused(() => decodeUp(Uint8Array.from([...encodeUp({ type: 'Bye' }), 0])), 'MESSAGE_MALFORMED')
  })

  test('another version, an unknown type and a message of the other direction are refused by name', () => {
    expectRefused(() => decodeUp(Uint8Array.of(2, 4)), 'PROTOCOL_VERSION')
    expectRefused(() => decodeUp(Uint8Array.of(1, 0x3f)), 'MESSAGE_UNKNOWN')
    expectRefused(() => decodeUp(Uint8Array.of(1, 0x41)), 'MESSAGE_UNKNOWN')
    expectRefused(() => decodeDown(Uint8Array.of(1, 4)), 'MESSAGE_UNKNOWN')
  })

  test.each([
    ['padded', [0x81, 0x00]],
    ['padded with many bytes, which other readers take for NaN', [...Array<number>(160).fill(0x80), 0x01]],
    ['2^53', [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]],
    ['without an end', Array<number>(9).fill(0xff)],
  ])('a number that is %s is refused', (_, number) => {
    // RevisionGap: cursor, floor, head.
    expectRefused(() => decodeDown(Uint8Array.from([1, 0x42, ...number, 0, 0])), 'MESSAGE_MALFORMED')
  })

  test('2^53 - 1 is read', () => {
    const message: DownMessage = { type: 'RevisionGap', cursor: Number.MAX_SAFE_INTEGER, floor: 0, head: 1 }
    expect(decodeDown(encodeDown(message))).toEqual(message)
  })

  test.each([
    ['half a surrogate pair', [0xed, 0xa0, 0x80]],
    ['an overlong form', [0xc0, 0x80]],
    ['a cut character', [0xe2, 0x82]],
  ])('text with %s is refused', (_, bytes) => {
    expectRefused(
      () => decodeDown(Uint8Array.from([1, 0x41, 0, bytes.length, ...bytes])),
      'MESSAGE_MALFORMED',
    )
  })

  test('announced lengths and counts beyond the bytes there are cost nothing', () => {
    const huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]
    expectRefused(() => decodeUp(Uint8Array.from([1, 2, 0, ...huge])), 'MESSAGE_MALFORMED')
    expectRefused(() => decodeUp(Uint8Array.from([1, 3, ...huge])), 'MESSAGE_MALFORMED')
    expectRefused(
      () => decodeDown(Uint8Array.from([1, 0x43, 1, 0, ...Array<number>(8).fill(0), 0, ...huge])),
      'MESSAGE_MALFORMED',
    )
  })

  test('ops that nest deeper than any reader should follow are refused before they are parsed', () => {
    const nested = `[{"type":"Deep","value":${'['.repeat(200_000)}${']'.repeat(200_000)}}]`
    const message = encodeUp({
      type: 'Push',
      epoch: null,
      commits: [
        {
          counter: 1,
          prev: 0,
          hlc: '0'.repeat(14) as never,
          domainVersion: 1,
          ops: [{ type: 'A' }],
          update: new Uint8Array(),
        },
      ],
    })
    const at = message.length - '[{"type":"A"}]'.length - 2
    const length = [(nested.length & 0x7f) | 0x80, ((nested.length >> 7) & 0x7f) | 0x80, nested.length >> 14]
    const bytes = Uint8Array.from([
      ...message.subarray(0, at),
      ...length,
      ...new TextEncoder().encode(nested),
      0,
    ])
    expectRefused(() => decodeUp(bytes), 'MESSAGE_MALFORMED', /nested deeper/)
  })

  test('brackets inside of strings are no nesting', () => {
    const text = `\\"${'[{'.repeat(500)}`
    const push = {
      type: 'Push' as const,
      epoch: 7,
      commits: [
        {
          counter: 1,
          prev: 0,
          hlc: '0'.repeat(14) as never,
          domainVersion: 1,
          ops: [{ type: 'A', text }],
          update: new Uint8Array(),
        },
      ],
    }
    expect(decodeUp(encodeUp(push))).toEqual(push)
  })

  test('CaughtUp has a stamp, or says that there is none, exactly where something is acknowledged', () => {
    const withStamp = encodeDown({ type: 'CaughtUp', cursor: null, ackedCounter: 1, ackedHlc: stamp })
    const without = encodeDown({ type: 'CaughtUp', cursor: null, ackedCounter: 0, ackedHlc: null })
    expect(withStamp.length - without.length).toBe(14)
    const counterAt = 3
    const acked = (bytes: Uint8Array, counter: number) =>
      bytes.map((byte, i) => (i === counterAt ? counter : byte))
    expectRefused(() => decodeDown(acked(withStamp, 0)), 'MESSAGE_MALFORMED', /14 bytes follow/)
    expectRefused(() => decodeDown(acked(without, 1)), 'MESSAGE_MALFORMED', /ends inside ackedHlc/)
    expectRefused(() => decodeDown(withStamp.with(-1, 0x20)), 'MESSAGE_MALFORMED', /HLC stamp/)
    const unknown = encodeDown({ type: 'CaughtUp', cursor: null, ackedCounter: 1, ackedHlc: null })
    expect(unknown.length - without.length).toBe(1)
    expectRefused(() => decodeDown(acked(unknown, 0)), 'MESSAGE_MALFORMED', /1 bytes follow/)
    expect(() => encodeDown({ type: 'CaughtUp', cursor: null, ackedCounter: 0, ackedHlc: stamp })).toThrow(
      /stamp/,
    )
  })

  test('an awareness update above its limit is refused', () => {
    const update = new Uint8Array(limits.awarenessBytesMax + 1)
    expectRefused(() => decodeUp(encodeUp({ type: 'Awareness', update })), 'MESSAGE_MALFORMED')
  })

  test('[3] a level that a reader does not know is refused, not taken for durable', () => {
    const ack: DownMessage = { type: 'Ack', counter: 1, seq: 1, duplicate: false, durability: 'applied' }
    const bytes = encodeDown(ack)
    // What release 0.1 reads: a flag byte that may hold 1 alone, and a path below six.
    expect(bytes.at(-1)).toBe(2)
    expect(() => decodeDown(Uint8Array.from([...bytes.slice(0, -1), 4]))).toThrow('flag that is not known')
    const welcome = encodeDown({ type: 'Welcome', path: 'live', why: '', durability: 'applied' })
    expect(welcome[2]).toBe(0x80)
    expect(() => decodeDown(Uint8Array.from([...welcome.slice(0, 2), 0x40, 0]))).toThrow('path is none')
  })

  test('a code that only a newer hub knows is still a refusal', () => {
    const bytes = encodeDown({ type: 'Closing', code: 'FORBIDDEN', message: 'no', retryAfterMs: null })
    const newer = Uint8Array.from(bytes, (byte, i) => (i === 4 ? 'X'.charCodeAt(0) : byte))
    expect(decodeDown(newer)).toMatchObject({ code: 'HUB_INTERNAL', message: 'XORBIDDEN: no' })
  })
})

describe('lean', () => {
  // A WebSocket's own header: two bytes, and from a client four of mask.
  const up = (payload: Uint8Array) => 6 + encodeFrame({ kind: 'whole', channel: 1, payload }).length
  const down = (payload: Uint8Array) => 2 + encodeFrame({ kind: 'whole', channel: 1, payload }).length
  const cursor = { epoch: 4_503_599_627_370_495, seq: 1_000_000, tag: '0123456789abcdef' }

  test('a greeting with nothing missed takes less than 100 bytes each way, frames included', () => {
    const bytesUp = up(encodeUp(hello('support')))
    const why = 'nothing was missed since 1000000'
    const bytesDown =
      down(encodeDown({ type: 'Welcome', path: 'live', why, durability: 'durable' })) +
      down(encodeDown({ type: 'CaughtUp', cursor, ackedCounter: 100_000, ackedHlc: stamp }))
    expect(bytesUp).toBeLessThan(100)
    expect(bytesDown).toBeLessThan(100)
  })

  test('consecutive commits of one replica name it once', () => {
    const commit = (counter: number, replica = 'AAECAwQFBgcICQoLDA0ODw') => ({
      replica,
      counter,
      update: null,
    })
    const size = (commits: Tail['commits']) => encodeDown({ type: 'Tail', cursor, commits }).length
    expect(size([commit(1), commit(2)]) - size([commit(1)])).toBe(2)
    expect(size([commit(1), commit(2, 'Dw4NDAsKCQgHBgUEAwIBAA')]) - size([commit(1)])).toBe(19)
  })
})

function decodedOrNull<Message>(decode: () => Message): Message | null {
  try {
    return decode()
  } catch (error) {
    if (!(error instanceof SyncError)) throw error
    return null
  }
}

/** Reads otherwise than it was written, on purpose. */
function isNewerRefusal(message: DownMessage): boolean {
  return (message.type === 'Refused' || message.type === 'Closing') && message.code === 'HUB_INTERNAL'
}

function expectRefused(decode: () => unknown, code: string, message = /./): void {
  expect(decode).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }))
}
