/** What hub and server tell, as lines of pino for programs, or as lines for people. */
import { SyncError } from '@rejoin/core'
import type { HubLogEvent } from '@rejoin/hub'
import type { ServerEvent } from '@rejoin/transport/server'
import type { Logger } from 'pino'

/** In falling order of how much is said. */
export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

type Hear = (event: HubLogEvent | ServerEvent) => void

export function logTo(logger: Logger): Hear {
  return (event) => {
    const { level, message, error, fields } = saidOf(event)
    logger[level]({ ...fields, ...(error === undefined ? {} : { err: error }) }, message)
  }
}

/** One line an event; where an error comes from is told with `debug` alone. @param now milliseconds since 1970. */
export function tellTo(write: (text: string) => void, least: LogLevel, now: () => number): Hear {
  return (event) => {
    const { level, message, error, fields } = saidOf(event)
    if (logLevels.indexOf(level) < logLevels.indexOf(least)) return
    const { namespace, ...more } = fields
    const where = namespace === undefined ? '' : `${namespace}: `
    const beside = Object.entries(more).map(([name, value]) => ` ${name}=${textOf(value)}`)
    const text = `${where}${message}${beside.join('')}${errorText(error, least === 'debug')}`
    write(`${new Date(now()).toISOString()} ${level} ${text}\n`)
  }
}

interface Said {
  readonly level: Exclude<LogLevel, 'silent'>
  readonly message: string
  readonly error?: unknown
  readonly fields: Readonly<Record<string, unknown>> & { readonly namespace?: string }
}

function saidOf(event: HubLogEvent | ServerEvent): Said {
  if ('level' in event) {
    const { level, message, namespace, error } = event
    return { level, message, error, fields: namespace === null ? {} : { namespace } }
  }
  if (event.event === 'fault')
    return { level: 'error', message: 'the server met a fault', error: event.error, fields: {} }
  if (event.event === 'refused')
    return { level: 'warn', message: event.message, fields: { code: event.code } }
  return { level: 'debug', message: event.event, fields: { ...event } }
}

function textOf(value: unknown): string {
  return typeof value === 'string' && /^[\w.:-]+$/.test(value) ? value : JSON.stringify(value)
}

function errorText(error: unknown, withStack: boolean): string {
  if (error === undefined) return ''
  if (!(error instanceof Error)) return `: ${String(error)}`
  const code = error instanceof SyncError ? ` [${error.code}]` : ''
  return `: ${error.message}${code}${withStack && error.stack !== undefined ? `\n${error.stack}` : ''}`
}
