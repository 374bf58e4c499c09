/** `rejoin sync`: one exchange with a hub, or with `--live` until stopped. */
import type { Command } from 'commander'
import type { AnyDomain } from '@rejoin/core'
import type { Replica, SyncReport } from '@rejoin/replica'
import { listenForInterrupt } from '../interrupt.ts'
import { usingReplica, withReplica, type ReplicaOptions } from '../options.ts'
import { bytesText, openOutput, type Output, type Streams } from '../output.ts'

interface SyncOptions extends ReplicaOptions {
  readonly hub: string
  readonly live?: boolean
}

export function addSync(program: Command, streams: Streams): void {
  withReplica(program.command('sync'))
    .requiredOption('--hub <url>', 'URL of the hub, as `rejoin hub` prints it')
    .option('--live', 'stay connected until stopped')
    .description('exchange commits with a hub: once, or live')
    .addHelpText(
      'after',
      '\nExample:\n  rejoin sync --data ./laptop --namespace support --hub http://127.0.0.1:4400',
    )
    .action(async (options: SyncOptions) => {
      const output = openOutput(streams, options.json === true)
      if (options.live === true) await syncLive(options, output)
      else await syncOnce(options, output)
    })
}

async function syncOnce(options: SyncOptions, output: Output): Promise<void> {
  await usingReplica(
    options,
    async (replica, client) => {
      replica.disconnect()
      const report = await replica.syncOnce(client.dialOnce ?? undefined)
      output.result(report, reportSentence(report))
    },
    options.hub,
  )
}

/** Prints the status whenever it changes, one JSON document a line. */
async function syncLive(options: SyncOptions, output: Output): Promise<void> {
  const interrupt = listenForInterrupt()
  try {
    await usingReplica(
      options,
      async (replica) => {
        const print = (): void => printStatus(replica, output)
        const stop = replica.onStatus(print)
        print()
        await interrupt.asked
        stop()
      },
      options.hub,
    )
  } finally {
    interrupt.release()
  }
}

function printStatus(replica: Replica<AnyDomain>, output: Output): void {
  const { state, pending, cursor, lastError } = replica.status
  const error = lastError === null ? '' : `; ${lastError.message} [${lastError.code}]`
  output.result(
    { state, pending, cursor, lastError },
    `${state}, ${pending} pending, at ${cursor === null ? 'no seq' : `seq ${cursor.seq}`}${error}`,
  )
}

export function reportSentence(report: SyncReport): string {
  const { pulled, applied, pushed, path, why, bytesUp, bytesDown } = report
  return `pulled ${pulled} (${applied} new here), pushed ${pushed}; path ${path}: ${why}; ${bytesText(bytesUp)} up, ${bytesText(bytesDown)} down`
}
