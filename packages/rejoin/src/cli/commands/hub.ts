/** `rejoin hub`: serves until it is stopped. */
import { Option, type Command } from 'commander'
import { pino } from 'pino'
import { readJwtOptions } from '../../auth/jwt-file.ts'
import { findingEvents } from '../../wiring/finding.ts'
import { startHub } from '../../wiring/hub.ts'
import { logLevels, logTo, tellTo, type LogLevel } from '../../wiring/hub-log.ts'
import type { SyncChoice } from '../../wiring/sync-choice.ts'
import { systemClock } from '../../wiring/system-clock.ts'
import { listenForInterrupt, type Interrupt } from '../interrupt.ts'
import {
  loadDomains,
  portArgument,
  syncArgument,
  withDomain,
  withFolder,
  type FolderOptions,
} from '../options.ts'
import { appliedText, openOutput, type Output, type Streams } from '../output.ts'
import { hubLimits, withLimits, type LimitOptions } from '../limit-options.ts'
import { retentionOf, withRetention, type RetentionOptions } from '../retention-options.ts'

interface HubCommandOptions extends FolderOptions, RetentionOptions, LimitOptions {
  readonly host: string
  readonly port: number
  readonly sync: SyncChoice
  readonly logLevel: LogLevel
  readonly origin: readonly string[]
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly behindTlsProxy?: boolean
  readonly gateway: boolean
  readonly jwt?: string
}

export function addHub(program: Command, streams: Streams): void {
  withLimits(withRetention(withDomain(withFolder(program.command('hub'), 'hub', 'makes'))))
    .description('serve a hub until stopped; its URL is printed when it is ready')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <number>', 'port to listen on; 0 takes a free one', portArgument, 4400)
    .addOption(
      new Option(
        '--sync <when>',
        'when what is written is synced to the disk: each-batch, before it is acknowledged; every=100ms; or never, which leaves it to the system. The latter two are faster, a power cut may take what was acknowledged since, and replicas are told that it is only "applied"; killing the hub takes nothing',
      )
        .argParser(syncArgument)
        .default('each batch', 'each-batch'),
    )
    .option(
      '--jwt <file>',
      'sign in by tokens: a JSON file with issuer, audience and keys (docs/sign-in.md); by API keys wherever there are some (rejoin keys add)',
    )
    .option('--tls-cert <file>', 'certificate chain (PEM): serve https: and wss:')
    .option('--tls-key <file>', 'its key (PEM)')
    .option('--behind-tls-proxy', 'a proxy in front of it speaks TLS; else the hub stays on loopback')
    .option('--no-gateway', 'serve no thin clients: nothing at /api (docs/gateway.md)')
    .option('--origin <origin>', 'pages of this origin may connect; repeat it for several', listed, [])
    .addOption(
      new Option(
        '--log-level <level>',
        'how much to say on standard error: a line each, with --json as JSON; with debug, where errors come from',
      )
        .choices(logLevels)
        .default('warn'),
    )
    .addHelpText('after', '\nExample:\n  rejoin hub --data ./hub --port 4400')
    .action(async (options: HubCommandOptions, command: Command) => {
      const { tlsCert, tlsKey } = options
      if ((tlsCert === undefined) !== (tlsKey === undefined)) {
        command.error('error: --tls-cert and --tls-key go together')
      }
      const output = openOutput(streams, options.json === true)
      const interrupt = listenForInterrupt(streams)
      try {
        await serve(options, output, interrupt, streams)
      } finally {
        interrupt.release()
      }
      output.note('stopped')
    })
}

/** Until it is stopped. @throws SyncError what `startHub` throws */
async function serve(
  options: HubCommandOptions,
  output: Output,
  interrupt: Interrupt,
  streams: Streams,
): Promise<void> {
  const { tlsCert, tlsKey } = options
  const domains = await loadDomains(options.domain)
  const running = await startHub({
    data: options.data,
    domains,
    host: options.host,
    port: options.port,
    retention: retentionOf(options),
    sync: options.sync,
    origins: options.origin,
    ...hubLimits(options.limit),
    ...(options.gateway ? {} : { gateway: false }),
    ...(tlsCert === undefined || tlsKey === undefined ? {} : { tls: { cert: tlsCert, key: tlsKey } }),
    ...(options.behindTlsProxy === true ? { behindTlsProxy: true } : {}),
    ...(options.jwt === undefined ? {} : { jwt: await readJwtOptions(options.jwt) }),
    log: hubLog(options, streams),
  })
  try {
    const names = domains.map((domain) => domain.name)
    const { url, durability, found } = running
    output.result({ url, domains: names, durability, found }, url)
    for (const { message } of findingEvents(found, options.data, 'hub')) output.note(message)
    const level = appliedText(durability)
    if (level !== null) output.note(`what this hub acknowledges is ${level}`)
    output.note(`serving ${names.join(', ')} from ${options.data}; Ctrl-C stops it`)
    await interrupt.asked
  } finally {
    await running.close()
  }
}

function hubLog({ json, logLevel }: HubCommandOptions, { stderr }: Streams) {
  if (json === true) return logTo(pino({ level: logLevel }, stderr))
  return tellTo(
    (text) => stderr.write(text),
    logLevel,
    () => systemClock.now(),
  )
}

function listed(text: string, before: readonly string[]): readonly string[] {
  return [...before, text]
}
