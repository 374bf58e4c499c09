/** `rejoin status`: is it saved, is it at the hub, what is in the way. */
import type { Command } from 'commander'
import { authorOf, SyncError, type AnyDomain } from '@rejoin/core'
import type { Replica, ReplicaStatus } from '@rejoin/replica'
import { openClient } from '../../wiring/client.ts'
import {
  loadDomain,
  namespaceArgument,
  requireFolder,
  requireNamespace,
  withDomain,
  withDomainHint,
  withFolder,
  type FolderOptions,
} from '../options.ts'
import {
  appliedText,
  countText,
  newerSentence,
  openOutput,
  persistenceText,
  tellCopy,
  tellLosses,
  timeText,
  type Streams,
} from '../output.ts'
import { Refusal } from '../refusal.ts'
import { rejectedSentence } from './rejected.ts'

interface StatusOptions extends FolderOptions {
  readonly namespace?: string
}

export function addStatus(program: Command, streams: Streams): void {
  withDomain(withFolder(program.command('status'), 'replica', 'reads'))
    .option('--namespace <name>', 'which namespace (default: every one in the folder)', namespaceArgument)
    .description('state, pending commits, cursor, last exchange, conflicts and rejected commits')
    .addHelpText('after', '\nExample:\n  rejoin status --data ./laptop --namespace support')
    .action(async (options: StatusOptions) => {
      const output = openOutput(streams, options.json === true)
      const domain = await loadDomain(options.domain)
      requireFolder(options.data)
      const client = await openClient({ data: options.data })
      tellLosses(output, client.found, options.data)
      try {
        if (options.namespace !== undefined) await requireNamespace(client, options.data, options.namespace)
        const names = options.namespace === undefined ? await client.namespaces() : [options.namespace]
        const reports: object[] = []
        const sentences: string[] = []
        let faults = 0
        for (const name of names) {
          const open = () => withDomainHint(options, () => client.open(domain, name))
          const replica = await (options.namespace === undefined ? open().catch(faultOf) : open())
          if (replica instanceof SyncError) {
            const { code, message, path } = replica
            faults++
            reports.push({ namespace: name, error: { code, message, path } })
            sentences.push(`${name}: CANNOT BE OPENED\n  ${message} [${code}]`)
            continue
          }
          tellCopy(output, replica)
          reports.push({ namespace: name, ...statusOf(replica) })
          sentences.push(statusSentences(name, replica))
        }
        output.result(
          options.namespace === undefined ? reports : reports[0],
          sentences.length === 0 ? `${options.data} holds no namespace yet` : sentences.join('\n\n'),
        )
        if (faults > 0) throw new Refusal('not every namespace can be opened')
      } finally {
        await client.close()
      }
    })
}

/** What keeps one namespace from being opened is no reason to be silent about the others. */
function faultOf(error: unknown): SyncError {
  if (error instanceof SyncError) return error
  throw error
}

function statusOf(replica: Replica<AnyDomain>) {
  const { status } = replica
  return {
    replica: replica.id,
    /** What it was until it was opened just now: its folder is a copy. */
    copyOf: status.copyOf,
    /** As conflicts name it. */
    author: authorOf(replica.id),
    state: status.state,
    pending: status.pending,
    cursor: status.cursor,
    persistence: status.persistence,
    saved: status.saved,
    /** Null, since nobody is asked here: `sync` says what the hub said. */
    acked: status.acked,
    domainTooNew: status.domainTooNew,
    divergence: status.divergence,
    lastAttemptAt: status.lastAttemptAt,
    lastSuccessAt: status.lastSuccessAt,
    lastError: presentError(status),
    conflicts: replica.conflicts().length,
    rejected: status.rejected,
  }
}

/** That the app was older than the document is no news once it was updated; that a hub was older still may be. */
function presentError({ lastError, domainTooNew }: ReplicaStatus): ReplicaStatus['lastError'] {
  const isOver =
    lastError?.code === 'DOMAIN_TOO_NEW' &&
    domainTooNew === null &&
    /\b(?:this|the) app knows\b/.test(lastError.message)
  return isOver ? null : lastError
}

function statusSentences(name: string, replica: Replica<AnyDomain>): string {
  const status = statusOf(replica)
  const { pending, rejected, lastError, conflicts, domainTooNew, divergence } = status
  const lines = [
    `${name}: ${status.state}`,
    ...(domainTooNew === null ? [] : [`  ${newerSentence(replica.domain, domainTooNew)}`]),
    `  replica       ${status.replica}, author ${status.author} in conflicts`,
    `  pending       ${pending === 0 ? 'nothing' : `${countText(pending, 'commit')} not yet acknowledged (see \`rejoin outbox list\`)`}`,
    ...line('not saved', persistenceText(status.persistence)),
    ...line('saved', appliedText(status.saved)),
    `  cursor        ${cursorText(status)}`,
    `  last attempt  ${timeText(status.lastAttemptAt)}`,
    `  last success  ${timeText(status.lastSuccessAt)}`,
    `  last error    ${lastError === null ? 'none' : `${lastError.message} [${lastError.code}]`}`,
    ...(divergence === null ? [] : [`  diverged      ${timeText(divergence.at)}: ${divergence.message}`]),
    `  conflicts     ${conflicts === 0 ? 'none' : `${conflicts} (see \`rejoin conflicts list\`)`}`,
    `  rejected      ${rejected === 0 ? 'none' : `${countText(rejected, 'commit')} that the hub refused (see \`rejoin rejected list\`)`}`,
  ]
  return [...lines, ...replica.rejected.map((each) => `    ${rejectedSentence(each)}`)].join('\n')
}

function cursorText({ cursor, lastSuccessAt }: Pick<ReplicaStatus, 'cursor' | 'lastSuccessAt'>): string {
  if (cursor !== null) return `seq ${cursor.seq} of epoch ${cursor.epoch}`
  // After `repair --discard`, and where the hub had nothing either.
  return lastSuccessAt === null
    ? 'never exchanged'
    : 'none: nothing of the hub is held here; the next exchange brings all of it'
}

/** Nothing where there is nothing to say. */
function line(name: string, text: string | null): readonly string[] {
  return text === null ? [] : [`  ${name.padEnd(14)}${text}`]
}
