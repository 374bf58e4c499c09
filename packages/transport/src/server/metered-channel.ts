/**
 * A hub's channel whose messages are measured before the hub sees them: pushes above the rate are refused with RATE_LIMITED
 * and when to come back, so they stay in their outbox; presence above it is dropped; anything else closes the channel.
 */
import { limits, SyncError, type HubChannel, type Push, type UpMessage } from '@rejoin/core'
import type { Excess, Meter } from './rates.ts'

export function meteredChannel(channel: HubChannel, meter: Meter): HubChannel {
  let bytesCounted = 0
  const weigh = (message: UpMessage): Excess | null => {
    const { bytesUp } = channel.bill
    const bytes = bytesUp - bytesCounted
    bytesCounted = bytesUp
    return meter.take({ messages: 1, bytes, commits: message.type === 'Push' ? message.commits.length : 0 })
  }
  return {
    oneShot: channel.oneShot,
    closed: channel.closed,
    get backlogBytes() {
      return channel.backlogBytes
    },
    get bill() {
      return channel.bill
    },
    send: (message) => channel.send(message),
    drained: () => channel.drained(),
    end: () => channel.end(),
    close: (reason) => channel.close(reason),
    receive: async () => {
      for (;;) {
        const message = await channel.receive()
        // Whoever leaves is not kept.
        if (message === null || message.type === 'Bye') return message
        const excess = weigh(message)
        if (excess === null) return message
        if (message.type === 'Push') refuse(channel, message, excess)
        else if (message.type !== 'Awareness') {
          shut(channel, excess)
          return null
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

function shut(channel: HubChannel, excess: Excess): void {
  const { code, message, retryAfterMs } = tooFast(excess)
  channel.send({ type: 'Closing', code, message, retryAfterMs })
  channel.close({ code, message })
}

function tooFast({ of, retryAfterMs }: Excess): SyncError {
  return new SyncError('RATE_LIMITED', `too many ${of} in a short time: try again in ${retryAfterMs} ms`, {
    retryAfterMs,
  })
}
