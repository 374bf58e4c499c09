/**
 * `keys.json` in a hub's folder: who may sign in by key, and which tokens were taken back. Readable by its owner alone,
 * replaced whole or not at all, by one process at a time. A revoked key stays in it, so that it is seen to have been one.
 */
import { open, readFile, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { SyncError, type Clock } from '@rejoin/core'
import { parsedJson, syncFolder } from '@rejoin/persistence-level/node'
import { z } from 'zod'
import { KEY_NAME_PATTERN } from './api-key.ts'
import { parseScope } from './scope.ts'
import { SUBJECT_PATTERN } from './scoped-principal.ts'

export const KEY_FILE = 'keys.json'
/** Also keeps others from editing meanwhile. */
const DRAFT = 'keys.json.new'
/** Milliseconds after which a draft is what a crash left behind. */
const DRAFT_MS_MAX = 10_000
const FORMAT = 1
const KEYS_MAX = 10_000
const REVOKED_TOKENS_MAX = 10_000

const timeSchema = z.number().int().min(0)
const keySchema = z.strictObject({
  name: z.string().regex(KEY_NAME_PATTERN),
  /** Whom it signs in, where that is not the key itself: keys and tokens of one subject are one principal. */
  subject: z.string().regex(SUBJECT_PATTERN).nullable(),
  scopes: z
    .array(z.string().refine((text) => parseScope(text) !== null, 'expected a scope'))
    .min(1)
    .max(100),
  /** SHA-256 of the key, hexadecimal. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  createdAt: timeSchema,
  expiresAt: timeSchema.nullable(),
  revokedAt: timeSchema.nullable(),
})
/** Times are milliseconds since 1970. */
export type StoredKey = z.output<typeof keySchema>

const revokedTokenSchema = z.union([
  /** The token with this `jti`. */
  z.strictObject({ tokenId: z.string().min(1).max(200), revokedAt: timeSchema }),
  /** Every token of this `sub` that was issued until then. */
  z.strictObject({ subject: z.string().regex(SUBJECT_PATTERN), revokedAt: timeSchema }),
])
export type RevokedToken = z.output<typeof revokedTokenSchema>

const fileSchema = z.strictObject({
  format: z.literal(FORMAT),
  keys: z
    .array(keySchema)
    .max(KEYS_MAX)
    .refine((keys) => new Set(keys.map(({ name }) => name)).size === keys.length, 'a name is there twice'),
  revokedTokens: z.array(revokedTokenSchema).max(REVOKED_TOKENS_MAX).optional(),
})

export interface KeyFile {
  readonly keys: readonly StoredKey[]
  readonly revokedTokens: readonly RevokedToken[]
}

/** Its keys; null where there is no file. @throws SyncError as `readKeyFile` */
export async function readKeys(folder: string): Promise<readonly StoredKey[] | null> {
  return (await readKeyFile(folder))?.keys ?? null
}

/** Null where there is none. @throws SyncError STORE_CORRUPT where it does not read as one, STORE_UNAVAILABLE */
export async function readKeyFile(folder: string): Promise<KeyFile | null> {
  const path = join(folder, KEY_FILE)
  let text
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return null
    throw new SyncError('STORE_UNAVAILABLE', `${path} cannot be read (${codeOf(error)})`, { cause: error })
  }
  const file = fileSchema.safeParse(parsedJson(text))
  if (file.success) return { keys: file.data.keys, revokedTokens: file.data.revokedTokens ?? [] }
  const [issue] = file.error.issues
  const where = issue === undefined ? '' : `: ${issue.path.join('.')} ${issue.message}`
  throw new SyncError(
    'STORE_CORRUPT',
    `${path} does not read as a file of keys${where}: restore or correct it`,
  )
}

/** Changes the keys by `edit`, and hands on what it gives. @throws SyncError STORE_LOCKED, or what `edit` throws */
export async function editKeys<Result>(
  folder: string,
  clock: Clock,
  edit: (keys: readonly StoredKey[]) => { readonly keys: readonly StoredKey[]; readonly result: Result },
): Promise<Result> {
  return await editKeyFile(folder, clock, (file) => {
    const { keys, result } = edit(file.keys)
    return { file: { ...file, keys }, result }
  })
}

/** The same for all of the file. @throws SyncError INPUT_INVALID where it would hold too much, and as `editKeys` */
export async function editKeyFile<Result>(
  folder: string,
  clock: Clock,
  edit: (file: KeyFile) => { readonly file: KeyFile; readonly result: Result },
): Promise<Result> {
  const draft = await openDraft(folder, clock)
  try {
    const { file, result } = edit((await readKeyFile(folder)) ?? { keys: [], revokedTokens: [] })
    await draft.writeFile(`${JSON.stringify(jsonOf(file), null, 2)}\n`)
    await draft.sync()
    await draft.close()
    await rename(join(folder, DRAFT), join(folder, KEY_FILE))
    await syncFolder(folder)
    return result
  } catch (error) {
    await draft.close().catch(() => {})
    await rm(join(folder, DRAFT), { force: true })
    throw error
  }
}

/** Where no token was taken back it stays a file that every version reads. */
function jsonOf({ keys, revokedTokens }: KeyFile): object {
  if (keys.length > KEYS_MAX || revokedTokens.length > REVOKED_TOKENS_MAX) {
    const why = `${KEY_FILE} holds at most ${KEYS_MAX} keys and ${REVOKED_TOKENS_MAX} revoked tokens`
    throw new SyncError('INPUT_INVALID', `${why}: remove from it those that are long past`)
  }
  return { format: FORMAT, keys, ...(revokedTokens.length === 0 ? {} : { revokedTokens }) }
}

async function openDraft(folder: string, clock: Clock): Promise<FileHandle> {
  const path = join(folder, DRAFT)
  const found = await stat(path).catch(() => null)
  if (found !== null && clock.now() - found.mtimeMs > DRAFT_MS_MAX) await rm(path, { force: true })
  try {
    return await open(path, 'wx', 0o600)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
    throw new SyncError('STORE_LOCKED', `${path} is there: the keys are being changed; try again`, {
      cause: error,
    })
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
}
