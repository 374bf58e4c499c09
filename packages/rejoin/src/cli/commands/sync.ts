/** `rejoin sync`: one exchange with a hub, or with `--live` until stopped. */
import type { Command } from 'commander'
import { SyncError, type AnyDomain, type Dial } from '@rejoin/core'
import type { Replica, SyncReport } from '@rejoin/replica'
import { listenForInterrupt } from '../interrupt.ts'
import { tokenSource, withToken, type TokenOptions } from '../token.ts'
import { usingReplica, withDomain, withReplica, type ReplicaOptions } from '../options.ts'
import {
  appliedText,
  bytesText,
  countText,
  newerSentence,
  openOutput,
  persistenceText,
  type Output,
  type Streams,
} from '../output.ts'

interface SyncOptions extends ReplicaOptions, TokenOptions {
  readonly hub: string
  readonly live?: boolean
}

export function addSync(program: Command, streams: Streams): void {
  const json = 'print JSON: one document, or with --live one per line'
  withToken(withDomain(withReplica(program.command('sync'), 'makes', json)))
    .requiredOption('--hub <url>', 'URL of the hub, as `rejoin hub` prints it')
    .option('--live', 'stay connected until stopped')
    .description('exchange commits with a hub: once, or live')
    .addHelpText(
      'after',
      '\nExample:\n  rejoin sync --data ./laptop --namespace support --hub http://127.0.0.1:4400',
    )
    .action(async (options: SyncOptions) => {
      const output = openOutput(streams, options.json === true)
      if (options.live === true) await syncLive(options, output, streams)
      else await syncOnce(options, output)
    })
}

async function syncOnce(options: SyncOptions, output: Output): Promise<void> {
  const how = { use: 'makes', output, hub: options.hub, token: tokenSource(options) } as const
  await usingReplica(options, how, async (replica, client) => {
    const report = await exchange(replica, client.dialOnce)
    const { domainTooNew, acked } = replica.status
    const newer = domainTooNew === null ? '' : `\n${newerSentence(replica.domain, domainTooNew)}`
    const level = appliedText(acked)
    const applied = level === null ? '' : `\nwhat the hub has is ${level}`
    output.result({ ...report, acked, domainTooNew }, `${reportSentence(report)}${applied}${newer}`)
  })
}

/** Says with DOMAIN_TOO_NEW that all but our own commits was exchanged. */
async function exchange(replica: Replica<AnyDomain>, dial: Dial | null): Promise<SyncReport> {
  try {
    return await replica.syncOnce(dial ?? undefined)
  } catch (error) {
    if (!(error instanceof SyncError) || error.code !== 'DOMAIN_TOO_NEW') throw error
    const { pending, domainTooNew } = replica.status
    const what = domainTooNew === null ? error.message : newerSentence(replica.domain, domainTooNew)
    const waits = `what the hub has is here now, and ${countText(pending, 'commit')} of yours ${pending === 1 ? 'waits' : 'wait'}`
    throw new SyncError('DOMAIN_TOO_NEW', `${what}; ${waits}`, { cause: error })
  }
}

/** Prints the status whenever it changes, one JSON document a line. */
async function syncLive(options: SyncOptions, output: Output, streams: Streams): Promise<void> {
  const interrupt = listenForInterrupt(streams)
  try {
    const how = { use: 'makes', output, hub: options.hub, token: tokenSource(options), live: true } as const
    await usingReplica(options, how, async (replica) => {
      let printed = ''
      const print = (): void => {
        const { value, sentence } = liveStatus(replica)
        if (sentence === printed) return
        printed = sentence
        output.result(value, sentence)
      }
      const stop = replica.onStatus(print)
      print()
      await interrupt.asked
      stop()
    })
  } finally {
    interrupt.release()
  }
}

function liveStatus(replica: Replica<AnyDomain>): { value: object; sentence: string } {
  const { state, pending, cursor, lastError, domainTooNew, persistence, saved, acked } = replica.status
  const at = cursor === null ? 'no seq' : `seq ${cursor.seq}`
  const error = lastError === null ? '' : `; ${lastError.message} [${lastError.code}]`
  const newer = domainTooNew === null ? '' : '; the document is newer than this app: reading only'
  const unsaved = persistenceText(persistence)
  const store = unsaved === null ? '' : `; ${unsaved}`
  const level = acked === 'applied' ? '; acknowledged means applied' : ''
  const value = { state, pending, cursor, persistence, saved, acked, domainTooNew, lastError }
  return { value, sentence: `${state}, ${pending} pending, at ${at}${level}${newer}${store}${error}` }
}

export function reportSentence(report: SyncReport): string {
  const { pulled, applied, pushed, path, why, bytesUp, bytesDown, divergence } = report
  const healed = divergence === null ? '' : `; ${divergence.message} [DIVERGED]`
  return `pulled ${pulled} (${applied} new here), pushed ${pushed}; ${wayText(path, why)}; ${bytesText(bytesUp)} up, ${bytesText(bytesDown)} down${healed}`
}

function wayText(path: SyncReport['path'], why: string): string {
  return path === 'unknown' ? 'the namespace is new' : `path ${path}: ${why}`
}
