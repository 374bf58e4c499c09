/** `rejoin status`: is it saved, is it at the hub, what is in the way. */
import type { Command } from 'commander'
import { authorOf, type AnyDomain } from '@rejoin/core'
import { intents } from '@rejoin/intents'
import type { Replica } from '@rejoin/replica'
import { openClient } from '../../wiring/client.ts'
import {
  loadDomains,
  namespaceArgument,
  requireFolder,
  requireNamespace,
  withDomain,
  withFolder,
  type FolderOptions,
} from '../options.ts'
import { countText, openOutput, timeText, type Streams } from '../output.ts'

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
      const [domain = intents] = await loadDomains(options.domain)
      requireFolder(options.data)
      const client = await openClient({ data: options.data })
      try {
        if (options.namespace !== undefined) await requireNamespace(client, options.data, options.namespace)
        const names = options.namespace === undefined ? await client.namespaces() : [options.namespace]
        const reports: object[] = []
        const sentences: string[] = []
        for (const name of names) {
          const replica: Replica<AnyDomain> = await client.open(domain, name)
          reports.push({ namespace: name, ...statusOf(replica) })
          sentences.push(statusSentences(name, replica))
        }
        output.result(
          options.namespace === undefined ? reports : reports[0],
          sentences.length === 0 ? `${options.data} holds no namespace yet` : sentences.join('\n\n'),
        )
      } finally {
        await client.close()
      }
    })
}

function statusOf(replica: Replica<AnyDomain>) {
  const { state, pending, cursor, persistence, rejected, lastAttemptAt, lastSuccessAt, lastError } =
    replica.status
  return {
    replica: replica.id,
    /** As conflicts name it. */
    author: authorOf(replica.id),
    state,
    pending,
    cursor,
    persistence,
    lastAttemptAt,
    lastSuccessAt,
    lastError,
    conflicts: replica.conflicts().length,
    rejected,
  }
}

function statusSentences(name: string, replica: Replica<AnyDomain>): string {
  const { state, pending, cursor, rejected, lastAttemptAt, lastSuccessAt, lastError, conflicts } =
    statusOf(replica)
  const lines = [
    `${name}: ${state}`,
    `  replica       ${replica.id}, author ${authorOf(replica.id)} in conflicts`,
    `  pending       ${pending === 0 ? 'nothing' : `${countText(pending, 'commit')} not yet acknowledged`}`,
    `  cursor        ${cursor === null ? 'never exchanged' : `seq ${cursor.seq} of epoch ${cursor.epoch}`}`,
    `  last attempt  ${timeText(lastAttemptAt)}`,
    `  last success  ${timeText(lastSuccessAt)}`,
    `  last error    ${lastError === null ? 'none' : `${lastError.message} [${lastError.code}]`}`,
    `  conflicts     ${conflicts === 0 ? 'none' : `${conflicts} (see \`rejoin conflicts list\`)`}`,
    `  rejected      ${rejected === 0 ? 'none' : `${countText(rejected, 'commit')} the hub refused`}`,
  ]
  for (const { commit, code, message } of replica.rejected) {
    lines.push(
      `    ${commit.id.counter}: ${commit.ops.map((op) => op.type).join(', ')}: ${message} [${code}]`,
    )
  }
  return lines.join('\n')
}
