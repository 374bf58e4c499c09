/** An update taken apart along its grammar, where every number may be other bytes, and written again as it stands then. */
import { readStateUpdate } from '../../packages/crdt-adapter/src/update-reader.ts'
import { anyBytes, numBytes, textBytes, type Num } from './strange-bytes.ts'

export interface Id {
  client: Num
  clock: Num
}

export interface Struct {
  /** The bits beside the kind of content. */
  flags: number
  kind: number
  origin: Id | null
  right: Id | null
  root: string
  /** What it announces, and what there is: parts of entries, each a value's bytes. */
  count: Num | null
  entries: (readonly number[])[][]
  /** In place of entries. */
  content: readonly number[] | null
}

export interface Section {
  count: Num | null
  client: Num
  clock: Num
  structs: Struct[]
}

export interface Deletes {
  client: Num
  count: Num | null
  ranges: { clock: Num; length: Num }[]
}

export interface UpdateTree {
  sectionCount: Num | null
  sections: Section[]
  deleteCount: Num | null
  deletes: Deletes[]
  rest: readonly number[]
}

export const HAS_ORIGIN = 0x80
export const HAS_RIGHT_ORIGIN = 0x40
export const HAS_PARENT_SUB = 0x20

export function treeOf(honest: Uint8Array): UpdateTree {
  const { sections, deleted } = readStateUpdate(honest)
  const deletes: Deletes[] = []
  for (const { client, clock, length } of deleted) {
    const last = deletes.at(-1)
    if (last?.client === client) last.ranges.push({ clock, length })
    else deletes.push({ client, count: null, ranges: [{ clock, length }] })
  }
  return {
    sectionCount: null,
    sections: sections.map(({ client, clock, runs }) => ({
      count: null,
      client,
      clock,
      structs: runs.map(({ origin, entries, length }) => ({
        flags: origin === null ? 0 : HAS_ORIGIN,
        kind: entries === null ? 1 : 8,
        origin: origin === null ? null : { ...origin },
        right: null,
        root: 'entries',
        count: null,
        entries: (entries ?? []).map(({ table, key, value, hlc }) =>
          [table, ...key, value, hlc].map((part) => anyBytes(part)),
        ),
        content: entries === null ? numBytes(length) : null,
      })),
    })),
    deleteCount: null,
    deletes,
    rest: [],
  }
}

export function treeBytes({ sectionCount, sections, deleteCount, deletes, rest }: UpdateTree): Uint8Array {
  const out: number[] = []
  const put = (bytes: readonly number[]): void => {
    for (const byte of bytes) out.push(byte)
  }
  put(numBytes(sectionCount ?? sections.length))
  for (const section of sections) {
    put(numBytes(section.count ?? section.structs.length))
    put(numBytes(section.client))
    put(numBytes(section.clock))
    for (const struct of section.structs) putStruct(put, struct)
  }
  put(numBytes(deleteCount ?? deletes.length))
  for (const { client, count, ranges } of deletes) {
    put(numBytes(client))
    put(numBytes(count ?? ranges.length))
    for (const { clock, length } of ranges) {
      put(numBytes(clock))
      put(numBytes(length))
    }
  }
  put(rest)
  return Uint8Array.from(out)
}

function putStruct(put: (bytes: readonly number[]) => void, struct: Struct): void {
  const { flags, kind, origin, right, root, count, entries, content } = struct
  put([flags | kind])
  // A collected struct and a skipped range have nothing but their length.
  if (kind !== 0 && kind !== 10) {
    for (const id of [origin, right]) {
      if (id === null) continue
      put(numBytes(id.client))
      put(numBytes(id.clock))
    }
    if (origin === null && right === null) {
      put([1])
      put(textBytes(root))
      if ((flags & HAS_PARENT_SUB) !== 0) put(textBytes('field'))
    }
  }
  if (content !== null) return put(content)
  put(numBytes(count ?? entries.length))
  for (const parts of entries) {
    put([117])
    put(numBytes(parts.length))
    for (const part of parts) put(part)
  }
}
