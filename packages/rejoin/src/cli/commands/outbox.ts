/** `rejoin outbox list` and `withdraw`: commits that the hub has not taken yet, and taking back one that was not sent. */
import type { Command } from 'commander'
import { parseHlc } from '@rejoin/core'
import type { OutboxCommit } from '@rejoin/replica'
import { commitJson, withCommit, type CommitOptions } from '../commit.ts'
import { usingReplica, withDomain, withReplica, type ReplicaOptions } from '../options.ts'
import { openOutput, opsText, timeText, type Streams } from '../output.ts'

export function addOutbox(program: Command, streams: Streams): void {
  const outbox = program
    .command('outbox')
    .description('commits that wait for the hub: list them, or withdraw one')
  withDomain(withReplica(outbox.command('list'), 'reads'))
    .description('commits not yet acknowledged, in order, each with how far it is')
    .addHelpText('after', '\nExample:\n  rejoin outbox list --data ./laptop --namespace support')
    .action(async (options: ReplicaOptions) => {
      const output = openOutput(streams, options.json === true)
      const list = await usingReplica(options, { use: 'reads', output }, async (replica) => replica.outbox)
      output.result(
        list.map((commit) => ({ ...commitJson(commit), stage: commit.stage })),
        list.length === 0 ? 'nothing waits' : list.map(outboxSentence).join('\n'),
      )
    })
  withCommit(outbox.command('withdraw'), 'outbox list')
    .description('take back a commit that was not sent yet, as if it had never been made')
    .addHelpText(
      'after',
      '\nExample:\n  rejoin outbox withdraw --data ./laptop --namespace support --commit 3',
    )
    .action(async (options: CommitOptions) => {
      const output = openOutput(streams, options.json === true)
      await usingReplica(options, { use: 'reads', output }, async (replica) => {
        await replica.withdraw(options.commit)
        const { pending, rejected } = replica.status
        output.result({ withdrawn: options.commit, pending, rejected }, `withdrew ${options.commit}`)
      })
    })
}

function outboxSentence(commit: OutboxCommit): string {
  return `${commit.id.counter}  ${timeText(parseHlc(commit.hlc).ms)}  ${opsText(commit.ops)}: ${stageText(commit.stage)}`
}

function stageText(stage: OutboxCommit['stage']): string {
  switch (stage) {
    case 'unsaved':
      return 'not saved yet'
    case 'saved':
      return 'saved here alone, it can be withdrawn'
    case 'sent':
      return 'sent, or it may have been'
    case 'acked':
      return 'the hub has it, and has not sent it back yet'
  }
}
