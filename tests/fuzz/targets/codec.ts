/** The wire codec: messages both ways, and the messages of y-protocols. What reads has one encoding, and says what it says. */
import { isDeepStrictEqual } from 'node:util'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { VirtualClock } from '@rejoin/testkit'
import { decodeDown, decodeUp, encodeDown, encodeUp } from '@rejoin/transport'
import { decodePlain } from '../../../packages/transport/src/server/yjs-messages.ts'
import type { Seeded } from '../../support/seeded.ts'
import { someHistory } from '../author.ts'
import { someDownMessage, someUpMessage, strangeMessage } from '../messages.ts'
import { numBytes, struck } from '../strange-bytes.ts'
import { attempt, hex, type Progress, type Target } from '../target.ts'

export const codec: Target = {
  name: 'codec',
  inputs: 4_000,
  growthBytesMax: 8 * 2 ** 20,
  run(random, progress) {
    const updates = someHistory(random, new VirtualClock(1), 20)
    for (let n = 0; n < codec.inputs; n++) {
      const kind = random.whole(0, 8)
      if (kind < 4) runUp(random, updates, progress)
      else if (kind < 8) runDown(random, updates, progress)
      else runPlain(random, updates, progress)
      progress.over()
    }
  },
}

function runUp(random: Seeded, updates: readonly Uint8Array[], progress: Progress): void {
  const bytes = strangeBytes(random, someUpMessage(random, updates), encodeUp)
  progress.begin(() => `up ${hex(bytes)}`)
  const message = attempt(progress, () => decodeUp(bytes))
  if (message === null) return
  progress.ended(`read ${message.type}`)
  // The text of ops may be written with other spaces; what it says is the same.
  if (!isDeepStrictEqual(decodeUp(encodeUp(message)), message))
    throw new Error(`${message.type} is not what it was`)
}

function runDown(random: Seeded, updates: readonly Uint8Array[], progress: Progress): void {
  const bytes = strangeBytes(random, someDownMessage(random, updates), encodeDown)
  progress.begin(() => `down ${hex(bytes)}`)
  const message = attempt(progress, () => decodeDown(bytes))
  if (message === null) return
  progress.ended(`read ${message.type}`)
  if (!isDeepStrictEqual(decodeDown(encodeDown(message)), message)) {
    throw new Error(`${message.type} is not what it was`)
  }
}

/** What `y-websocket` would say, and the bytes inside of it, which are read strictly as well. */
function runPlain(random: Seeded, updates: readonly Uint8Array[], progress: Progress): void {
  const update = random.pick(updates)
  const vector = yjsCrdt.updates.stateVector(
    new Map([
      [5_000, 7],
      [1_024, 3],
    ]),
  )
  const inner = random.pick([update, vector])
  const head = random.pick([[0, 0], [0, 1], [0, 2], [1], [3], [2, 0], [random.whole(0, 255)]])
  const honest = Uint8Array.from([...head, ...numBytes(inner.length), ...inner])
  const bytes = random.chance(0.8) ? struck(random, honest) : honest
  progress.begin(() => `plain ${hex(bytes)}`)
  const message = attempt(progress, () => decodePlain(bytes))
  if (message === null) return
  progress.ended(`read ${message.type}`)
  const { updates: crdt } = yjsCrdt
  if (message.type === 'SyncStep1') attempt(progress, () => crdt.readStateVector(message.stateVector))
  if (message.type === 'Awareness') attempt(progress, () => crdt.readPresence(message.update))
}

/** Of a message with strange members where those can be written at all, struck afterwards or not. */
function strangeBytes<Message extends object>(
  random: Seeded,
  honest: Message,
  encode: (message: Message) => Uint8Array,
): Uint8Array {
  const whole = encode(honest)
  if (random.chance(0.5)) return struck(random, whole)
  try {
    const strange = encode(strangeMessage(random, honest) as Message)
    return random.chance(0.3) ? struck(random, strange) : strange
  } catch {
    // No writer can say that.
    return struck(random, whole)
  }
}
