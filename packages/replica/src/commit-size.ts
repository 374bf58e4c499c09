/** An upper bound of what a commit will weigh, taken before the document is touched: a refusal must leave no trace. */
import {
  limits,
  SyncError,
  utf8Length,
  type AnyOp,
  type KeyParts,
  type Registers,
  type Value,
  type Write,
} from '@rejoin/core'

/** Tag and length of one value in Yjs bytes, at most. */
const VALUE_HEAD_BYTES = 6
/** A stamp, its head, and the head of the array an entry is. */
const ENTRY_BYTES = 14 + 2 * VALUE_HEAD_BYTES
/** Clock and length of one deleted range, and a client section where it is the only one of its client. */
const DELETE_BYTES = 24
const UPDATE_HEAD_BYTES = 64

/** @throws SyncError COMMIT_TOO_LARGE */
export function checkCommitSize(ops: readonly AnyOp[], writes: readonly Write[], registers: Registers): void {
  let sets = 0
  let deletes = 0
  let bytes = utf8Length(JSON.stringify(ops)) + UPDATE_HEAD_BYTES
  for (const write of writes) {
    deletes += registers.read(write.table, write.key).length
    if (write.kind === 'remove') continue
    sets++
    bytes += ENTRY_BYTES + keyBytes(write.table, write.key) + valueBytes(write.value)
  }
  bytes += deletes * DELETE_BYTES
  const excess =
    bytes > limits.commitBytesMax
      ? `would take up to ${bytes} bytes, of ${limits.commitBytesMax}`
      : sets > limits.updateEntriesMax
        ? `writes ${sets} entries, of ${limits.updateEntriesMax}`
        : deletes > limits.updateDeleteRangesMax
          ? `deletes ${deletes} entries, of ${limits.updateDeleteRangesMax}`
          : null
  if (excess === null) return
  throw new SyncError('COMMIT_TOO_LARGE', `the commit ${excess}: apply its ops as several commits`, {
    path: 'ops',
  })
}

function keyBytes(table: string, key: KeyParts): number {
  return key.reduce(
    (sum, part) => sum + VALUE_HEAD_BYTES + utf8Length(part),
    VALUE_HEAD_BYTES + utf8Length(table),
  )
}

/** A number takes nine bytes at most. */
function valueBytes(value: Value): number {
  if (typeof value === 'string') return VALUE_HEAD_BYTES + utf8Length(value)
  if (typeof value !== 'object' || value === null) return 10
  const parts = Array.isArray(value) ? (value as readonly Value[]) : Object.values(value)
  const names = Array.isArray(value) ? [] : Object.keys(value)
  return (
    VALUE_HEAD_BYTES +
    names.reduce((sum, name) => sum + VALUE_HEAD_BYTES + utf8Length(name), 0) +
    parts.reduce<number>((sum, part) => sum + valueBytes(part), 0)
  )
}
