/** `rejoin rejected list`, `discard` and `resubmit`: commits that the hub refused for good, kept until somebody says what to do. */
import type { Command } from 'commander'
import { parseHlc, type AnyOp, type RejectedCommit } from '@rejoin/core'
import { usingReplica, withDomain, withReplica, type ReplicaOptions } from '../options.ts'
import { commitJson, withCommit, type CommitOptions } from '../commit.ts'
import { openOutput, opsText, timeText, type Streams } from '../output.ts'
import { parseOps, readInput } from '../ops-input.ts'

interface ResubmitOptions extends CommitOptions {
  readonly ops?: string
}

export function addRejected(program: Command, streams: Streams): void {
  const rejected = program
    .command('rejected')
    .description('commits that the hub refused: list, discard or resubmit them')
  withDomain(withReplica(rejected.command('list'), 'reads'))
    .description('commits that the hub refused, with their ops and the reason')
    .addHelpText('after', '\nExample:\n  rejoin rejected list --data ./laptop --namespace support')
    .action(async (options: ReplicaOptions) => {
      const output = openOutput(streams, options.json === true)
      const list = await usingReplica(options, { use: 'reads', output }, async (replica) => replica.rejected)
      output.result(
        list.map(({ commit, code, message, path }) => ({ ...commitJson(commit), code, message, path })),
        list.length === 0 ? 'no rejected commits' : list.map(rejectedSentence).join('\n'),
      )
    })
  withCommit(rejected.command('discard'), 'rejected list')
    .description('forget a rejected commit for good')
    .addHelpText(
      'after',
      '\nExample:\n  rejoin rejected discard --data ./laptop --namespace support --commit 3',
    )
    .action(async (options: CommitOptions) => {
      const output = openOutput(streams, options.json === true)
      await usingReplica(options, { use: 'reads', output }, async (replica) => {
        await replica.discard(options.commit)
        const remaining = replica.status.rejected
        output.result({ discarded: options.commit, remaining }, `discarded ${options.commit}`)
      })
    })
  withCommit(rejected.command('resubmit'), 'rejected list')
    .option('--ops <file>', 'ops in place of its own, a JSON array; - reads standard input')
    .description("apply a rejected commit's ops anew, or others in their place, and forget it")
    .addHelpText(
      'after',
      '\nExample:\n  rejoin rejected resubmit --data ./laptop --namespace support --commit 3 --ops ./corrected.json',
    )
    .action(async (options: ResubmitOptions) => {
      const output = openOutput(streams, options.json === true)
      const ops = options.ops === undefined ? undefined : parseOps(await readInput(options.ops))
      await usingReplica(options, { use: 'reads', output }, async (replica) => {
        const receipt = replica.resubmit(options.commit, ops as readonly never[] | undefined)
        await receipt.saved
        // Where nothing was left to do it was only forgotten, and that is to be durable too.
        await replica.flush()
        const commit = receipt.kind === 'commit' ? receipt.id.counter : null
        output.result(
          { resubmitted: options.commit, commit, remaining: replica.status.rejected },
          commit === null
            ? `${options.commit} changes nothing any more; it is forgotten`
            : `resubmitted ${options.commit} as ${commit}; it goes out with the next sync`,
        )
      })
    })
}

export function rejectedSentence({ commit, code, message }: RejectedCommit): string {
  const ops: readonly AnyOp[] = commit.ops
  return `${commit.id.counter}  ${timeText(parseHlc(commit.hlc).ms)}  ${opsText(ops)}: ${message} [${code}]`
}
