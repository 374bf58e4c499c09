/**
 * A hub's channel whose messages are measured before the hub sees them: pushes above the rate are refused with RATE_LIMITED
 * and when to come back, so they stay in their outbox; presence above it is dropped; anything else closes the channel, and so
 * does a greeting for a namespace that has too many channels. A greeting waits, in `drained`, while too much waits for its
 * principal, and a channel that is not read is then behind, whatever waits on itself.
 */
import { limits, SyncError, type HubChannel, type Push, type UpMessage } from '@rejoin/core'
import type { Excess, Meter } from './rates.ts'
import { BEHIND_BYTES, SendingTurn, type SendingBounds } from './sending-turn.ts'

export interface ChannelBounds extends SendingBounds {
  /** Counts a channel of a namespace until the returned function is called. @throws SyncError RATE_LIMITED */
  readonly join: (namespace: string) => () => void
}

export function meteredChannel(channel: HubChannel, meter: Meter, bounds: ChannelBounds): HubChannel {
  const turn = new SendingTurn(channel.closed, bounds)
  let hasJoined = false
  let bytesCounted = 0
  /** Commits and messages turned away since others had their turn: more may be there at once. */
  let turnedAway = 0
  const weigh = (message: UpMessage): Excess | null => {
    const { bytesUp } = channel.bill
    const bytes = bytesUp - bytesCounted
    bytesCounted = bytesUp
    if (message.type !== 'Push') return meter.take({ messages: 1, bytes, commits: 0 })
    return meter.takeAnswered({ messages: 1, bytes, commits: message.commits.length })
  }
  return {
    oneShot: channel.oneShot,
    closed: channel.closed,
    get backlogBytes() {
      return turn.tell() ? Math.max(channel.backlogBytes, BEHIND_BYTES) : channel.backlogBytes
    },
    get bill() {
      return channel.bill
    },
    send: (message) => {
      channel.send(message)
      if (message.type === 'CaughtUp') turn.answered()
      // Nothing else is what a turn is taken for: what is said before that is little, and the document is yet to be read.
      else if (message.type === 'Snapshot' || message.type === 'Tail' || message.type === 'Rebuild')
        turn.over()
    },
    drained: async () => {
      await turn.ready()
      await channel.drained()
    },
    end: () => channel.end(),
    close: (reason) => channel.close(reason),
    receive: async () => {
      // Who was behind is heard again; a greeting may not be answered yet: what a hub has lost it asks for first.
      turn.goesOn()
      for (;;) {
        const message = await channel.receive()
        // Whoever leaves is not kept.
        if (message === null || message.type === 'Bye') return message
        const excess = weigh(message)
        if (excess === null && message.type === 'Hello' && !hasJoined) {
          hasJoined = true
          if (!enters(channel, () => bounds.join(message.namespace))) return null
          turn.ask()
        }
        if (excess === null) return message
        if (message.type === 'Push') refuse(channel, message, excess)
        else if (message.type !== 'Awareness') {
          shut(channel, tooFast(excess))
          return null
        }
        turnedAway += message.type === 'Push' ? message.commits.length : 1
        if (turnedAway >= limits.pushCommitsMax) {
          turnedAway = 0
          await meter.clock.sleep(0)
        }
        // Each refusal is sent: who does not read them is not heard any further.
        if (channel.backlogBytes > limits.backlogBytesMax) await channel.drained()
      }
    },
  }
}

function refuse(channel: HubChannel, { commits }: Push, excess: Excess): void {
  const { code, message, retryAfterMs } = tooFast(excess)
  for (const { counter } of commits) {
    channel.send({ type: 'Refused', counter, code, message, path: null, retryable: true, retryAfterMs })
  }
}

/** Whether it found a place, which it keeps until it is closed. */
function enters(channel: HubChannel, join: () => () => void): boolean {
  try {
    const leave = join()
    void channel.closed.then(leave)
    return true
  } catch (error) {
    if (!(error instanceof SyncError)) throw error
    shut(channel, error)
    return false
  }
}

function shut(channel: HubChannel, { code, message, retryAfterMs }: SyncError): void {
  channel.send({ type: 'Closing', code, message, retryAfterMs })
  channel.close({ code, message })
}

function tooFast({ of, retryAfterMs }: Excess): SyncError {
  return new SyncError('RATE_LIMITED', `too many ${of} in a short time: try again in ${retryAfterMs} ms`, {
    retryAfterMs,
  })
}
