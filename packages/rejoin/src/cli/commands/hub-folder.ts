/** `rejoin log`, `checkpoint`, `rebuild`, `verify`: on the folder of a hub that is not running. */
import { Option, type Command } from 'commander'
import { parseHlc, type HubStore, type Namespace, type Seq } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import {
  openHub,
  readLog,
  rebuildNamespace,
  verifyNamespace,
  type ReadCommit,
  type VerifyReport,
} from '@rejoin/hub'
import { openHubFolder } from '@rejoin/persistence-level/node'
import { systemClock } from '../../wiring/system-clock.ts'
import { namespaceArgument, requireFolder, wholeNumber, withFolder, type FolderOptions } from '../options.ts'
import { bytesText, countText, openOutput, opsText, timeText, type Streams } from '../output.ts'
import { Refusal } from '../refusal.ts'

interface HubFolderOptions extends FolderOptions {
  readonly namespace?: string
}

interface RebuildOptions extends HubFolderOptions {
  readonly all?: boolean
}

interface LogOptions extends HubFolderOptions {
  readonly after: number
  readonly limit?: number
}

export function addHubFolderCommands(program: Command, streams: Streams): void {
  withHubFolder(program.command('log'))
    .description("show a hub's commits in log order")
    .option('--after <seq>', 'only those after this seq', wholeNumber, 0)
    .option('--limit <number>', 'at most so many', wholeNumber)
    .addHelpText('after', '\nExample:\n  rejoin log --data ./hub --namespace support --limit 20')
    .action(async (options: LogOptions) => {
      const output = openOutput(streams, options.json === true)
      const commits: (ReadCommit & { namespace: Namespace })[] = []
      const folds: Fold[] = []
      await usingStore(options, async (store, namespaces) => {
        const page = {
          after: options.after,
          ...(options.limit === undefined ? {} : { limit: options.limit }),
        }
        for (const namespace of namespaces) {
          folds.push(...(await foldOf(store, namespace, options.after)))
          for await (const commit of readLog(store, namespace, page)) commits.push({ namespace, ...commit })
        }
      })
      const sentences = [...folds.map(foldSentence), ...commits.map(commitSentence)]
      output.result(commits.map(commitJson), sentences.length === 0 ? 'no commits' : sentences.join('\n'))
    })

  withHubFolder(program.command('checkpoint'))
    .description("fold a hub's log into a checkpoint, and drop what retention no longer keeps")
    .addHelpText('after', '\nExample:\n  rejoin checkpoint --data ./hub --namespace support')
    .action(async (options: HubFolderOptions) => {
      const output = openOutput(streams, options.json === true)
      const results = await usingStore(options, (store, namespaces) => checkpointAll(store, namespaces))
      output.result(
        results,
        results
          .map(
            ({ namespace, seq, snapshotBytes }) =>
              `${namespace}: checkpoint at seq ${seq}, ${bytesText(snapshotBytes)}`,
          )
          .join('\n'),
      )
    })

  withHubFolder(program.command('rebuild'), 'which namespace')
    .addOption(new Option('--all', 'every namespace of the folder').conflicts('namespace'))
    .description(
      'start a new epoch made of the live entries alone; replicas that were caught up make it themselves, others reset',
    )
    .addHelpText('after', '\nExample:\n  rejoin rebuild --data ./hub --namespace support')
    .action(async (options: RebuildOptions, command: Command) => {
      // Every replica of a namespace has to make it anew or fetch it, so nobody rebuilds them all by leaving something out.
      if (options.namespace === undefined && options.all !== true)
        command.error('error: say which: --namespace NAME, or --all')
      const output = openOutput(streams, options.json === true)
      const results = await usingStore(options, async (store, namespaces) => {
        const rebuilt = []
        for (const namespace of namespaces) {
          rebuilt.push({
            namespace,
            ...(await rebuildNamespace(store, yjsCrdt.updates, namespace, systemClock)),
          })
        }
        return rebuilt
      })
      output.result(
        results,
        results
          .map(
            ({ namespace, epoch, seq, snapshotBytes }) =>
              `${namespace}: epoch ${epoch} from seq ${seq}, ${bytesText(snapshotBytes)}`,
          )
          .join('\n'),
      )
    })

  withHubFolder(program.command('verify'))
    .description('check every record of a hub: checksums, chain, commit ids, checkpoint, content')
    .addHelpText('after', '\nExample:\n  rejoin verify --data ./hub')
    .action(async (options: HubFolderOptions) => {
      const output = openOutput(streams, options.json === true)
      const reports = await usingStore(options, async (store, namespaces) => {
        const verified: VerifyReport[] = []
        for (const namespace of namespaces)
          verified.push(await verifyNamespace(store, yjsCrdt.updates, namespace))
        return verified
      })
      output.result(
        reports,
        reports.length === 0 ? 'the hub holds no namespace yet' : reports.map(verifySentences).join('\n'),
      )
      if (reports.some(({ faults }) => faults.length > 0)) throw new Refusal('faults were found')
    })
}

function withHubFolder(command: Command, which = 'which namespace (default: every one)'): Command {
  return withFolder(command, 'hub', 'reads').option('--namespace <name>', which, namespaceArgument)
}

/** Opens the folder of a hub that is there: looking at a folder must not make one. */
async function usingStore<R>(
  options: HubFolderOptions,
  use: (store: HubStore, namespaces: readonly Namespace[]) => Promise<R>,
): Promise<R> {
  requireFolder(options.data)
  const folder = await openHubFolder(options.data)
  try {
    const { store } = folder
    return await use(store, options.namespace === undefined ? await store.namespaces() : [options.namespace])
  } finally {
    await folder.close()
  }
}

async function checkpointAll(store: HubStore, namespaces: readonly Namespace[]) {
  // Folding needs no domain: what is in the log was admitted. It was asked for a checkpoint, and for no new epoch.
  const hub = openHub({
    store,
    updates: yjsCrdt.updates,
    domains: [],
    clock: systemClock,
    rebuild: 'never',
  })
  try {
    const results = []
    for (const namespace of namespaces) results.push({ namespace, ...(await hub.checkpoint(namespace)) })
    return results
  } finally {
    await hub.close()
  }
}

/** Commits that the log does not hold one by one any more. */
interface Fold {
  readonly namespace: Namespace
  /** Seq of the last record that was dropped. */
  readonly upTo: Seq
  /** Of the checkpoint that holds what they did. */
  readonly checkpoint: Seq
}

/** None where everything that was asked for is still in the log. */
async function foldOf(store: HubStore, namespace: Namespace, after: Seq): Promise<readonly Fold[]> {
  const upTo = (await store.heads([namespace])).get(namespace)?.floor ?? 0
  if (upTo <= after) return []
  const checkpoint = await store.checkpoint(namespace)
  return [{ namespace, upTo, checkpoint: checkpoint?.seq ?? upTo }]
}

function foldSentence({ namespace, upTo, checkpoint }: Fold): string {
  // A seq is a place and no number of records.
  return `${namespace}: the earlier records, up to seq ${upTo}, were folded into the checkpoint at seq ${checkpoint}`
}

function commitJson({
  namespace,
  seq,
  epoch,
  id,
  prev,
  hlc,
  principal,
  ops,
  update,
}: ReadCommit & { namespace: Namespace }) {
  const commit = `${id.replica}:${id.counter}`
  return {
    namespace,
    seq,
    epoch,
    id: commit,
    prev,
    at: parseHlc(hlc).ms,
    principal,
    ops,
    updateBytes: update.length,
  }
}

function commitSentence({
  namespace,
  seq,
  id,
  hlc,
  ops,
  update,
}: ReadCommit & { namespace: Namespace }): string {
  const time = timeText(parseHlc(hlc).ms)
  return `${namespace} ${seq}  ${id.replica}:${id.counter}  ${time}  ${opsText(ops)}, ${bytesText(update.length)}`
}

function verifySentences({
  namespace,
  records,
  commits,
  head,
  floor,
  checkpointSeq,
  digest,
  faults,
}: VerifyReport): string {
  const checkpoint = checkpointSeq === null ? 'no checkpoint' : `checkpoint at ${checkpointSeq}`
  const state = faults.length === 0 ? 'sound' : countText(faults.length, 'FAULT')
  return [
    `${namespace}: ${state}; ${countText(records, 'record')} with ${countText(commits, 'commit')}, from ${floor} to ${head}, ${checkpoint}, digest ${digest ?? 'none'}`,
    ...faults.map(({ seq, message }) => `  ${seq === null ? '' : `at ${seq}: `}${message}`),
  ].join('\n')
}
