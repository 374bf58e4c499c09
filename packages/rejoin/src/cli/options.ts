/** Options that several commands share, and the domain they work on. */
import { pathToFileURL } from 'node:url'
import { resolve } from 'node:path'
import { InvalidArgumentError, type Command } from 'commander'
import { checkNamespace, SyncError, type AnyDomain } from '@rejoin/core'
import { intents } from '@rejoin/intents'
import { openClient, type Client } from '../wiring/client.ts'
import type { Replica } from '@rejoin/replica'

export interface FolderOptions {
  readonly data: string
  readonly domain?: string
  readonly json?: boolean
}

export interface ReplicaOptions extends FolderOptions {
  readonly namespace: string
}

export function withFolder(command: Command, whose: string): Command {
  return command
    .requiredOption('--data <dir>', `data folder of the ${whose}; made where there is none`)
    .option('--domain <file>', 'a JavaScript module that exports the domain (default: the intents domain)')
    .option('--json', 'print JSON')
}

export function withReplica(command: Command): Command {
  return withFolder(command, 'replica').requiredOption(
    '--namespace <name>',
    'which namespace',
    namespaceArgument,
  )
}

export function namespaceArgument(text: string): string {
  try {
    return checkNamespace(text)
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error))
  }
}

export function wholeNumber(text: string): number {
  const number = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number))
    throw new InvalidArgumentError('expected a whole number')
  return number
}

export function portArgument(text: string): number {
  const port = wholeNumber(text)
  if (port > 65_535) throw new InvalidArgumentError('a port is at most 65535')
  return port
}

/** The domains that a module exports, by any name. @throws SyncError DOMAIN_INVALID */
export async function loadDomains(file: string | undefined): Promise<readonly AnyDomain[]> {
  if (file === undefined) return [intents]
  let module: object
  try {
    module = (await import(pathToFileURL(resolve(file)).href)) as object
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new SyncError('DOMAIN_INVALID', `${file} cannot be loaded as a JavaScript module: ${reason}`, {
      cause: error,
    })
  }
  const domains = Object.values(module).filter(isDomain)
  if (domains.length === 0)
    throw new SyncError('DOMAIN_INVALID', `${file} exports no domain made by defineDomain`)
  return domains
}

function isDomain(value: unknown): value is AnyDomain {
  return typeof value === 'object' && value !== null && 'layouts' in value && value.layouts instanceof Map
}

/** Opens one replica, hands it over, and closes everything whatever happens. */
export async function usingReplica<R>(
  options: ReplicaOptions,
  use: (replica: Replica<AnyDomain>, client: Client) => Promise<R>,
  hub?: string,
): Promise<R> {
  const [domain] = await loadDomains(options.domain)
  const client = await openClient({ data: options.data, ...(hub === undefined ? {} : { hub }) })
  try {
    return await use(await client.open(domain ?? intents, options.namespace), client)
  } finally {
    await client.close()
  }
}

/** The intents commands work on intents alone. */
export async function usingIntents<R>(
  options: ReplicaOptions,
  use: (replica: Replica<typeof intents>) => Promise<R>,
): Promise<R> {
  const client = await openClient({ data: options.data })
  try {
    return await use(await client.open(intents, options.namespace))
  } finally {
    await client.close()
  }
}
