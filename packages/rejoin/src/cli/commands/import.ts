/** `rejoin import`: a pack folder or CLINC150 JSON into the local replica, whole or not at all, as a handful of commits. */
import { readFile, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Command } from 'commander'
import { parseClinc, packCommits, readPack, sentenceCommits, type Commits } from '@rejoin/intents'
import { SyncError } from '@rejoin/core'
import { usingIntents, withReplica, type ReplicaOptions } from '../options.ts'
import { countText, openOutput, type Streams } from '../output.ts'
import { nodePackFiles } from '../../wiring/pack-files.ts'

export function addImport(program: Command, streams: Streams): void {
  withReplica(program.command('import'), 'makes')
    .argument('<path>', 'a pack folder (with _ns.json) or a CLINC150 JSON file')
    .description('import an intent pack or CLINC150 JSON into the local replica')
    .addHelpText('after', '\nExample:\n  rejoin import --data ./laptop --namespace support ./pack')
    .action(async (path: string, options: ReplicaOptions) => {
      const output = openOutput(streams, options.json === true)
      const commits = await readCommits(path)
      await usingIntents(options, { use: 'makes', output }, async (replica) => {
        const progress = output.progress('importing', commits.length)
        let written = 0
        for (const [i, ops] of commits.entries()) {
          const receipt = replica.apply([...ops])
          await receipt.saved
          if (receipt.kind === 'commit') written++
          progress.done(i + 1)
        }
        progress.end()
        const { tables } = replica
        const result = {
          commits: written,
          unchanged: commits.length - written,
          intents: tables.intents.size,
          phrases: tables.phrases.size,
          pending: replica.status.pending,
        }
        output.result(
          result,
          `imported ${path} in ${countText(written, 'commit')}; ${options.namespace} now has ${countText(result.intents, 'intent')} and ${countText(result.phrases, 'phrase')}`,
        )
      })
    })
}

/** Everything is read and checked before the first commit is made. */
async function readCommits(path: string): Promise<Commits> {
  const kind = await stat(path).catch((cause: unknown) => {
    throw new SyncError('INPUT_INVALID', `${path} cannot be read: is the path right?`, { cause })
  })
  if (kind.isDirectory()) return packCommits(await readPack(nodePackFiles(path)))
  return sentenceCommits(parseClinc(await readFile(path, 'utf8'), basename(path)))
}
