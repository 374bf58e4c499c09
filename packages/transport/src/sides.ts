/** The two sides of a connection: which messages each sends and receives, and how large they may be. */
import {
  limits,
  type Clock,
  type CloseReason,
  type DownMessage,
  type HubChannel,
  type UpMessage,
} from '@rejoin/core'
import { decodeDown, decodeUp, encodeDown, encodeUp } from './codec/codec.ts'
import { Connection } from './connection.ts'
import type { Socket } from './socket.ts'
import { unpackDown, withOffer } from './unpacking.ts'

export interface ConnectionHooks {
  readonly onIdle?: () => void
  readonly onClosed?: (reason: CloseReason) => void
  readonly onFault?: (error: unknown) => void
  readonly hold?: (bytes: number) => void
  readonly onBacklog?: (bytes: number) => void
  readonly oneShot?: boolean
}

function withDefaults(hooks: ConnectionHooks): Required<ConnectionHooks> {
  return {
    onIdle: () => {},
    onClosed: () => {},
    onFault: () => {},
    hold: () => {},
    onBacklog: () => {},
    oneShot: false,
    ...hooks,
  }
}

/**
 * A replica's side: `open()` gives `ReplicaChannel`s.
 * @param snapshots 'plain' where packing them would only cost, since no network is between; packed ones are read all the same.
 */
export function replicaConnection(
  socket: Socket,
  clock: Clock,
  hooks: ConnectionHooks = {},
  snapshots: 'packed' | 'plain' = 'packed',
): Connection<UpMessage, DownMessage> {
  return new Connection({
    socket,
    clock,
    side: 'replica',
    encode: (message) => encodeUp(snapshots === 'packed' ? withOffer(message) : message),
    decode: decodeDown,
    unpack: unpackDown,
    messageBytesMax: limits.messageDownBytesMax,
    lost: 'HUB_UNREACHABLE',
    onChannel: null,
    ...withDefaults(hooks),
  })
}

/** A hub's side: `accept` gets each channel with its first frame. */
export function hubConnection(
  socket: Socket,
  clock: Clock,
  accept: (channel: HubChannel) => void,
  hooks: ConnectionHooks = {},
): Connection<DownMessage, UpMessage> {
  return new Connection({
    socket,
    clock,
    side: 'hub',
    encode: encodeDown,
    decode: decodeUp,
    unpack: null,
    messageBytesMax: limits.messageUpBytesMax,
    lost: 'CHANNEL_CLOSED',
    onChannel: accept,
    ...withDefaults(hooks),
  })
}
