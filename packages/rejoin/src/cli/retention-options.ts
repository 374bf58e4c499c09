/** How much of its log a hub keeps, as its commands take it. */
import { InvalidArgumentError, type Command } from 'commander'
import { defaultRetention, type Retention } from '@rejoin/hub'
import { wholeNumber } from './options.ts'

export interface RetentionOptions {
  readonly retentionCommits: number
  readonly retentionBytes: number
  readonly retentionHours: number
}

/** A record stays while fewer commits and bytes than these come after it, or while it is younger. */
export function withRetention(command: Command): Command {
  const { commits, bytes, hours } = defaultRetention
  return command
    .option(
      '--retention-commits <number>',
      'commits that stay in the log for replicas that were away, unless they have more bytes than the next option says',
      wholeNumber,
      commits,
    )
    .option(
      '--retention-bytes <size>',
      'bytes of log that stay so, e.g. 8MB or 1GiB; whichever of the two is reached first lets older ones go',
      bytesArgument,
      bytes,
    )
    .option(
      '--retention-hours <number>',
      'what is younger stays whatever those two say; 0 keeps nothing for its age. All three are applied with each checkpoint: the hub makes one once more was logged than the last one holds (64 KiB at least), and `rejoin checkpoint` does it now',
      hoursArgument,
      hours,
    )
}

export function retentionOf(options: RetentionOptions): Retention {
  const { retentionCommits: commits, retentionBytes: bytes, retentionHours: hours } = options
  return { commits, bytes, hours }
}

const units: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  kB: 1_000,
  KB: 1_000,
  MB: 1_000_000,
  GB: 1_000_000_000,
  KiB: 1_024,
  MiB: 1_024 ** 2,
  GiB: 1_024 ** 3,
}

export function bytesArgument(text: string): number {
  const [, count, unit] = /^(\d+)([A-Za-z]*)$/.exec(text) ?? []
  const bytes = Number(count) * (units[unit ?? ''] ?? Number.NaN)
  if (Number.isSafeInteger(bytes)) return bytes
  throw new InvalidArgumentError('expected a size such as 8MB, 512KiB or 1GB')
}

function hoursArgument(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text)
  throw new InvalidArgumentError('expected a number of hours, such as 24 or 0.5')
}
