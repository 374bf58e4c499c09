/** `rejoin keys add | list | revoke`: who may sign in to a hub by API key. A hub that runs follows the changes. */
import { InvalidArgumentError, type Command } from 'commander'
import { SyncError } from '@rejoin/core'
import { folderKind, openHubFolder, refuseBackup } from '@rejoin/persistence-level/node'
import { hashOf, KEY_NAME_PATTERN, newKey } from '../../auth/api-key.ts'
import { editKeyFile, editKeys, readKeys, type KeyFile, type StoredKey } from '../../auth/key-file.ts'
import { parseScope, scopeText, type Scope } from '../../auth/scope.ts'
import { SUBJECT_PATTERN } from '../../auth/scoped-principal.ts'
import { systemClock } from '../../wiring/system-clock.ts'
import { withFolder, type FolderOptions } from '../options.ts'
import { openOutput, timeText, type Streams } from '../output.ts'

interface AddOptions extends FolderOptions {
  readonly name: string
  readonly scope: readonly Scope[]
  readonly subject?: string
  /** Milliseconds. */
  readonly expires?: number
}

interface RevokeOptions extends FolderOptions {
  readonly name?: string
  readonly tokenId?: string
  readonly subject?: string
}

export function addKeys(program: Command, streams: Streams): void {
  const keys = program
    .command('keys')
    .description("the API keys of a hub: a hub's folder with keys asks for sign-in")
    .addHelpText(
      'after',
      "\nExample:\n  rejoin keys add --data ./hub --name laptop --scope 'write:support,write:support-*'",
    )

  withFolder(keys.command('add'), 'hub', 'makes')
    .description('make a key and show it, this once; the hub keeps only its hash')
    .requiredOption(
      '--name <name>',
      'what the key is called: up to 32 lowercase letters, digits and -',
      nameArgument,
    )
    .requiredOption(
      '--scope <scopes>',
      "what it may do: read, write (and read) or admin (all of it), for all namespaces or those of a pattern, as in 'write:support-*' (quoted for the shell; the namespace support is none of them); several with commas",
      scopesArgument,
    )
    .option(
      '--subject <subject>',
      'whom it signs in: keys and tokens of one subject are one principal',
      subjectArgument,
    )
    .option(
      '--expires <time>',
      'how long it holds: 90d, 12h, 30m or 60s; without it until it is revoked',
      timeArgument,
    )
    .addHelpText(
      'after',
      "\nExample:\n  rejoin keys add --data ./hub --name laptop --scope 'write:support,write:support-*' --expires 90d",
    )
    .action(async (options: AddOptions) => {
      const output = openOutput(streams, options.json === true)
      refuseBackup(options.data)
      await requireHubFolder(options.data, 'made')
      const isFirst = (await readKeys(options.data)) === null
      const { key, stored } = await addKey(options)
      const { name, subject, scopes, expiresAt } = stored
      output.result({ key, name, subject, scopes, expiresAt }, key)
      output.note(
        'shown this once: keep it in a file that only you can read, and give that with --token-file',
      )
      if (isFirst)
        output.note(
          'from now on this hub asks for sign-in; one that runs already does so once it is restarted',
        )
    })

  withFolder(keys.command('list'), 'hub', 'reads')
    .description('show the keys: whose, what for, until when; never the keys themselves')
    .addHelpText('after', '\nExample:\n  rejoin keys list --data ./hub')
    .action(async (options: FolderOptions) => {
      const output = openOutput(streams, options.json === true)
      await requireHubFolder(options.data, 'there')
      const stored = (await readKeys(options.data)) ?? []
      output.result(
        stored.map(shown),
        stored.length === 0
          ? 'no keys: this hub asks nobody, and stays on loopback'
          : stored.map(sentenceOf).join('\n'),
      )
    })

  withFolder(keys.command('revoke'), 'hub', 'reads')
    .description('take a key or tokens back: whoever is signed in by one is disconnected, within 5 seconds')
    .option('--name <name>', 'which key', nameArgument)
    .option('--token-id <jti>', 'the token (JWT) with this jti', tokenIdArgument)
    .option(
      '--subject <subject>',
      'all keys of this subject, and all of its tokens that were issued until now',
      subjectArgument,
    )
    .addHelpText(
      'after',
      '\nExamples:\n  rejoin keys revoke --data ./hub --name laptop\n  rejoin keys revoke --data ./hub --subject ada',
    )
    .action(async (options: RevokeOptions, command: Command) => {
      const output = openOutput(streams, options.json === true)
      const { data, name, tokenId, subject } = options
      if ([name, tokenId, subject].filter((each) => each !== undefined).length !== 1)
        command.error('error: give one of --name, --token-id and --subject')
      await requireHubFolder(data, 'there')
      const at = systemClock.now()
      if (name !== undefined) {
        const { revokedAt } = await revokeKey(data, name)
        return output.result({ name, revokedAt }, `revoked ${name}`)
      }
      await editKeyFile(data, systemClock, (file) => ({
        file:
          subject === undefined ? withoutToken(file, tokenId ?? '', at) : withoutSubject(file, subject, at),
        result: null,
      }))
      if (subject === undefined) return output.result({ tokenId, revokedAt: at }, `revoked token ${tokenId}`)
      output.result({ subject, revokedAt: at }, `revoked what ${subject} had until now`)
    })
}

/** @throws SyncError INPUT_INVALID where the name is in use. A revoked name may be used again: it is the same principal. */
async function addKey({
  data,
  name,
  scope,
  subject,
  expires,
}: AddOptions): Promise<{ key: string; stored: StoredKey }> {
  const now = systemClock.now()
  const key = newKey(name, systemClock)
  const stored: StoredKey = {
    name,
    subject: subject ?? null,
    scopes: scope.map(scopeText),
    hash: hashOf(key),
    createdAt: now,
    expiresAt: expires === undefined ? null : now + expires,
    revokedAt: null,
  }
  return await editKeys(data, systemClock, (keys) => {
    if (keys.some((other) => other.name === name && other.revokedAt === null)) {
      const why = `there is a key ${name}: revoke it first, or choose another name (with --subject both are one principal)`
      throw new SyncError('INPUT_INVALID', why)
    }
    return { keys: [...keys.filter((other) => other.name !== name), stored], result: { key, stored } }
  })
}

async function revokeKey(data: string, name: string): Promise<StoredKey> {
  return await editKeys(data, systemClock, (keys) => {
    const found = keys.find((key) => key.name === name)
    if (found === undefined) throw new SyncError('INPUT_INVALID', `${data} has no key ${name}`)
    const revoked = { ...found, revokedAt: found.revokedAt ?? systemClock.now() }
    return { keys: keys.map((key) => (key === found ? revoked : key)), result: revoked }
  })
}

function withoutToken(file: KeyFile, tokenId: string, revokedAt: number): KeyFile {
  const others = file.revokedTokens.filter((token) => !('tokenId' in token) || token.tokenId !== tokenId)
  return { ...file, revokedTokens: [...others, { tokenId, revokedAt }] }
}

/** A later revocation takes the place of an earlier one. */
function withoutSubject(file: KeyFile, subject: string, revokedAt: number): KeyFile {
  const others = file.revokedTokens.filter((token) => !('subject' in token) || token.subject !== subject)
  const keys = file.keys.map((key) =>
    key.subject === subject ? { ...key, revokedAt: key.revokedAt ?? revokedAt } : key,
  )
  return { keys, revokedTokens: [...others, { subject, revokedAt }] }
}

/** A hub may run on it. @throws SyncError INPUT_INVALID, FOLDER_FOREIGN, or what making one throws. */
async function requireHubFolder(data: string, state: 'made' | 'there'): Promise<void> {
  const kind = await folderKind(data)
  if (kind === null) {
    if (state === 'there')
      throw new SyncError('INPUT_INVALID', `${data} is no hub's folder: is the path right?`)
    await (await openHubFolder(data)).close()
    return
  }
  if (kind !== 'hub')
    throw new SyncError('FOLDER_FOREIGN', `${data} is the folder of a ${kind}, not of a hub`)
}

/** Without its hash, which is nobody's business. */
function shown(key: StoredKey) {
  const { name, subject, scopes, createdAt, expiresAt, revokedAt } = key
  return { name, subject, scopes, createdAt, expiresAt, revokedAt, state: stateOf(key) }
}

function sentenceOf(key: StoredKey): string {
  const { name, subject, scopes, createdAt, expiresAt } = key
  const whose = subject === null ? '' : ` of ${subject}`
  const until = expiresAt === null ? 'does not expire' : `until ${timeText(expiresAt)}`
  return `${name}${whose}: ${stateOf(key)}, ${scopes.join(' ')}, since ${timeText(createdAt)}, ${until}`
}

function stateOf({ expiresAt, revokedAt }: Pick<StoredKey, 'expiresAt' | 'revokedAt'>): string {
  if (revokedAt !== null) return 'revoked'
  return expiresAt !== null && expiresAt <= systemClock.now() ? 'expired' : 'active'
}

function nameArgument(text: string): string {
  if (KEY_NAME_PATTERN.test(text)) return text
  throw new InvalidArgumentError('expected up to 32 lowercase letters, digits and -')
}

function subjectArgument(text: string): string {
  if (SUBJECT_PATTERN.test(text)) return text
  throw new InvalidArgumentError('expected up to 200 characters without control characters')
}

function tokenIdArgument(text: string): string {
  if (text.length > 0 && text.length <= 200) return text
  throw new InvalidArgumentError('expected up to 200 characters')
}

function scopesArgument(text: string): readonly Scope[] {
  return text.split(',').map((part) => {
    const scope = parseScope(part.trim())
    if (scope === null) throw new InvalidArgumentError('expected read, write or admin, as in write:support-*')
    return scope
  })
}

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

function timeArgument(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  const ms = unit === 's' || unit === 'm' || unit === 'h' || unit === 'd' ? Number(count) * unitMs[unit] : 0
  if (ms === 0) throw new InvalidArgumentError('expected a time such as 90d, 12h, 30m or 60s')
  return ms
}
