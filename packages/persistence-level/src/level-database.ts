/** The databases that stores run on, and what is asked of them: text keys, values as bytes. */
import type { AbstractLevel } from 'abstract-level'

/** Any `abstract-level` database; its own encodings do not matter, since every call here names what it uses. */
export type LevelDatabase = AbstractLevel<string | Buffer | Uint8Array, string, string>

export interface KeyRange {
  readonly gt?: string
  readonly gte?: string
  readonly lt?: string
  readonly lte?: string
}

export type Operation =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: string }
