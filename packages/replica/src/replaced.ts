/**
 * What a commit replaced: the entries that it deleted because its author had seen them. A recommit deletes these and no
 * others, so that what others wrote concurrently stays and is a conflict, whatever became of the document meanwhile.
 */
import {
  entryLine,
  type Commit,
  type Counter,
  type CrdtDocument,
  type Hlc,
  type KeyParts,
  type Write,
} from '@rejoin/core'

/** Entries by their line: the same in every epoch, since a rebuild keeps table, key, value and stamp. */
export type Replaced = ReadonlySet<string>

/** Where an entry stands, by its line. */
export function placeOf(line: string): readonly [table: string, key: KeyParts] {
  return JSON.parse(line) as [string, KeyParts]
}

/** What `writes` stamped with `hlc` are going to replace in a document that their author sees. */
export function replacedBy(document: CrdtDocument, writes: readonly Write[], hlc: Hlc): Replaced {
  const replaced = new Set<string>()
  for (const { table, key } of writes) {
    for (const entry of document.read(table, key)) if (entry.hlc <= hlc) replaced.add(entryLine(entry))
  }
  return replaced
}

/** Applies commits of an earlier run to their base, one by one, and tells what each replaced. */
export function applyOutbox(
  document: CrdtDocument,
  commits: readonly Commit[],
): ReadonlyMap<Counter, Replaced> {
  const replaced = new Map<Counter, Replaced>()
  for (const { id, update } of commits) {
    if (update.length === 0) continue
    const gone = new Set<string>()
    const stop = document.listen((changes) => {
      for (const { before, after } of changes) {
        const left = new Set(after.map(entryLine))
        for (const entry of before) if (!left.has(entryLine(entry))) gone.add(entryLine(entry))
      }
    })
    document.apply([update])
    stop()
    if (gone.size > 0) replaced.set(id.counter, gone)
  }
  return replaced
}
