/**
 * A subject is one kind of document that the workload is given to: Rejoin's, or one that people would use instead. Each is
 * run in a process of its own, so that heaps do not mix.
 */
import type { Pair } from '../workload.ts'

export const subjectNames = ['rejoin', 'y-map', 'y-key-value', 'loro'] as const
export type SubjectName = (typeof subjectNames)[number]

export interface BenchDocument {
  /** Sets every pair in one commit. */
  commit(pairs: readonly Pair[]): void
  encode(): Uint8Array
  /** The value of one key. */
  get(key: readonly string[]): unknown
  /** Reads every row whose key starts with `first` and says how many there are. */
  countUnder(first: string): number
  close(): void
}

/** One document that many writers take turns on: what each of them holds after hearing all. */
export interface SharedDocument {
  commitAs(writer: number, pairs: readonly Pair[]): void
  encode(): Uint8Array
  /** Does what this kind of document does about its own dead weight; false where it does nothing. */
  tidy(): boolean
  /** As if somebody asked for it now: bytes afterwards, or null where there is no such thing. */
  tidied(): Uint8Array | null
  close(): void
}

export interface Subject {
  /** With what it is made of: `yjs 13.6.33`. */
  readonly version: string
  /** `bytes` come from `encode` of the same subject. */
  open(bytes?: Uint8Array): BenchDocument
  openShared(): SharedDocument
}

/** @throws Error when a peer is not installed. */
export async function subjectOf(name: SubjectName): Promise<Subject> {
  switch (name) {
    case 'rejoin':
      return (await import('./rejoin.ts')).rejoin
    case 'y-map':
      return (await import('./y-map.ts')).yMap
    case 'y-key-value':
      return await (await import('./y-key-value.ts')).openYKeyValue()
    case 'loro':
      return await (await import('./loro.ts')).openLoro()
  }
}
