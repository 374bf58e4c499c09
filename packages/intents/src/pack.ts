/**
 * Reads and writes intent packs: a folder with `_ns.json` and one JSON file per intent, in subfolders by domain. A pack is
 * read whole or not at all, and writing one never leaves a stranger's intent file that would be read as part of it.
 */
import { canonicalValue, limits, SyncError, type Value } from '@rejoin/core'
import { InputError, parseInput } from './input-error.ts'
import { parseJson } from './json-text.ts'
import { fitsKey, IntentId } from './names.ts'
import {
  DOMAIN_FILE,
  idOfPath,
  intentPaths,
  isDomainFolder,
  isIntentFile,
  NAMESPACE_FILE,
} from './pack-names.ts'
import {
  domainFileSchema,
  extraFields,
  intentFileSchema,
  namespaceFileSchema,
  type IntentFile,
  type NamespaceFile,
  type Pack,
} from './pack-schema.ts'

/** The folder of one pack. Paths are relative to it, "/" between their parts. */
export interface PackFiles {
  /** Names in a folder, '' being the pack's own; those of folders end in "/". Empty where there is no such folder. */
  list(path: string): Promise<readonly string[]>
  read(path: string): Promise<string>
  /** Makes the folders on the way. */
  write(path: string, text: string): Promise<void>
}

/** @throws InputError with file, place and reason, for the first malformed file. */
export async function readPack(files: PackFiles): Promise<Pack> {
  const listing = await listPack(files)
  if (!listing.root.includes(NAMESPACE_FILE)) {
    throw new InputError(NAMESPACE_FILE, '', 'missing, so this folder is no intent pack')
  }
  const namespace = readNamespace(await files.read(NAMESPACE_FILE))
  const descriptions = new Map<string, string>()
  for (const path of listing.domains) {
    const { description } = parseInput(domainFileSchema, parseJson(await files.read(path), path), path)
    const domain = path.slice(0, -DOMAIN_FILE.length - 1)
    if (typeof description === 'string') descriptions.set(domain, description)
  }
  const intents = new Map<string, IntentFile>()
  for (const path of listing.intents) {
    const { id, intent } = readIntent(await files.read(path), path)
    if (intents.has(id))
      throw new InputError(path, '', `another file holds intent ${JSON.stringify(id)} already`)
    intents.set(id, intent)
  }
  return { namespace: withDescriptions(namespace, descriptions), intents: sortedById(intents) }
}

/**
 * @throws SyncError FOLDER_FOREIGN, before anything is written, where the folder holds files that would be read as part of
 * the pack and are not.
 */
export async function writePack(pack: Pack, files: PackFiles): Promise<void> {
  const paths = intentPaths(pack.intents.keys())
  const written = new Set([NAMESPACE_FILE, ...[...paths.values()].map(({ path }) => path)])
  const { intents, domains } = await listPack(files)
  const foreign = [...intents, ...domains].filter((path) => !written.has(path))
  if (foreign.length > 0) {
    throw new SyncError(
      'FOLDER_FOREIGN',
      `the folder holds ${foreign.length} file(s) of another pack, such as ${foreign[0]}: use an empty folder, or remove them`,
    )
  }
  for (const [id, intent] of pack.intents) {
    const { path, saysId } = paths.get(id) ?? { path: '', saysId: true }
    const { _id: _, ...fields } = intent
    await files.write(path, jsonText(saysId ? fields : { _id: id, ...fields }))
  }
  // Last, since without it a folder is no pack: one that was cut short is not taken for a whole one.
  await files.write(NAMESPACE_FILE, jsonText(pack.namespace))
}

interface PackListing {
  readonly root: readonly string[]
  /** Paths of intent files and of domain files. */
  readonly intents: readonly string[]
  readonly domains: readonly string[]
}

async function listPack(files: PackFiles): Promise<PackListing> {
  const root = await files.list('')
  const intents = root.filter(isIntentFile)
  const domains: string[] = []
  for (const folder of root.filter(isDomainFolder)) {
    const names = await files.list(folder.slice(0, -1))
    intents.push(...names.filter(isIntentFile).map((name) => folder + name))
    if (names.includes(DOMAIN_FILE)) domains.push(folder + DOMAIN_FILE)
  }
  return { root, intents: intents.sort(), domains: domains.sort() }
}

function readNamespace(text: string): NamespaceFile {
  const namespace = parseInput(namespaceFileSchema, parseJson(text, NAMESPACE_FILE), NAMESPACE_FILE)
  const { domain_descriptions: descriptions, ...fields } = namespace
  checkSizes({ ...fields, ...descriptions }, NAMESPACE_FILE)
  checkSizes({ '': extraFields(namespace, namespaceFileSchema) }, NAMESPACE_FILE)
  return namespace
}

function readIntent(text: string, path: string): { id: string; intent: IntentFile } {
  const json = parseJson(text, path)
  const ownId = isObject(json) ? json['_id'] : undefined
  const id = parseInput(IntentId, ownId ?? idOfPath(path), path)
  const { _id: _, ...intent } = parseInput(intentFileSchema, json, path)
  const { phrases, learned_weights: weights, ...fields } = intent
  checkSizes(fields, path)
  checkSizes({ '': extraFields(intent, intentFileSchema) }, path)
  for (const [lang, list] of Object.entries(phrases)) {
    for (const phrase of list) {
      if (!fitsKey(id, lang, phrase)) throw tooLong(path, `phrases.${lang}`, phrase)
    }
  }
  for (const [i, [token]] of (weights ?? []).entries()) {
    if (!fitsKey(id, token)) throw tooLong(path, `learned_weights[${i}]`, token)
  }
  return { id, intent: intent as IntentFile }
}

function tooLong(file: string, place: string, text: string): InputError {
  const what = `${JSON.stringify(text.slice(0, 60))} and the names above it`
  return new InputError(file, place, `${what} are together larger than ${limits.keyBytesMax} bytes`)
}

/** Whether each value can be stored as one register. */
function checkSizes(fields: object, file: string): void {
  for (const [place, value] of Object.entries(fields)) {
    try {
      canonicalValue(value)
    } catch (cause) {
      const reason = cause instanceof SyncError ? cause.message : 'cannot be stored'
      throw new InputError(file, place, reason, { cause })
    }
  }
}

function withDescriptions(
  namespace: NamespaceFile,
  descriptions: ReadonlyMap<string, string>,
): NamespaceFile {
  if (descriptions.size === 0) return namespace
  const all = { ...namespace.domain_descriptions, ...Object.fromEntries(descriptions) }
  return { ...namespace, domain_descriptions: all }
}

function sortedById(intents: ReadonlyMap<string, IntentFile>): ReadonlyMap<string, IntentFile> {
  return new Map([...intents].sort(([a], [b]) => (a < b ? -1 : 1)))
}

function isObject(value: Value): value is { readonly [name: string]: Value } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function jsonText(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
