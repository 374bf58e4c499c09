/** `rejoin sync`: one exchange with a hub, or with `--live` until stopped. */
import type { Command } from 'commander'
import { SyncError, type AnyDomain, type Dial, type RejectedCommit } from '@rejoin/core'
import type { Replica, ReplicaStatus, SyncReport } from '@rejoin/replica'
import { commitJson } from '../commit.ts'
import { listenForInterrupt } from '../interrupt.ts'
import { tokenSource, withToken, withTokenHint, type TokenOptions } from '../token.ts'
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
import { Refusal } from '../refusal.ts'

interface SyncOptions extends ReplicaOptions, TokenOptions {
  readonly hub: string
  readonly live?: boolean
}

/** Codes of refused commits that a sentence names. */
const CODES_SHOWN = 3

export function addSync(program: Command, streams: Streams): void {
  const json = 'print JSON: one document, or with --live one per line'
  withToken(withDomain(withReplica(program.command('sync'), 'makes', json)))
    .requiredOption('--hub <url>', 'URL of the hub, as `rejoin hub` prints it')
    .option('--live', 'stay connected until stopped')
    .description('exchange commits with a hub: once, or live')
    .addHelpText(
      'after',
      '\nExample:\n  rejoin sync --data ./laptop --namespace support --hub http://127.0.0.1:4400\n\nEnds with 1 also where the hub refused commits for good in this exchange: `rejoin rejected list` shows them.',
    )
    .action(async (options: SyncOptions) => {
      const output = openOutput(streams, options.json === true)
      await withTokenHint(() =>
        options.live === true ? syncLive(options, output, streams) : syncOnce(options, output),
      )
    })
}

async function syncOnce(options: SyncOptions, output: Output): Promise<void> {
  const how = { use: 'makes', output, hub: options.hub, token: tokenSource(options) } as const
  await usingReplica(options, how, async (replica, client) => {
    const before = new Set(replica.rejected.map(({ commit }) => commit.id.counter))
    const report = await exchange(replica, client.dialOnce)
    const { domainTooNew, acked } = replica.status
    const rejected = replica.rejected.filter(({ commit }) => !before.has(commit.id.counter))
    const newer = domainTooNew === null ? '' : `\n${newerSentence(replica.domain, domainTooNew)}`
    const level = appliedText(acked)
    const applied = level === null ? '' : `\nwhat the hub has is ${level}`
    const refused = rejected.length === 0 ? '' : `\n${rejectedText(rejected)}`
    output.result(
      { ...report, acked, domainTooNew, rejected: rejected.map(rejectedJson) },
      `${reportSentence(report)}${applied}${newer}${refused}`,
    )
    if (rejected.length > 0) throw new Refusal('the hub refused commits')
  })
}

function rejectedJson({ commit, code, message, path }: RejectedCommit) {
  const { commit: counter, id } = commitJson(commit)
  return { commit: counter, id, code, message, path }
}

function rejectedText(rejected: readonly RejectedCommit[]): string {
  const codes = [...new Set(rejected.map(({ code }) => code))]
  const first = codes.slice(0, CODES_SHOWN).join(', ')
  const more = codes.length > CODES_SHOWN ? ', …' : ''
  return `the hub refused ${countText(rejected.length, 'commit')} (${first}${more}): see \`rejoin rejected list\``
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

/**
 * Prints the status whenever it changes, one JSON document a line, until it is stopped.
 * @throws SyncError where the hub refuses for good: to stay would bring nothing.
 */
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
      let stop = (): void => {}
      const refused = new Promise<SyncError>((resolve) => {
        const look = (): void => {
          print()
          const error = refusalOf(replica.status)
          if (error !== null) resolve(error)
        }
        stop = replica.onStatus(look)
        look()
      })
      const error = await Promise.race([refused, interrupt.asked])
      stop()
      if (error !== undefined) throw error
    })
  } finally {
    interrupt.release()
  }
}

/** Why live mode has ended by itself, or null. */
function refusalOf({ state, lastError }: ReplicaStatus): SyncError | null {
  if (state !== 'refused') return null
  const { code, message } = lastError ?? { code: 'CHANNEL_CLOSED', message: 'the hub refuses this replica' }
  return new SyncError(code, message)
}

function liveStatus(replica: Replica<AnyDomain>): { value: object; sentence: string } {
  const { state, pending, cursor, lastError, domainTooNew, persistence, saved, acked, rejected } =
    replica.status
  const at = cursor === null ? 'no seq' : `seq ${cursor.seq}`
  const error = lastError === null ? '' : `; ${lastError.message} [${lastError.code}]`
  const newer = domainTooNew === null ? '' : '; the document is newer than this app: reading only'
  const unsaved = persistenceText(persistence)
  const store = unsaved === null ? '' : `; ${unsaved}`
  const level = acked === 'applied' ? '; acknowledged means applied' : ''
  const refused =
    rejected === 0 ? '' : `; ${countText(rejected, 'commit')} refused (see \`rejoin rejected list\`)`
  // Bytes and catch-ups of all connections since the command began.
  const cost = replica.bill
  const value = {
    state,
    pending,
    cursor,
    persistence,
    saved,
    acked,
    domainTooNew,
    rejected,
    lastError,
    ...cost,
  }
  return {
    value,
    sentence: `${state}, ${pending} pending, at ${at}${level}${newer}${refused}${store}${error}`,
  }
}

export function reportSentence(report: SyncReport): string {
  const { pushed, path, why, bytesUp, bytesDown, divergence, healedBytes } = report
  const healed = divergence === null ? '' : `; ${divergence.message} [DIVERGED]`
  const brought = healedBytes === 0 ? '' : '; this replica brought back what the hub had lost'
  return `${takenText(report)}, pushed ${pushed}; ${wayText(path, why)}${brought}; ${bytesText(bytesUp)} up, ${bytesText(bytesDown)} down${healed}`
}

/** A document that comes whole does not say what of it is new. */
function takenText({ pulled, applied, snapshotBytes }: SyncReport): string {
  const commits = `pulled ${pulled} (${applied} new here)`
  if (snapshotBytes === 0) return commits
  const whole = `took a snapshot of ${bytesText(snapshotBytes)}`
  return pulled === 0 ? whole : `${whole}, ${commits}`
}

function wayText(path: SyncReport['path'], why: string): string {
  return path === 'unknown' ? 'the namespace is new' : `path ${path}: ${why}`
}
