/** `rejoin verify`: everything that can be said of the folder of a hub or a replica that is not running. */
import type { Command } from 'commander'
import { withoutDamageAdvice } from '@rejoin/core'
import type { VerifyReport } from '@rejoin/hub'
import type { ReplicaVerifyReport } from '@rejoin/replica'
import { verifyFolder, type FolderReport } from '../../wiring/verifying.ts'
import { namespaceArgument, requireFolder, type FolderOptions } from '../options.ts'
import { bytesText, countText, openOutput, tellLosses, type Streams } from '../output.ts'
import { Refusal } from '../refusal.ts'

interface VerifyOptions extends FolderOptions {
  readonly namespace?: string
}

export function addVerify(program: Command, streams: Streams): void {
  program
    .command('verify')
    .requiredOption('--data <dir>', 'data folder of a hub or a replica, or a backup; nobody may have it open')
    .option('--namespace <name>', 'which namespace (default: every one)', namespaceArgument)
    .option('--json', 'print one JSON document')
    .description('check everything in a folder: checksums, order, commit ids, checkpoint, cursor, content')
    .addHelpText('after', '\nExample:\n  rejoin verify --data ./hub')
    .action(async (options: VerifyOptions) => {
      const output = openOutput(streams, options.json === true)
      requireFolder(options.data)
      const report = await verifyFolder(options.data, options.namespace)
      if (report.found !== null) tellLosses(output, report.found, options.data, report.kind)
      output.result(documentsOf(report), sentencesOf(report))
      if (!isSound(report)) throw new Refusal('faults were found')
    })
}

export function isSound({ fault, namespaces }: FolderReport): boolean {
  return fault === null && namespaces.every(({ faults }) => faults.length === 0)
}

/** One a namespace; what is wrong with the folder as a whole has no namespace. */
function documentsOf({ fault, namespaces }: FolderReport): readonly object[] {
  return fault === null ? namespaces : [{ namespace: null, faults: [{ message: fault }] }, ...namespaces]
}

function sentencesOf(report: FolderReport): string {
  const lines =
    report.fault === null ? [] : [`the folder as a whole: 1 FAULT\n  ${withoutDamageAdvice(report.fault)}`]
  if (report.kind === 'hub') lines.push(...report.namespaces.map(hubSentences))
  else lines.push(...report.namespaces.map(replicaSentences))
  return lines.length === 0 ? `the ${report.kind} holds no namespace yet` : lines.join('\n')
}

export function hubSentences(report: VerifyReport): string {
  const { records, commits, head, floor, checkpointSeq, digest } = report
  const checkpoint = checkpointSeq === null ? 'no checkpoint' : `checkpoint at ${checkpointSeq}`
  const counts = `${countText(records, 'record')} with ${countText(commits, 'commit')}`
  const what = `${counts}, from ${floor} to ${head}, ${checkpoint}, digest ${digest ?? 'none'}`
  return [
    `${report.namespace}: ${stateText(report)}; ${what}`,
    ...report.faults.map(
      ({ seq, message }) => `  ${seq === null ? '' : `at ${seq}: `}${withoutDamageAdvice(message)}`,
    ),
  ].join('\n')
}

export function replicaSentences(report: ReplicaVerifyReport): string {
  const { values, bytes, outbox, rejected, cursor, digest, domain } = report
  const place = cursor === null ? 'never exchanged' : `seq ${cursor.seq} of epoch ${cursor.epoch}`
  const waiting = `${countText(outbox, 'commit')} waiting and ${rejected} rejected`
  const what = `${countText(values, 'value')}, ${bytesText(bytes)}, ${place}, ${waiting}, domain ${domain ?? 'unknown'}`
  return [
    `${report.namespace}: ${stateText(report)}; ${what}, digest ${digest ?? 'none'}`,
    ...report.faults.map(({ message }) => `  ${withoutDamageAdvice(message)}`),
  ].join('\n')
}

function stateText({ faults }: VerifyReport | ReplicaVerifyReport): string {
  return faults.length === 0 ? 'sound' : countText(faults.length, 'FAULT')
}
