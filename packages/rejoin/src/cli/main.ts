/**
 * The `rejoin` command (DESIGN section 13). Exit codes: 0 done, 1 refused or failed, 2 usage. One file per command or
 * group of commands; each adds itself to the program here.
 */
import { Command, CommanderError } from 'commander'
import { SyncError } from '@rejoin/core'
import { UnsavedError } from '@rejoin/replica'
import { addApply } from './commands/apply.ts'
import { addBackup } from './commands/backup.ts'
import { addConflicts } from './commands/conflicts.ts'
import { addDigest } from './commands/digest.ts'
import { addExport } from './commands/export.ts'
import { addHub } from './commands/hub.ts'
import { addHubFolderCommands } from './commands/hub-folder.ts'
import { addImport } from './commands/import.ts'
import { addKeys } from './commands/keys.ts'
import { addOutbox } from './commands/outbox.ts'
import { addRejected } from './commands/rejected.ts'
import { addRepair } from './commands/repair.ts'
import { addResolve } from './commands/resolve.ts'
import { addStatus } from './commands/status.ts'
import { addSync } from './commands/sync.ts'
import { addTour } from './commands/tour.ts'
import { addVerify } from './commands/verify.ts'
import { commitJson } from './commit.ts'
import { endOnInterrupt } from './interrupt.ts'
import { openOutput, watchOutlet, type Streams } from './output.ts'
import { Refusal } from './refusal.ts'

const VERSION = '0.1.0'

/** Runs one command and gives its exit code; never throws. */
export async function main(args: readonly string[], streams: Streams = process): Promise<number> {
  const program = new Command('rejoin')
    .description(
      'Local-first sync of typed domain ops: a hub, replicas with their own data folders, and their tools.',
    )
    .version(VERSION)
    .showHelpAfterError('(add --help for the options and an example)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => streams.stdout.write(text),
      writeErr: (text) => streams.stderr.write(text),
    })
  const outlet = watchOutlet(streams)
  for (const add of [
    addHub,
    addImport,
    addApply,
    addSync,
    addStatus,
    addConflicts,
    addRejected,
    addOutbox,
    addResolve,
    addExport,
    addDigest,
    addHubFolderCommands,
    addVerify,
    addRepair,
    addBackup,
    addKeys,
    addTour,
  ]) {
    add(program, streams)
  }
  const release = endOnInterrupt((error) => report(error, openOutput(streams, args.includes('--json'))))
  const code = await run(program, args, streams, () => outlet() === 'gone').finally(release)
  // What fails to be written shows a turn later.
  await new Promise<void>((resolve) => streams.stdout.write('', () => resolve()))
  const fault = outlet()
  if (!(fault instanceof Error)) return code
  streams.stderr.write(`rejoin: what it says cannot be written: ${fault.message}\n`)
  return 1
}

async function run(
  program: Command,
  args: readonly string[],
  streams: Streams,
  isReaderGone: () => boolean,
): Promise<number> {
  try {
    await program.parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    // It was stopped by whoever read it (`| head`), and that is no failure.
    if (isReaderGone() && error instanceof SyncError && error.code === 'INTERRUPTED') return 0
    return report(error, openOutput(streams, args.includes('--json')))
  }
}

function report(error: unknown, output: ReturnType<typeof openOutput>): number {
  // Commander has said what is wrong by itself; help and version are no faults.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof Refusal) return 1
  if (error instanceof UnsavedError)
    output.failure(error.code, error.message, error.path, { unsaved: error.commits.map(commitJson) })
  else if (error instanceof SyncError) output.failure(error.code, error.message, error.path)
  else
    output.failure(
      'UNEXPECTED',
      error instanceof Error ? (error.stack ?? error.message) : String(error),
      null,
    )
  return 1
}
