/** Bugs of what passes between replica and hub, and of the clock that waits for it. */
import type { DownMessage, ReplicaChannel, UpMessage } from '@rejoin/core'
import { withMembers } from 'rejoin/testing'
import type { Mutant } from './mutant.ts'

export const channelMutants: readonly Mutant[] = [
  {
    name: "a tail leaves out its receiver's own commits",
    foundBy: [1, 4, 6, 21, 24],
    ports: () => ({
      channel: (channel) => {
        const said = listening(channel)
        return hearing(said.channel, (message) =>
          message.type === 'Tail'
            ? { ...message, commits: message.commits.filter(({ replica }) => replica !== said.replica()) }
            : message,
        )
      },
    }),
  },
  {
    name: 'CaughtUp acknowledges one commit too many',
    foundBy: [3, 4],
    ports: () => ({
      channel: (channel) =>
        hearing(channel, (message) =>
          message.type === 'CaughtUp' && message.ackedCounter > 0
            ? { ...message, ackedCounter: message.ackedCounter + 1, ackedHlc: null }
            : message,
        ),
    }),
  },
  {
    name: 'a live tail is skipped, but its cursor is not',
    foundBy: [1, 21],
    ports: () => ({
      channel: (channel) => {
        let isLive = false
        return hearing(channel, (message) => {
          if (message.type === 'CaughtUp') isLive = true
          const skips =
            isLive && message.type === 'Tail' && message.commits.every(({ update }) => update !== null)
          return skips ? { ...message, commits: [] } : message
        })
      },
    }),
  },
  {
    name: 'a refusal reads as an acknowledgement',
    foundBy: [3, 4],
    ports: () => ({
      channel: (channel) =>
        hearing(channel, (message) =>
          message.type === 'Refused' && message.counter !== null && !message.retryable
            ? { type: 'Ack', counter: message.counter, seq: 1, duplicate: false, durability: 'durable' }
            : message,
        ),
    }),
  },
  {
    name: 'a pause before a reconnect never ends',
    foundBy: [21],
    ports: () => ({
      clock: (clock, whose) => (whose === 1 ? { ...clock, sleep: () => new Promise(() => {}) } : clock),
    }),
  },
]

function hearing(channel: ReplicaChannel, change: (message: DownMessage) => DownMessage): ReplicaChannel {
  return withMembers(channel, {
    receive: async () => {
      const message = await channel.receive()
      return message === null ? null : change(message)
    },
  })
}

/** The channel, and whose it is, as its greeting says. */
function listening(channel: ReplicaChannel): { channel: ReplicaChannel; replica: () => string | null } {
  let replica: string | null = null
  const send = (message: UpMessage): void => {
    if (message.type === 'Hello') ({ replica } = message)
    channel.send(message)
  }
  return { channel: withMembers(channel, { send }), replica: () => replica }
}
