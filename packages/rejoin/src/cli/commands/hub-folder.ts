/** `rejoin log`, `checkpoint`, `rebuild`: on the folder of a hub that is not running. */
import { InvalidArgumentError, Option, type Command } from 'commander'
import { parseHlc, type HubStore, type Namespace, type Seq } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { openHub, readLog, rebuildNamespace, type ReadCommit, type Retention } from '@rejoin/hub'
import { examineHubFolder, openHubFolder } from '@rejoin/persistence-level/node'
import { systemClock } from '../../wiring/system-clock.ts'
import { forEachNamespace, tellEachNamespace } from '../each-namespace.ts'
import { namespaceArgument, requireFolder, wholeNumber, withFolder, type FolderOptions } from '../options.ts'
import {
  bytesText,
  countText,
  openOutput,
  opsText,
  tellLosses,
  timeText,
  type Output,
  type Streams,
} from '../output.ts'
import { retentionOf, withRetention, type RetentionOptions } from '../retention-options.ts'

interface HubFolderOptions extends FolderOptions {
  readonly namespace?: string
}

interface CheckpointOptions extends HubFolderOptions, RetentionOptions {}

interface RebuildOptions extends HubFolderOptions {
  readonly all?: boolean
  /** Milliseconds. */
  readonly forgetReplicas?: number
}

interface LogOptions extends HubFolderOptions {
  readonly after: number
  readonly limit?: number
}

export function addHubFolderCommands(program: Command, streams: Streams): void {
  withHubFolder(program.command('log'))
    .description('show the commits of a hub, or of a backup, in log order')
    .option('--after <seq>', 'only those after this seq', wholeNumber, 0)
    .option('--limit <number>', 'at most so many', wholeNumber)
    .addHelpText('after', '\nExample:\n  rejoin log --data ./hub --namespace support --limit 20')
    .action(async (options: LogOptions) => {
      const output = openOutput(streams, options.json === true)
      const commits: (ReadCommit & { namespace: Namespace })[] = []
      const folds: Fold[] = []
      await lookingAtStore(options, output, async (store, namespaces) => {
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

  withRetention(withHubFolder(program.command('checkpoint')))
    .description(
      "fold a hub's log into a checkpoint, and drop what retention no longer keeps (say what the hub is told when it runs)",
    )
    .addHelpText('after', '\nExample:\n  rejoin checkpoint --data ./hub --namespace support')
    .action(async (options: CheckpointOptions) => {
      const output = openOutput(streams, options.json === true)
      const outcomes = await usingStore(options, output, (store, namespaces) =>
        checkpointAll(store, namespaces, retentionOf(options)),
      )
      tellEachNamespace(
        output,
        outcomes,
        'folded',
        (namespace, { seq, snapshotBytes }) =>
          `${namespace}: checkpoint at seq ${seq}, ${bytesText(snapshotBytes)}`,
      )
    })

  withHubFolder(program.command('rebuild'), 'which namespace')
    .addOption(new Option('--all', 'every namespace of the folder').conflicts('namespace'))
    .description(
      'start a new epoch made of the live entries alone; replicas that were caught up make it themselves, others reset',
    )
    .option(
      '--forget-replicas <age>',
      'forget replicas that have not written for so long, e.g. 90d, 12h, 30m or 45s: makes room for new ones where the hub knows as many as it keeps (what that gives up: docs/OPERATING.md)',
      ageArgument,
    )
    .addHelpText('after', '\nExample:\n  rejoin rebuild --data ./hub --namespace support')
    .action(async (options: RebuildOptions, command: Command) => {
      // Every replica of a namespace has to make it anew or fetch it, so nobody rebuilds them all by leaving something out.
      if (options.namespace === undefined && options.all !== true)
        command.error('error: say which: --namespace NAME, or --all')
      const output = openOutput(streams, options.json === true)
      const { updates } = yjsCrdt
      const { forgetReplicas: age } = options
      const forgetBefore = age === undefined ? 0 : systemClock.now() - age
      const outcomes = await usingStore(options, output, (store, namespaces) =>
        forEachNamespace(namespaces, (namespace) =>
          rebuildNamespace(store, updates, namespace, systemClock, undefined, forgetBefore),
        ),
      )
      tellEachNamespace(
        output,
        outcomes,
        'rebuilt',
        (namespace, { epoch, seq, snapshotBytes, forgotten }) =>
          `${namespace}: epoch ${epoch} from seq ${seq}, ${bytesText(snapshotBytes)}` +
          (age === undefined ? '' : `; ${countText(forgotten, 'replica')} forgotten`),
      )
    })
}

const agesMs: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 }

/** `90d`, `12h`, `30m` or `45s`, in milliseconds. */
function ageArgument(text: string): number {
  const [, count, unit = ''] = /^(\d{1,5})([dhms])$/.exec(text) ?? []
  const ms = Number(count) * (agesMs[unit] ?? Number.NaN)
  if (ms > 0) return ms
  throw new InvalidArgumentError('expected days, hours, minutes or seconds, such as 90d, 12h, 30m or 45s')
}

function withHubFolder(command: Command, which = 'which namespace (default: every one)'): Command {
  return withFolder(command, 'hub', 'reads').option('--namespace <name>', which, namespaceArgument)
}

/** Opens the folder of a hub that is there: looking at a folder must not make one. */
async function usingStore<R>(
  options: HubFolderOptions,
  output: Output,
  use: (store: HubStore, namespaces: readonly Namespace[]) => Promise<R>,
): Promise<R> {
  requireFolder(options.data)
  const folder = await openHubFolder(options.data)
  try {
    const { store } = folder
    tellLosses(output, folder.found, options.data, 'hub')
    return await use(store, options.namespace === undefined ? await store.namespaces() : [options.namespace])
  } finally {
    await folder.close()
  }
}

/** As `usingStore`, also of a backup; nothing is written. @throws SyncError STORE_CORRUPT where it is damaged as a whole */
async function lookingAtStore<R>(
  options: HubFolderOptions,
  output: Output,
  look: (store: HubStore, namespaces: readonly Namespace[]) => Promise<R>,
): Promise<R> {
  requireFolder(options.data)
  const folder = await examineHubFolder(options.data)
  try {
    const { store, found, fault } = folder
    tellLosses(output, found, options.data, 'hub')
    if (fault !== null) throw fault
    return await look(store, options.namespace === undefined ? await store.namespaces() : [options.namespace])
  } finally {
    await folder.close()
  }
}

async function checkpointAll(store: HubStore, namespaces: readonly Namespace[], retention: Retention) {
  // Folding needs no domain: what is in the log was admitted. It was asked for a checkpoint, and for no new epoch.
  const hub = openHub({
    store,
    updates: yjsCrdt.updates,
    domains: [],
    clock: systemClock,
    retention,
    rebuild: 'never',
  })
  try {
    return await forEachNamespace(namespaces, (namespace) => hub.checkpoint(namespace))
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
