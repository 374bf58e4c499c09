/** `rejoin export`: the namespace as a pack folder. */
import { mkdir, readdir } from 'node:fs/promises'
import type { Command } from 'commander'
import { packOf, writePack } from '@rejoin/intents'
import { SyncError } from '@rejoin/core'
import { usingIntents, withReplica, type ReplicaOptions } from '../options.ts'
import { openOutput, type Streams } from '../output.ts'
import { nodePackFiles } from '../../wiring/pack-files.ts'

interface ExportOptions extends ReplicaOptions {
  readonly out: string
}

export function addExport(program: Command, streams: Streams): void {
  withReplica(program.command('export'), 'reads')
    .requiredOption('--out <path>', 'folder to write; made where there is none, and must be empty')
    .description('write the namespace as an intent pack: _ns.json and one JSON file per intent')
    .addHelpText('after', '\nExample:\n  rejoin export --data ./laptop --namespace support --out ./pack')
    .action(async (options: ExportOptions) => {
      const output = openOutput(streams, options.json === true)
      await usingIntents(options, { use: 'reads', output }, async (replica) => {
        const pack = packOf(replica.tables)
        await requireEmptyFolder(options.out)
        await writePack(pack, nodePackFiles(options.out))
        const intents = pack.intents.size
        output.result({ out: options.out, intents }, `wrote ${intents} intents to ${options.out}`)
      })
    })
}

async function requireEmptyFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true })
  } catch (cause) {
    throw new SyncError('INPUT_INVALID', `${path} cannot be made a folder`, { cause })
  }
  if ((await readdir(path)).length > 0)
    throw new SyncError('INPUT_INVALID', `${path} is not empty: choose a new folder`)
}
