/** `rejoin repair`: restores what can be restored in the folder of a hub or a replica that is not running. */
import type { Command } from 'commander'
import { unreachable, withoutDamageAdvice } from '@rejoin/core'
import type { RepairedNamespace, RepairReport } from '../../wiring/repair-report.ts'
import { repairFolder } from '../../wiring/repairing.ts'
import { loadDomains, namespaceArgument, requireFolder, withDomain, type FolderOptions } from '../options.ts'
import { countText, openOutput, type Streams } from '../output.ts'
import { Refusal } from '../refusal.ts'

interface RepairOptions extends FolderOptions {
  readonly namespace?: string
  readonly discard?: boolean
  readonly from?: string
  readonly report?: string
}

export function addRepair(program: Command, streams: Streams): void {
  withDomain(program.command('repair'))
    .requiredOption('--data <dir>', 'data folder of a hub or a replica; nobody may have it open')
    .option('--namespace <name>', 'which namespace (default: every one)', namespaceArgument)
    .option('--discard', 'drop what cannot be kept, once it is saved beside the folder')
    .option('--from <dir>', "data folder of a replica that brings back what a hub's log has lost")
    .option('--report <file>', 'where the report goes (default: beside the folder)')
    .option('--json', 'print one JSON document')
    .description('restore what can be restored of a damaged folder, and write a report')
    .addHelpText(
      'after',
      [
        '',
        'Examples:',
        '  rejoin repair --data ./hub                             what needs nothing to be dropped',
        '  rejoin repair --data ./hub --discard --from ./laptop   the rest, brought back by a replica',
        '  rejoin repair --data ./laptop --discard                a replica, whose content comes with the next sync',
      ].join('\n'),
    )
    .action(async (options: RepairOptions) => {
      const output = openOutput(streams, options.json === true)
      const { data, namespace, discard, from, report: place } = options
      requireFolder(data)
      if (from !== undefined) requireFolder(from)
      const domains = await loadDomains(options.domain)
      const report = await repairFolder(data, {
        ...(namespace === undefined ? {} : { namespace }),
        ...(discard === undefined ? {} : { discard }),
        ...(from === undefined ? {} : { from: { data: from, domains } }),
        domains,
        ...(place === undefined ? {} : { report: place }),
      })
      for (const remark of report.remarks) output.warning(remark)
      output.result(report, sentencesOf(report))
      const isLeft = report.namespaces.some(({ outcome }) => outcome !== 'whole' && outcome !== 'repaired')
      if (isLeft || report.healed.some(({ error }) => error !== null)) throw new Refusal('something is left')
    })
}

function sentencesOf({ namespaces, healed, report, salvage }: RepairReport): string {
  return [
    ...namespaces.map(namespaceSentences),
    ...(namespaces.length === 0 ? ['the folder holds no namespace'] : []),
    ...healed.map(healedSentence),
    ...(salvage === null ? [] : [`what was taken out is in ${salvage}`]),
    `report: ${report}`,
  ].join('\n')
}

function healedSentence({ namespace, outcome, error }: RepairReport['healed'][number]): string {
  if (error !== null)
    return `${namespace}: the replica could not heal it: ${withoutDamageAdvice(error.message)} [${error.code}]`
  return outcome === 'healed'
    ? `${namespace}: the hub has all that the replica had of it`
    : `${namespace}: the hub has lost nothing that the replica has`
}

function namespaceSentences({
  namespace,
  outcome,
  faults,
  steps,
  commits,
  advice,
}: RepairedNamespace): string {
  const would = outcome === 'needs discard' ? 'would ' : ''
  return [
    `${namespace ?? 'the folder as a whole'}: ${outcomeText(outcome)}`,
    ...faults.map((fault) => `  damaged: ${withoutDamageAdvice(fault)}`),
    ...steps.map((step) => `  ${would}${step}`),
    ...(commits.length === 0
      ? []
      : [`  ${countText(commits.length, 'commit')} concerned: ${namesText(commits)}`]),
    ...(advice === null ? [] : [`  now: ${advice}`]),
  ].join('\n')
}

function outcomeText(outcome: RepairedNamespace['outcome']): string {
  switch (outcome) {
    case 'whole':
      return 'nothing to repair'
    case 'repaired':
      return 'repaired'
    case 'needs discard':
      return 'NOT REPAIRED: something would have to be dropped'
    case 'impossible':
      return 'CANNOT BE REPAIRED'
    default:
      return unreachable(outcome)
  }
}

/** The report has all of them. */
function namesText(names: readonly string[]): string {
  const shown = names.slice(0, 10).join(', ')
  return names.length > 10 ? `${shown}, …` : shown
}
