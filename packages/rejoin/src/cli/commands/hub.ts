/** `rejoin hub`: serves until it is stopped. */
import { Option, type Command } from 'commander'
import { pino } from 'pino'
import { limits } from '@rejoin/core'
import { startHub } from '../../wiring/hub.ts'
import { logTo } from '../../wiring/hub-log.ts'
import { listenForInterrupt } from '../interrupt.ts'
import {
  loadDomains,
  portArgument,
  wholeNumber,
  withDomain,
  withFolder,
  type FolderOptions,
} from '../options.ts'
import { openOutput, type Streams } from '../output.ts'

interface HubCommandOptions extends FolderOptions {
  readonly host: string
  readonly port: number
  readonly retention: number
  readonly logLevel: string
}

export function addHub(program: Command, streams: Streams): void {
  withDomain(withFolder(program.command('hub'), 'hub', 'makes'))
    .description('serve a hub until stopped; its URL is printed when it is ready')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <number>', 'port to listen on; 0 takes a free one', portArgument, 4400)
    .option(
      '--retention <commits>',
      'commits that stay available as a tail',
      wholeNumber,
      limits.retentionCommitsMin,
    )
    .addOption(
      new Option('--log-level <level>', 'how much to say on standard error')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('warn'),
    )
    .addHelpText('after', '\nExample:\n  rejoin hub --data ./hub --port 4400')
    .action(async (options: HubCommandOptions) => {
      const output = openOutput(streams, options.json === true)
      const interrupt = listenForInterrupt(streams)
      const domains = await loadDomains(options.domain)
      const running = await startHub({
        data: options.data,
        domains,
        host: options.host,
        port: options.port,
        retentionCommits: options.retention,
        log: logTo(pino({ level: options.logLevel }, streams.stderr)),
      })
      try {
        const names = domains.map((domain) => domain.name)
        output.result({ url: running.url, domains: names }, running.url)
        output.note(`serving ${names.join(', ')} from ${options.data}; Ctrl-C stops it`)
        await interrupt.asked
      } finally {
        await running.close()
        interrupt.release()
      }
      output.note('stopped')
    })
}
