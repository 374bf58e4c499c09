/**
 * A hub and its server's channels without a network: peers that read nothing until they are let go, so that what is held for
 * them can be counted to the byte.
 */
import { EventEmitter } from 'node:events'
import {
  replicaIdOf,
  type Clock,
  type Cursor,
  type HubChannel,
  type ReplicaChannel,
  type SignIn,
  type UpMessage,
} from '@rejoin/core'
import { anyone, type Hub } from '@rejoin/hub'
import type { WebSocket } from 'ws'
import { meteredChannel } from '../../packages/transport/src/server/metered-channel.ts'
import type { Peers, Seat } from '../../packages/transport/src/server/peers.ts'
import { YjsChannel } from '../../packages/transport/src/server/yjs-channel.ts'
import { decodePlain } from '../../packages/transport/src/server/yjs-messages.ts'
import { hubConnection, replicaConnection } from '../../packages/transport/src/sides.ts'
import type { Socket, SocketHandler } from '../../packages/transport/src/socket.ts'
import { socketOf } from '../../packages/transport/src/websocket-node.ts'

export const NAMESPACE = 'archive'

export interface StalledPeer {
  /** Bytes that were sent to it and that it has not read: those that the network would have, too. */
  readonly heldBytes: number
  /** From now on it reads, what waits first. */
  read(): void
  /** Updates that it has read. */
  readonly updates: readonly Uint8Array[]
  readonly isClosed: boolean
}

export interface StalledWorld {
  readonly hub: Hub
  readonly peers: Peers
  readonly clock: Clock
}

/** A replica without a base, which has greeted. */
export class StalledReplica implements StalledPeer {
  readonly updates: Uint8Array[] = []
  cursor: Cursor | null = null
  readonly #wire = new Wire()
  readonly #channels: HubChannel[] = []

  constructor({ hub, peers, clock }: StalledWorld, principal: string, number: number) {
    const seat = seatOf(peers, principal)
    let backlogBytes = 0
    const join = (): (() => void) => () => {}
    const bounds = { join, greetings: seat.greetings, connectionBacklogBytes: () => backlogBytes }
    hubConnection(
      socketOf(this.#wire.webSocket),
      clock,
      (channel) => {
        this.#channels.push(channel)
        void hub.accept(meteredChannel(channel, seat.meter, bounds), anyone)
      },
      {
        onBacklog: (bytes) => {
          backlogBytes += bytes
          seat.greetings.changed(bytes)
        },
      },
    )
    const channel = replicaConnection(this.#wire.peer, clock, {}, 'plain').open()
    channel.send(helloOf(number))
    void this.#receive(channel)
  }

  get heldBytes(): number {
    return this.#channels.reduce((sum, { backlogBytes }) => sum + backlogBytes, 0)
  }

  get isClosed(): boolean {
    return this.#wire.isClosed
  }

  read(): void {
    this.#wire.read()
  }

  async #receive(channel: ReplicaChannel): Promise<void> {
    for (let message = await channel.receive(); message !== null; message = await channel.receive()) {
      if (message.type === 'Snapshot') this.updates.push(message.snapshot)
      if (message.type === 'Tail')
        for (const { update } of message.commits) if (update !== null) this.updates.push(update)
      if (message.type === 'Snapshot' || message.type === 'Tail') this.cursor = message.cursor
    }
  }
}

/** A plain Yjs client with an empty document, which has asked for all of it. */
export class StalledPlainClient implements StalledPeer {
  readonly #wire = new Wire()

  constructor({ hub, peers, clock }: StalledWorld, principal: string) {
    const channel = new YjsChannel(this.#wire.webSocket, clock, seatOf(peers, principal))
    void hub.acceptPlain(channel, { namespace: NAMESPACE, domain: null, domainVersion: null }, anyone)
    this.#wire.peer.send(Uint8Array.of(0, 0, 1, 0), () => {})
  }

  get heldBytes(): number {
    return this.#wire.heldBytes
  }

  get updates(): readonly Uint8Array[] {
    return this.#wire.frames
      .map((frame) => decodePlain(frame))
      .flatMap((message) =>
        message.type === 'Update' || message.type === 'SyncStep2' ? [message.update] : [],
      )
  }

  get isClosed(): boolean {
    return this.#wire.isClosed
  }

  read(): void {
    this.#wire.read()
  }
}

function seatOf(peers: Peers, id: string): Seat {
  const signIn: SignIn = { id, expiresAt: null, revoked: new AbortController().signal }
  return peers.enter(signIn, '10.0.0.1')
}

function helloOf(number: number): UpMessage {
  const replica = new Uint8Array(16)
  new DataView(replica.buffer).setUint32(0, number)
  return {
    type: 'Hello',
    namespace: NAMESPACE,
    domain: 'intents',
    domainVersion: 1,
    replica: replicaIdOf(replica),
    cursor: null,
    ackedCounter: 0,
    capabilities: ['delta'],
  }
}

/** The hub's WebSocket, and the socket at the other end of it. What comes down waits until it is read. */
class Wire {
  /** What was read. */
  readonly frames: Uint8Array[] = []
  readonly webSocket: WebSocket
  readonly peer: Socket
  isClosed = false
  readonly #waiting: { readonly frame: Uint8Array; readonly taken: () => void }[] = []
  #isReading = false
  #handler: SocketHandler | null = null

  constructor() {
    const events = new EventEmitter()
    const close = (): void => void (this.isClosed = true)
    const far = {
      send: (frame: Uint8Array, _options: unknown, taken: () => void): void => {
        this.#waiting.push({ frame, taken })
        if (this.#isReading) queueMicrotask(() => this.#take())
      },
      close,
      terminate: close,
      pause: () => {},
      resume: () => {},
    }
    // What a channel needs of it.
    this.webSocket = Object.assign(events, far) as unknown as WebSocket
    this.peer = {
      pausable: true,
      send: (frame, taken) => {
        events.emit('message', Buffer.from(frame), true)
        queueMicrotask(taken)
      },
      close,
      pause: () => {},
      resume: () => {},
      handle: (handler) => (this.#handler = handler),
    }
  }

  get heldBytes(): number {
    return this.#waiting.reduce((sum, { frame }) => sum + frame.length, 0)
  }

  read(): void {
    this.#isReading = true
    this.#take()
  }

  #take(): void {
    for (const { frame, taken } of this.#waiting.splice(0)) {
      this.frames.push(frame)
      this.#handler?.frame(frame)
      taken()
    }
  }
}
