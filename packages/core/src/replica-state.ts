/** The states of a replica's connection, as a total table: what is not in it cannot happen. */
export type ReplicaState = 'offline' | 'connecting' | 'catchingUp' | 'live' | 'refused' | 'closed'
export type ReplicaEvent = 'connect' | 'connected' | 'caughtUp' | 'disconnected' | 'refused' | 'close'

const transitions: Record<ReplicaState, Record<ReplicaEvent, ReplicaState>> = {
  offline: {
    connect: 'connecting',
    connected: 'offline',
    caughtUp: 'offline',
    disconnected: 'offline',
    refused: 'refused',
    close: 'closed',
  },
  connecting: {
    connect: 'connecting',
    connected: 'catchingUp',
    caughtUp: 'connecting',
    disconnected: 'offline',
    refused: 'refused',
    close: 'closed',
  },
  catchingUp: {
    connect: 'catchingUp',
    connected: 'catchingUp',
    caughtUp: 'live',
    disconnected: 'offline',
    refused: 'refused',
    close: 'closed',
  },
  live: {
    connect: 'live',
    connected: 'live',
    caughtUp: 'live',
    disconnected: 'offline',
    refused: 'refused',
    close: 'closed',
  },
  // A hub that refused for good is asked again only when the app says so.
  refused: {
    connect: 'connecting',
    connected: 'refused',
    caughtUp: 'refused',
    disconnected: 'refused',
    refused: 'refused',
    close: 'closed',
  },
  closed: {
    connect: 'closed',
    connected: 'closed',
    caughtUp: 'closed',
    disconnected: 'closed',
    refused: 'closed',
    close: 'closed',
  },
}

export function nextReplicaState(state: ReplicaState, event: ReplicaEvent): ReplicaState {
  return transitions[state][event]
}
