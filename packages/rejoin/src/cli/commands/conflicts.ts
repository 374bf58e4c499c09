/** `rejoin conflicts list` and `resolve`: what was written concurrently, by whom and when, and the choice made. */
import { createHash } from 'node:crypto'
import { Option, type Command } from 'commander'
import { SyncError, type Conflict } from '@rejoin/core'
import { usingReplica, withDomain, withReplica, wholeNumber, type ReplicaOptions } from '../options.ts'
import { openOutput, timeText, type Streams } from '../output.ts'

interface ResolveOptions extends ReplicaOptions {
  readonly id: string
  readonly choose?: number
  readonly restore?: boolean
  readonly drop?: boolean
}

export function addConflicts(program: Command, streams: Streams): void {
  const conflicts = program.command('conflicts').description('list conflicts and orphans, or resolve one')
  withDomain(withReplica(conflicts.command('list'), 'reads'))
    .description('concurrent values of one key, and rows whose parent is gone')
    .addHelpText('after', '\nExample:\n  rejoin conflicts list --data ./laptop --namespace support')
    .action(async (options: ReplicaOptions) => {
      const output = openOutput(streams, options.json === true)
      const list = await usingReplica(options, { use: 'reads', output }, async (replica) =>
        replica.conflicts(),
      )
      output.result(
        list.map((conflict) => ({ id: conflictId(conflict), ...conflict })),
        list.length === 0 ? 'no conflicts' : list.map(conflictSentences).join('\n\n'),
      )
    })
  withDomain(withReplica(conflicts.command('resolve'), 'reads'))
    .requiredOption('--id <id>', 'the conflict, as `conflicts list` names it')
    .addOption(
      new Option('--choose <number>', 'keep this value, counted from 1 as listed')
        .argParser(wholeNumber)
        .conflicts(['restore', 'drop']),
    )
    .addOption(
      new Option(
        '--restore',
        'bring back the rows an orphan belongs under; what they held besides stays removed',
      ).conflicts(['choose', 'drop']),
    )
    .addOption(new Option('--drop', 'remove an orphan').conflicts(['choose', 'restore']))
    .description('choose one value, or restore or drop an orphan; an ordinary commit that replicates')
    .addHelpText(
      'after',
      '\nExample:\n  rejoin conflicts resolve --data ./laptop --namespace support --id 1f0c9a52 --choose 2',
    )
    .action(async (options: ResolveOptions, command: Command) => {
      if (options.choose === undefined && options.restore !== true && options.drop !== true) {
        command.error('error: say how: --choose N, --restore or --drop')
      }
      const output = openOutput(streams, options.json === true)
      await usingReplica(options, { use: 'reads', output }, async (replica) => {
        const conflict = replica.conflicts().find((candidate) => conflictId(candidate) === options.id)
        if (conflict === undefined) {
          throw new SyncError(
            'INPUT_INVALID',
            `there is no conflict ${options.id}: \`rejoin conflicts list\` shows those there are`,
          )
        }
        const receipt = replica.resolve(conflict, resolutionOf(conflict, options))
        await receipt.saved
        output.result(
          { resolved: options.id, remaining: replica.conflicts().length },
          `resolved ${options.id}`,
        )
      })
    })
}

function resolutionOf(conflict: Conflict, options: ResolveOptions) {
  if (conflict.kind === 'orphan') {
    if (options.restore === true) return { kind: 'restore' } as const
    if (options.drop === true) return { kind: 'drop' } as const
    throw new SyncError('INPUT_INVALID', `${options.id} is an orphan: --restore its parent or --drop it`)
  }
  if (options.choose === undefined) {
    const why = `${options.id} has values to --choose from; --restore and --drop are for orphans`
    throw new SyncError('INPUT_INVALID', why)
  }
  const choice = conflict.choices[options.choose - 1]
  if (choice === undefined) {
    throw new SyncError(
      'INPUT_INVALID',
      `${options.id} has values 1 to ${conflict.choices.length}: --choose one of them`,
    )
  }
  return { kind: 'choose', value: choice.value } as const
}

/** Eight digits that name a conflict on every replica, as long as it lasts. */
export function conflictId({ kind, table, key, field }: Conflict): string {
  return createHash('sha256')
    .update(JSON.stringify([kind, table, key, field]))
    .digest('hex')
    .slice(0, 8)
}

export function conflictSentences(conflict: Conflict): string {
  const where = [conflict.table, ...conflict.key, ...(conflict.field === null ? [] : [conflict.field])].join(
    ' / ',
  )
  const choices = conflict.choices.map(
    ({ value, author, at }, i) =>
      `  ${i + 1}. ${JSON.stringify(value)}  by ${author} at ${timeText(at)}${i === 0 && conflict.kind === 'concurrent' ? '  (read)' : ''}`,
  )
  const head =
    conflict.kind === 'concurrent'
      ? `${conflictId(conflict)}  ${where}: ${choices.length} values written concurrently`
      : `${conflictId(conflict)}  ${where}: hidden, since ${conflict.parent.table} / ${conflict.parent.key.join(' / ')} was removed`
  return [head, ...choices].join('\n')
}
