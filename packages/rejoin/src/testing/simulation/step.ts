/**
 * The steps of a simulated history. Each is small, means something by itself, and fits any moment, so that any of them can
 * be left out; `step-line.ts` says each in one line. Whoever is named and not running is started first.
 */
import type { AnyOp } from '@rejoin/core'
import type { SimulatedDiskState } from './simulated-disk.ts'
import type { WireDirection } from './simulated-network.ts'

/** Index of a replica: of all namespaces, in the order they were made; counted round and round. */
type Who = { readonly who: number }
/** Index of a hub, counted round and round. */
type AtHub = { readonly hub: number }
/** Index of a namespace, counted round and round. */
type Where = { readonly where: number }

/** What chance draws in it is drawn from this; where it is left out, from what was drawn before. */
interface Drawn {
  readonly draws?: number
}

export type SimulatedStep = Drawn & SimulatedAct

type SimulatedAct =
  /** One commit. `instead`: tried once where `ops` are refused, such as the same with the parent that they lack. */
  | ({ readonly kind: 'apply'; readonly ops: readonly AnyOp[]; readonly instead?: readonly AnyOp[] } & Who)
  /** `pick`: which of the conflicts. `choice`: which of its values; an orphan is restored by an even one and dropped else. */
  | ({ readonly kind: 'resolve'; readonly pick: number; readonly choice: number } & Who)
  | ({ readonly kind: 'undo' | 'redo' } & Who)
  /** `pick`: which commit of the outbox, or which of the rejected ones. */
  | ({ readonly kind: 'withdraw' | 'discard' | 'resubmit'; readonly pick: number } & Who)
  /** Begins an exchange; while it is live, of the live session. `waits`: until it has ended, or for 40 s. */
  | ({ readonly kind: 'sync'; readonly via: 'live' | 'one-shot'; readonly waits: boolean } & Who)
  | ({ readonly kind: 'connect' | 'disconnect' } & Who)
  /** So many parcels arrive, of the network and of slow disks. */
  | { readonly kind: 'deliver'; readonly parcels: number }
  /** Time passes, and what can arrive arrives. */
  | { readonly kind: 'pass'; readonly ms: number }
  /** Nothing passes in that direction, and nobody is told. */
  | ({ readonly kind: 'partition'; readonly direction: WireDirection } & Who)
  | ({ readonly kind: 'heal' } & Who)
  /** The live connection breaks, now or after so many more parcels; who does not hear of it goes on believing in it. */
  | ({
      readonly kind: 'cut'
      readonly heardBy: 'both' | 'replica' | 'hub'
      readonly after: number
    } & Who)
  /** What a replica said on a dead connection: the rest of it arrives now, or all of it once more beside its live one. */
  | ({ readonly kind: 'late'; readonly what: 'rest' | 'again' } & Who)
  /** Of a one-shot exchange under way. */
  | ({ readonly kind: 'strike'; readonly direction: 'up' | 'down'; readonly how: 'lost' | 'twice' } & Who)
  /** The process is killed; with `power` its machine goes off, and nobody hears of it. `stays`: until it is started. */
  | ({ readonly kind: 'kill'; readonly power: boolean; readonly stays: boolean } & Who)
  | ({ readonly kind: 'killHub'; readonly power: boolean; readonly stays: boolean } & AtHub)
  /** Ends in the ordinary way, and is started again. */
  | ({ readonly kind: 'close' } & Who)
  | ({ readonly kind: 'closeHub' } & AtHub)
  | ({ readonly kind: 'start' } & Who)
  | ({ readonly kind: 'startHub' } & AtHub)
  | ({ readonly kind: 'disk'; readonly state: SimulatedDiskState } & Who)
  | ({ readonly kind: 'hubDisk'; readonly state: SimulatedDiskState } & AtHub)
  /** Its wall clock is so far ahead from now on, or stands still. */
  | ({ readonly kind: 'clock'; readonly aheadMs: number; readonly stands: boolean } & Who)
  | ({ readonly kind: 'hubClock'; readonly aheadMs: number; readonly stands: boolean } & AtHub)
  /** The log is folded, and only the newest commits are kept as a tail. */
  | ({ readonly kind: 'checkpoint' } & Where & AtHub)
  /** By a hub as it serves, or by another process behind its back. */
  | ({ readonly kind: 'rebuild'; readonly by: 'hub' | 'another' } & Where & AtHub)
  | { readonly kind: 'backUp' }
  /** The hubs start again over the newest backup. `marked`: by the book. */
  | { readonly kind: 'restore'; readonly marked: boolean }
  /** The namespace is deleted for good. */
  | ({ readonly kind: 'delete' } & Where)
  /** `schema`: the next so many commits are refused for good. `auth`: it may not write until it is allowed to. */
  | ({ readonly kind: 'refuse'; readonly why: 'schema' | 'auth'; readonly commits: number } & Who)
  | ({ readonly kind: 'allow' } & Who)
  /** A copy of its folder is opened, beside it, as a replica more. */
  | ({ readonly kind: 'copy' } & Who)
  /** A backup is made of its folder. */
  | ({ readonly kind: 'keep' } & Who)
  /** That backup is put in the place of its folder. */
  | ({ readonly kind: 'putBack' } & Who)
  /** A new replica comes. */
  | ({ readonly kind: 'join' } & Where)

export type SimulatedStepKind = SimulatedAct['kind']
