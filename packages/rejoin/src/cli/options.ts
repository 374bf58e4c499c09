/** Options that several commands share, and the domain they work on. */
import { existsSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { resolve } from 'node:path'
import { InvalidArgumentError, type Command } from 'commander'
import { checkNamespace, SyncError, type AnyDomain } from '@rejoin/core'
import { intents } from '@rejoin/intents'
import { openClient, type Client } from '../wiring/client.ts'
import { interruptible } from './interrupt.ts'
import type { Replica } from '@rejoin/replica'

export interface FolderOptions {
  readonly data: string
  readonly domain?: string
  readonly json?: boolean
}

export interface ReplicaOptions extends FolderOptions {
  readonly namespace: string
}

/** What a command does to its data folder: one that only looks must not make one of a mistyped path. */
export type FolderUse = 'makes' | 'reads'

export function withFolder(
  command: Command,
  whose: 'hub' | 'replica',
  use: FolderUse,
  json = 'print one JSON document',
): Command {
  const made = use === 'makes' ? '; made where there is none' : ''
  return command.requiredOption('--data <dir>', `data folder of the ${whose}${made}`).option('--json', json)
}

export function withDomain(command: Command): Command {
  return command.option(
    '--domain <file>',
    'a JavaScript module that exports the domain (default: the intents domain)',
  )
}

export function withReplica(command: Command, use: FolderUse, json?: string): Command {
  return withFolder(command, 'replica', use, json).requiredOption(
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

/** @throws SyncError INPUT_INVALID */
export function requireFolder(path: string): void {
  if (!existsSync(path)) throw new SyncError('INPUT_INVALID', `${path} is not there: is the path right?`)
}

export interface ReplicaUse {
  readonly use: FolderUse
  readonly hub?: string
  /** Whether to connect at once and stay connected. */
  readonly live?: boolean
}

/** Opens one replica of the domain that the options name, hands it over, and closes everything whatever happens. */
export async function usingReplica<R>(
  options: ReplicaOptions,
  how: ReplicaUse,
  work: (replica: Replica<AnyDomain>, client: Client) => Promise<R>,
): Promise<R> {
  const [domain] = await loadDomains(options.domain)
  return usingDomain(domain ?? intents, options, how, work)
}

/** For the commands that work on intents alone. */
export async function usingIntents<R>(
  options: ReplicaOptions,
  use: FolderUse,
  work: (replica: Replica<typeof intents>) => Promise<R>,
): Promise<R> {
  return usingDomain(intents, options, { use }, work)
}

async function usingDomain<D extends AnyDomain, R>(
  domain: D,
  { data, namespace }: ReplicaOptions,
  { use, hub, live = false }: ReplicaUse,
  work: (replica: Replica<D>, client: Client) => Promise<R>,
): Promise<R> {
  if (use === 'reads') requireFolder(data)
  const client = await openClient({ data, ...(hub === undefined ? {} : { hub }) })
  try {
    if (use === 'reads') await requireNamespace(client, data, namespace)
    const open = async (): Promise<R> => work(await client.open(domain, namespace, { live }), client)
    // What is live until it is stopped listens for Ctrl-C by itself.
    return await (live ? open() : interruptible(open, () => client.close()))
  } finally {
    await client.close()
  }
}

/** @throws SyncError NAMESPACE_UNKNOWN */
export async function requireNamespace(client: Client, data: string, namespace: string): Promise<void> {
  const names = await client.namespaces()
  if (names.includes(namespace)) return
  const held = names.length === 0 ? 'none yet' : names.join(', ')
  throw new SyncError('NAMESPACE_UNKNOWN', `${data} holds no namespace ${namespace}; it holds ${held}`)
}
