/** Frames: bodies cut at any place, frames of any kind, and fragments put together again. */
import { VirtualClock } from '@rejoin/testkit'
import { FrameStream, prefixed } from '../../../packages/transport/src/frame-stream.ts'
import { hashOf, Reassembly } from '../../../packages/transport/src/assembly.ts'
import { decodeFrame, encodeFrame, type Frame } from '../../../packages/transport/src/frames.ts'
import type { Seeded } from '../../support/seeded.ts'
import { struck } from '../strange-bytes.ts'
import { attempt, hex, type Progress, type Target } from '../target.ts'

/** Also of fragments that nobody finishes. */
const MESSAGE_BYTES_MAX = 64 * 1024

export const frames: Target = {
  name: 'frames',
  inputs: 2_000,
  growthBytesMax: 8 * 2 ** 20,
  run(random, progress) {
    for (let n = 0; n < frames.inputs; n++) {
      const honest = join(
        Array.from({ length: random.whole(1, 5) }, () => prefixed(encodeFrame(someFrame(random)))),
      )
      const body = random.chance(0.9) ? struck(random, honest) : honest
      progress.begin(() => hex(body))
      attempt(progress, () => readBody(random, body, progress))
      progress.over()
    }
  },
}

function readBody(random: Seeded, body: Uint8Array, progress: Progress): void {
  const stream = new FrameStream()
  const reassembly = new Reassembly(new VirtualClock(1), MESSAGE_BYTES_MAX, () => {})
  try {
    for (let at = 0; at < body.length;) {
      const length = random.pick([1, 2, 7, body.length])
      stream.push(body.subarray(at, at + length))
      at += length
      for (let bytes = stream.next(); bytes !== null; bytes = stream.next()) {
        const frame = decodeFrame(bytes)
        if (frame.kind !== 'first' && frame.kind !== 'further') continue
        const whole = reassembly.add(frame)
        if (whole !== null) progress.ended(`whole message`)
      }
    }
    stream.end()
    progress.ended('read')
  } finally {
    reassembly.dropAll()
  }
}

function someFrame(random: Seeded): Frame {
  const channel = random.pick([1, 2, 127, 128, 2 ** 31])
  const payload = Uint8Array.from({ length: random.whole(0, 40) }, () => random.whole(0, 255))
  switch (random.whole(0, 5)) {
    case 0:
      return { kind: 'whole', channel, payload }
    case 1: {
      const total = random.chance(0.7) ? payload.length : random.pick([0, 5_000, MESSAGE_BYTES_MAX, 2 ** 40])
      return { kind: 'first', channel, total, hash: hashOf(payload), payload }
    }
    case 2:
      return { kind: 'further', channel, payload }
    case 3:
      return { kind: 'end', channel }
    case 4:
      return { kind: 'close', channel, reason: { code: 'HUB_CLOSING', message: 'bye' } }
    default:
      return { kind: 'beat', channel: 0 }
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}
