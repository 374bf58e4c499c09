/** Which commits a record of the log holds: for who takes one out of a store, and must say what it was. */
import { commitName } from '@rejoin/core'
import { decodeRecord } from './record.ts'

/** Their names; empty for a record that holds none. @throws SyncError STORE_CORRUPT or FORMAT_TOO_NEW */
export function loggedCommits(body: Uint8Array, where: string): readonly string[] {
  const { record } = decodeRecord(body, where)
  return record.kind === 'commits' ? record.commits.map(({ id }) => commitName(id)) : []
}
