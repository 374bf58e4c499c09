/** Options that several commands share, and the domain they work on. */
import { existsSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { resolve } from 'node:path'
import { InvalidArgumentError, type Command } from 'commander'
import { checkNamespace, SyncError, type AnyDomain } from '@rejoin/core'
import { intents } from '@rejoin/intents'
import type { TokenSource } from '@rejoin/transport'
import { openClient, type Client } from '../wiring/client.ts'
import { everyMsMax, type SyncChoice } from '../wiring/sync-choice.ts'
import { interruptible } from './interrupt.ts'
import { tellCopy, tellLosses, type Output } from './output.ts'
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
export type FolderUse = 'makes' | 'makes new' | 'reads'

const useTexts: Readonly<Record<FolderUse, string>> = {
  makes: '; made where there is none',
  'makes new': ' that is made; nothing may be there yet',
  reads: '',
}

export function withFolder(
  command: Command,
  whose: 'hub' | 'replica',
  use: FolderUse,
  json = 'print one JSON document',
): Command {
  return command
    .requiredOption('--data <dir>', `data folder of the ${whose}${useTexts[use]}`)
    .option('--json', json)
}

export function withDomain(command: Command): Command {
  return command.option(
    '--domain <file>',
    'a JavaScript module with the domain as its default export, or its only one (default: the intents domain)',
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

/** `each-batch`, `never`, `every=100ms` or `every=2s`. */
export function syncArgument(text: string): SyncChoice {
  if (text === 'each-batch') return 'each batch'
  if (text === 'never') return 'never'
  const [, count, unit] = /^every=(\d{1,6})(ms|s)$/.exec(text) ?? []
  const everyMs = Number(count) * (unit === 's' ? 1_000 : 1)
  if (everyMs >= 1 && everyMs <= everyMsMax) return { everyMs }
  throw new InvalidArgumentError(`expected each-batch, every=100ms (1 to ${everyMsMax} ms) or never`)
}

/**
 * The domain that a module exports: its default export, or the only one there is.
 * @throws SyncError DOMAIN_INVALID, also where a choice would be a guess.
 */
export async function loadDomain(file: string | undefined): Promise<AnyDomain> {
  if (file === undefined) return intents
  const { byDefault, all } = await domainsOf(file)
  const [first, ...others] = all.keys()
  const domain = byDefault ?? (others.length === 0 ? first : undefined)
  if (domain !== undefined) return domain
  const names = [...all].map(([{ name, version }, as]) => `${as} (${name}, version ${version})`).join(', ')
  throw new SyncError(
    'DOMAIN_INVALID',
    `${file} exports ${all.size} domains: ${names}; make the one that is meant its default export, or name a module that exports it alone`,
  )
}

/** The domains that a hub serves: all that a module exports; of those with one name the default export. @throws SyncError DOMAIN_INVALID */
export async function loadDomains(file: string | undefined): Promise<readonly AnyDomain[]> {
  if (file === undefined) return [intents]
  const { byDefault, all } = await domainsOf(file)
  return [...all.keys()].filter((domain) => domain === byDefault || domain.name !== byDefault?.name)
}

interface ExportedDomains {
  readonly byDefault: AnyDomain | null
  /** Each once, with the name that it is exported by. */
  readonly all: ReadonlyMap<AnyDomain, string>
}

async function domainsOf(file: string): Promise<ExportedDomains> {
  let module: object
  try {
    module = (await import(pathToFileURL(resolve(file)).href)) as object
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new SyncError('DOMAIN_INVALID', `${file} cannot be loaded as a JavaScript module: ${reason}`, {
      cause: error,
    })
  }
  const all = new Map<AnyDomain, string>()
  for (const [name, value] of Object.entries(module)) if (isDomain(value)) all.set(value, name)
  if (all.size === 0) throw new SyncError('DOMAIN_INVALID', `${file} exports no domain made by defineDomain`)
  const byDefault: unknown = 'default' in module ? module.default : null
  return { byDefault: isDomain(byDefault) ? byDefault : null, all }
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
  readonly output: Output
  readonly hub?: string
  readonly token?: TokenSource | undefined
  /** Whether to connect at once and stay connected. */
  readonly live?: boolean
}

/** Opens one replica of the domain that the options name, hands it over, and closes everything whatever happens. */
export async function usingReplica<R>(
  options: ReplicaOptions,
  how: ReplicaUse,
  work: (replica: Replica<AnyDomain>, client: Client) => Promise<R>,
): Promise<R> {
  const domain = await loadDomain(options.domain)
  return withDomainHint(options, () => usingDomain(domain, options, how, work))
}

/** Says with DOMAIN_MISMATCH what to do about it on the command line. */
export async function withDomainHint<R>(options: FolderOptions, work: () => Promise<R>): Promise<R> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof SyncError) || error.code !== 'DOMAIN_MISMATCH') throw error
    const hint =
      options.domain === undefined
        ? 'give --domain FILE, a module that exports that domain'
        : `${options.domain} exports another; give --domain FILE with a module that exports that domain, or none for the intents domain`
    throw new SyncError('DOMAIN_MISMATCH', `${error.message} (${hint})`, { cause: error })
  }
}

/** For the commands that work on intents alone. */
export async function usingIntents<R>(
  options: ReplicaOptions,
  how: ReplicaUse,
  work: (replica: Replica<typeof intents>) => Promise<R>,
): Promise<R> {
  return usingDomain(intents, options, how, work)
}

async function usingDomain<D extends AnyDomain, R>(
  domain: D,
  { data, namespace }: ReplicaOptions,
  { use, output, hub, token, live = false }: ReplicaUse,
  work: (replica: Replica<D>, client: Client) => Promise<R>,
): Promise<R> {
  if (use === 'reads') requireFolder(data)
  const signedIn = token === undefined ? {} : { token }
  const client = await openClient({ data, ...(hub === undefined ? {} : { hub }), ...signedIn })
  tellLosses(output, client.found, data)
  try {
    if (use === 'reads') await requireNamespace(client, data, namespace)
    const open = async (): Promise<R> => {
      const replica = await client.open(domain, namespace, { live })
      tellCopy(output, replica)
      return await work(replica, client)
    }
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
