/** Commits of the local replica, as the commands name and show them: by their number in it. */
import type { Command } from 'commander'
import { commitName, parseHlc, type Commit, type Counter } from '@rejoin/core'
import { withDomain, withReplica, wholeNumber, type ReplicaOptions } from './options.ts'

export interface CommitOptions extends ReplicaOptions {
  readonly commit: Counter
}

/** @param list the command that shows the numbers. */
export function withCommit(command: Command, list: string): Command {
  return withDomain(withReplica(command, 'reads')).requiredOption(
    '--commit <number>',
    `the commit's number, as \`${list}\` shows it`,
    wholeNumber,
  )
}

export function commitJson({ id, hlc, domainVersion, ops }: Commit) {
  return { commit: id.counter, id: commitName(id), at: parseHlc(hlc).ms, domainVersion, ops }
}
