/**
 * Ports of the document: `CrdtDocument` is what a replica needs of a live one, `CrdtUpdates` what a hub needs of bytes.
 * A document is one root array of entries and nothing else; bytes are in the grammar of DESIGN section 3.
 */
import type { Write } from '../domain/draft.ts'
import type { Entry, Register } from '../entry.ts'
import type { Hlc } from '../hlc.ts'
import type { KeyParts } from '../key.ts'
import type { Registers } from '../reading/registers.ts'

/** A 32-bit number that names one writer of a document; never used twice with different content. */
export type ClientId = number

/** A register before and after a transaction, newest entry first. */
export interface RegisterChange {
  readonly table: string
  readonly key: KeyParts
  readonly before: Register
  readonly after: Register
}

export type ChangeOrigin = 'local' | 'remote'
export type ChangeListener = (changes: readonly RegisterChange[], origin: ChangeOrigin) => void

export interface CrdtDocument extends Registers {
  readonly clientId: ClientId
  /**
   * Carries out writes in one transaction and returns the one update that holds their effect, or null where nothing
   * changed (not one byte). A set deletes the live entries of its key whose HLC is not above `hlc`, and a remove
   * likewise. A recommit says with `seen` which of them its author had seen: the others stay, and are a conflict.
   */
  write(writes: readonly Write[], hlc: Hlc, seen?: (entry: Entry) => boolean): Uint8Array | null
  /**
   * Applies updates in one transaction; listeners hear the net difference once. What is already there changes nothing.
   * @throws SyncError UPDATE_MALFORMED before anything changed when bytes do not read, UPDATE_UNKNOWN_ITEM when they
   * build on items that this document lacks.
   */
  apply(updates: readonly Uint8Array[]): void
  /** The newest HLC among entries this document has seen since it was made or loaded, or null. */
  readonly newestHlc: Hlc | null
  listen(listener: ChangeListener): () => void
  /** The whole document as one update: deterministic for the same history. */
  encode(): Uint8Array
  stateVector(): Uint8Array
  /** Updates that this document could not place; 0 unless something is badly wrong (invariant 1). */
  readonly pendingCount: number
  destroy(): void
}

/** A run of items of one client: clocks `clock` up to but without `clock + length`. */
export interface ItemRange {
  readonly client: ClientId
  readonly clock: number
  readonly length: number
}

/** What an update says, read strictly to its last byte without giving it to Yjs. */
export interface InspectedUpdate {
  /** The items it adds: one contiguous run of one client, or null for an update that only deletes. */
  readonly inserted: ItemRange | null
  /** The entries it adds, in order; as many as `inserted` is long. */
  readonly entries: readonly Entry[]
  /** The item that the first new one follows, or null at the start of an empty document. */
  readonly origin: { readonly client: ClientId; readonly clock: number } | null
  readonly deleted: readonly ItemRange[]
}

/** One client's items in a state update: one contiguous chain, of which some may be deleted. */
export interface InspectedSection {
  readonly inserted: ItemRange
  /** The item that the first one follows; null where that is its client's own one before it, or the start of a document. */
  readonly origin: { readonly client: ClientId; readonly clock: number } | null
}

/** What a state update says: the parts of a document that another one lacks. */
export interface InspectedState {
  /** In falling order of client, each once. */
  readonly sections: readonly InspectedSection[]
  /** The entries that it holds alive; they may be deleted by `deleted` all the same. */
  readonly entries: readonly Entry[]
  readonly deleted: readonly ItemRange[]
}

/** How much a state update may say; each costs memory while it is read. */
export interface StateBounds {
  readonly runsMax?: number
  readonly deleteRangesMax?: number
}

/** A document made anew from its live entries: the same bytes and digest for everyone who holds the same ones. */
export interface RebuiltDocument {
  /** Sorted entries under one reserved client id. */
  readonly snapshot: Uint8Array
  /** Hexadecimal SHA-256 of the live entries, as `digest` gives it. */
  readonly digest: string
}

/** What of a snapshot is alive and what is left of the dead; a rebuild keeps the first and drops the second. */
export interface DocumentWeight {
  /** Bytes of live entries. */
  readonly liveBytes: number
  /** All other bytes. */
  readonly deadBytes: number
  readonly liveStructs: number
  /** Runs of deleted items. */
  readonly deadStructs: number
  /**
   * Runs that a search for the places of all first items passes, in the worst order that they may come in: what many clients
   * that began at one place cost whoever reads them.
   */
  readonly scanSteps: number
}

/** Next clock by client: which items a document holds. */
export type ClientClocks = ReadonlyMap<ClientId, number>

/** What one peer shows of itself. */
export interface PresenceState {
  readonly client: ClientId
  /** Rises with each state that its peer says. */
  readonly clock: number
  /** JSON of an object, or `null` for a peer that left. */
  readonly json: string
}

export interface CrdtUpdates {
  /**
   * Reads the update of one commit strictly. Cost follows the bytes, never the document.
   * @throws SyncError UPDATE_MALFORMED or UPDATE_DISALLOWED.
   */
  inspect(update: Uint8Array): InspectedUpdate
  /**
   * Reads a state update strictly, e.g. one that `diff` made: as `inspect`, but of several clients, and with items of which
   * nothing is left but that they were. What it builds on and does not hold itself is for the caller to know.
   * @throws SyncError UPDATE_MALFORMED or UPDATE_DISALLOWED; UPDATE_UNKNOWN_ITEM for items that wait for each other.
   */
  inspectState(update: Uint8Array, bounds?: StateBounds): InspectedState
  /** The state vector of a document with these clocks, as `diff` reads it. */
  stateVector(clocks: ClientClocks): Uint8Array
  /** Reads a state vector of strangers. @throws SyncError UPDATE_MALFORMED */
  readStateVector(stateVector: Uint8Array): ClientClocks
  /**
   * What of a state update that `inspectState` has read is not known yet: its items from `clocks` on, and `deleted` in place
   * of all that it deletes, in falling order of client and rising order of clock.
   */
  trim(update: Uint8Array, clocks: ClientClocks, deleted: readonly ItemRange[]): Uint8Array
  /** An update that holds nothing, but makes a document's state vector say that it has these items, from clock 0 on. */
  filler(client: ClientId, length: number): Uint8Array
  /** Reads what peers present, strictly. @throws SyncError MESSAGE_MALFORMED */
  readPresence(update: Uint8Array): readonly PresenceState[]
  /** The bytes of that. */
  encodePresence(states: readonly PresenceState[]): Uint8Array
  /**
   * One snapshot of all of `parts`, through a document that collects garbage. Parts are trusted and complete: each
   * builds only on those before it.
   */
  compact(parts: readonly Uint8Array[]): Uint8Array
  /**
   * One update that says what all of `updates` say. No document is made, so deleted content stays in it, and they need not
   * be complete. Cost grows with the square of their number.
   * @throws SyncError UPDATE_MALFORMED, UPDATE_DISALLOWED; INPUT_INVALID for more than `limits.mergeUpdatesMax`.
   */
  merge(updates: readonly Uint8Array[]): Uint8Array
  /**
   * What a document with this state vector lacks of the one that `parts` make: its newer items, and every deletion, since
   * a state vector does not tell which of those are known.
   * @throws SyncError UPDATE_MALFORMED
   */
  diff(parts: readonly Uint8Array[], stateVector: Uint8Array): Uint8Array
  /** Next clock by client of a snapshot. */
  clocks(snapshot: Uint8Array): ClientClocks
  /** Hexadecimal SHA-256 of the live entries of the document that `parts` make, independent of its history. */
  digest(parts: readonly Uint8Array[]): string
  /** The document that `parts` make, rebuilt from its live entries alone in canonical form. */
  rebuild(parts: readonly Uint8Array[]): RebuiltDocument
  /** What a rebuild of this snapshot would save. No document is made. */
  weigh(snapshot: Uint8Array): DocumentWeight
}

/** Presence of the people at a document: ephemeral, never logged (y-protocols awareness). */
export interface CrdtAwareness {
  /** Our own state, or null to leave. Values are JSON. */
  setLocal(state: unknown): void
  /** States by client id, our own included. */
  states(): ReadonlyMap<ClientId, unknown>
  /** Applies a peer's bytes. @throws SyncError MESSAGE_MALFORMED */
  apply(update: Uint8Array): void
  /**
   * Says again that we are here, and forgets peers that have not said so since the call before the last one. For a clock
   * of the caller to call every `limits.heartbeatMs`: presence has no timer of its own.
   */
  renew(): void
  /** What to send when our own state changes; called at once with nothing. */
  onUpdate(listener: (update: Uint8Array) => void): () => void
  onChange(listener: () => void): () => void
  destroy(): void
}

export interface Crdt {
  /** A document that will write under `clientId`, holding `updates`. Same errors as `CrdtDocument.apply`. */
  open(clientId: ClientId, updates: readonly Uint8Array[]): CrdtDocument
  awareness(clientId: ClientId): CrdtAwareness
  readonly updates: CrdtUpdates
}

/** The one client id that rebuilt documents are written under; no replica may use it. */
export const REBUILD_CLIENT_ID: ClientId = 1
/** Replicas draw theirs from here up to 2^32 - 1. */
export const CLIENT_ID_MIN: ClientId = 1024
