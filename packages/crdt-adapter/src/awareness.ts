/**
 * Presence through y-protocols: `CrdtAwareness`. What peers send is read strictly before y-protocols sees it, its size and
 * the number of peers are bounded, and y-protocols' own timer is off: `renew` does its work when the caller's clock says so.
 */
import { createEncoder, toUint8Array, writeVarString, writeVarUint } from 'lib0/encoding'
import {
  applyAwarenessUpdate,
  Awareness,
  encodeAwarenessUpdate,
  removeAwarenessStates,
} from 'y-protocols/awareness'
import * as Y from 'yjs'
import {
  asSyncError,
  canonicalValue,
  limits,
  SyncError,
  type ClientId,
  type CrdtAwareness,
  type PresenceState,
} from '@rejoin/core'
import { ByteReader } from './byte-reader.ts'

/** Peers known at a time; further ones are left out until others leave. */
const PEERS_MAX = limits.presencePerRoomMax
const CLIENT_MAX = 2 ** 32 - 1
/** Bytes of the smallest state: client, clock and the text `{}`. */
const STATE_BYTES_MIN = 5

export class YjsAwareness implements CrdtAwareness {
  readonly #awareness: Awareness
  readonly #clientId: ClientId
  /** Peers heard of since the last `renew`, and between the two before it. */
  #heard = new Set<ClientId>()
  #heardBefore = new Set<ClientId>()

  constructor(clientId: ClientId) {
    this.#clientId = clientId
    const doc = new Y.Doc({ guid: 'awareness' })
    doc.clientID = clientId
    this.#awareness = new Awareness(doc)
    // It reads the wall clock every three seconds and keeps a process alive; `renew` does the same when it is told.
    clearInterval(this.#awareness._checkInterval)
    this.#awareness.setLocalState(null)
  }

  /** @throws SyncError VALUE_INVALID for anything but null or an object that fits a message. */
  setLocal(state: unknown): void {
    if (state === null) {
      if (this.#awareness.getLocalState() !== null) this.#awareness.setLocalState(null)
      return
    }
    const value = canonicalValue(state, 'state', limits.awarenessBytesMax / 2)
    if (!isState(value))
      throw new SyncError('VALUE_INVALID', 'presence is an object or null', { path: 'state' })
    this.#awareness.setLocalState(value)
  }

  states(): ReadonlyMap<ClientId, unknown> {
    return new Map(this.#awareness.getStates())
  }

  apply(update: Uint8Array): void {
    const states = readStates(update)
    for (const state of states) if (state.client === this.#clientId) this.#hearOfOurselves(state)
    const peers = this.#admit(states.filter(({ client }) => client !== this.#clientId))
    for (const { client } of peers) this.#heard.add(client)
    applyAwarenessUpdate(this.#awareness, encodeStates(peers), 'remote')
  }

  renew(): void {
    const state = this.#awareness.getLocalState()
    if (state !== null) this.#awareness.setLocalState(state)
    const silent = [...this.#awareness.states.keys()].filter(
      (client) => client !== this.#clientId && !this.#heard.has(client) && !this.#heardBefore.has(client),
    )
    removeAwarenessStates(this.#awareness, silent, 'silent')
    this.#heardBefore = this.#heard
    this.#heard = new Set()
  }

  onUpdate(listener: (update: Uint8Array) => void): () => void {
    const listen = (_: unknown, origin: unknown): void => {
      if (origin === 'local') listener(encodeAwarenessUpdate(this.#awareness, [this.#clientId]))
    }
    this.#awareness.on('update', listen)
    return () => this.#awareness.off('update', listen)
  }

  onChange(listener: () => void): () => void {
    const listen = (): void => listener()
    this.#awareness.on('change', listen)
    return () => this.#awareness.off('change', listen)
  }

  /** Leaves: listeners hear a last update where we had a state. */
  destroy(): void {
    this.setLocal(null)
    this.#awareness.doc.destroy()
  }

  /** Our own state comes back, from a peer that knew us before or gave us up: our next one must count as newer. */
  #hearOfOurselves({ clock, json }: PresenceState): void {
    const meta = this.#awareness.meta.get(this.#clientId)
    if (meta === undefined || clock < meta.clock) return
    meta.clock = clock
    const state = this.#awareness.getLocalState()
    if (json === 'null' && state !== null) this.#awareness.setLocalState(state)
  }

  /** The states of peers that are known or for which there is room. */
  #admit(peers: readonly PresenceState[]): readonly PresenceState[] {
    const { meta, states } = this.#awareness
    if (meta.size + peers.length > PEERS_MAX) {
      for (const known of meta.keys()) if (!states.has(known) && known !== this.#clientId) meta.delete(known)
    }
    let room = PEERS_MAX - meta.size
    return peers.filter(({ client, json }) => meta.has(client) || (json !== 'null' && room-- > 0))
  }
}

/** @throws SyncError MESSAGE_MALFORMED */
export function readStates(update: Uint8Array): readonly PresenceState[] {
  try {
    if (update.length > limits.awarenessBytesMax) {
      throw new SyncError('MESSAGE_MALFORMED', `awareness is larger than ${limits.awarenessBytesMax} bytes`)
    }
    const reader = new ByteReader(update, 'awareness')
    const states: PresenceState[] = []
    for (let left = reader.count(STATE_BYTES_MIN); left > 0; left--) {
      const client = reader.uint(CLIENT_MAX)
      // One is added to a clock to say something newer.
      const clock = reader.uint(Number.MAX_SAFE_INTEGER - 1)
      const state: unknown = JSON.parse(reader.text())
      if (state !== null && !isState(state)) throw reader.malformed('a state is no object')
      states.push({ client, clock, json: JSON.stringify(canonicalValue(state)) })
    }
    reader.end()
    return states
  } catch (error) {
    const { message } = asSyncError(error, 'MESSAGE_MALFORMED', 'awareness holds no JSON')
    throw new SyncError('MESSAGE_MALFORMED', message, { cause: error })
  }
}

export function encodeStates(states: readonly PresenceState[]): Uint8Array {
  const encoder = createEncoder()
  writeVarUint(encoder, states.length)
  for (const { client, clock, json } of states) {
    writeVarUint(encoder, client)
    writeVarUint(encoder, clock)
    writeVarString(encoder, json)
  }
  return toUint8Array(encoder)
}

function isState(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
