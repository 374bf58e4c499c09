/** `rejoin backup` and `restore`: a hub's folder copied while the hub runs or not, and a new one made of the copy. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { backUpAndVerify } from '../../wiring/backing-up.ts'
import { restoreBackup, type RestoreReport } from '../../wiring/restoring.ts'
import { listenForInterrupt } from '../interrupt.ts'
import { requireFolder, withFolder, type FolderOptions } from '../options.ts'
import {
  bytesText,
  countText,
  openOutput,
  tellLosses,
  timeText,
  type Output,
  type Streams,
} from '../output.ts'
import { Refusal } from '../refusal.ts'
import { hubSentences, isSound } from './verify.ts'

interface BackupOptions extends FolderOptions {
  readonly out: string
}

export function addBackup(program: Command, streams: Streams): void {
  withFolder(program.command('backup'), 'hub', 'reads')
    .requiredOption('--out <dir>', 'where the backup goes: a new folder')
    .description('copy what a hub holds at one moment, also while it runs, and verify the copy')
    .addHelpText('after', '\nExample:\n  rejoin backup --data ./hub --out ./backups/monday')
    .action(async (options: BackupOptions) => {
      const output = openOutput(streams, options.json === true)
      requireFolder(options.data)
      const place = resolve(options.out)
      const { backup, verified } = await stoppable(output, 'no backup is left', (how) =>
        backUpAndVerify(options.data, place, how),
      )
      const { by, namespaces, damaged, found } = backup
      if (found !== null) tellLosses(output, found, options.data, 'hub')
      const what = `${countText(namespaces.length, 'namespace')}, ${bytesText(backup.bytes)}`
      const whose = by === 'running hub' ? 'made by the running hub' : 'of the folder, which no hub has open'
      output.result(
        { ...backup, verified: verified.namespaces, fault: verified.fault },
        [
          `${place}: ${what}, ${whose}`,
          ...damaged.map((name) => `${name}: DAMAGED, copied as it is`),
          isSound(verified) ? 'verified: sound' : 'verified: FAULTS, see `rejoin verify`',
        ].join('\n'),
      )
      if (!isSound(verified)) throw new Refusal('the backup has faults')
    })

  withFolder(program.command('restore').argument('<backup>', 'the folder of a backup'), 'hub', 'makes new')
    .description('make a new hub folder of a backup; replicas that have seen more bring it back')
    .addHelpText('after', '\nExample:\n  rejoin restore ./backups/monday --data ./hub-again')
    .action(async (backup: string, options: FolderOptions) => {
      const output = openOutput(streams, options.json === true)
      requireFolder(backup)
      const place = resolve(options.data)
      const report = await stoppable(output, 'no folder of a hub is left', (how) =>
        restoreBackup(backup, place, how),
      )
      tellLosses(output, report.found, backup, 'hub')
      output.result(report, restoredSentences(report))
      const isDamaged = report.damaged.length > 0 || report.namespaces.some(({ faults }) => faults.length > 0)
      if (isDamaged) throw new Refusal('something in the backup is damaged')
    })
}

function restoredSentences({ path, at, bytes, namespaces, damaged }: RestoreReport): string {
  const made = at === null ? 'a folder that is no backup' : `the backup of ${timeText(at)}`
  const count = countText(namespaces.length, 'namespace')
  return [
    `${path}: ${count}, ${bytesText(bytes)}, restored from ${made}`,
    ...namespaces.map(hubSentences),
    ...damaged.map(
      ({ namespace, message }) => `${namespace}: CLOSED FOR WRITING, to be repaired: ${message}`,
    ),
  ].join('\n')
}

interface Stoppable {
  readonly signal: AbortSignal
  readonly onProgress: (progress: { values: number; bytes: number }) => void
}

/** Ctrl-C ends it, and nothing half done is left. */
async function stoppable<T>(output: Output, left: string, work: (how: Stoppable) => Promise<T>): Promise<T> {
  const interrupt = listenForInterrupt(undefined, [], `${left}: run it again`)
  const ticker = output.ticker()
  try {
    return await work({
      signal: interrupt.signal,
      onProgress: ({ values, bytes }) => ticker.say(`${countText(values, 'value')}, ${bytesText(bytes)}`),
    })
  } finally {
    ticker.end()
    interrupt.release()
  }
}
