/** What several tests need: folders in memory and on disk, a document in memory, the data beside the project. */
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestContext } from 'vitest'
import {
  compareEntries,
  formatHlc,
  keyText,
  planWrites,
  prefixText,
  readTables,
  SyncError,
  type Hlc,
  type KeyText,
  type Register,
  type Registers,
} from '@rejoin/core'
import { intents, type IntentsOp, type IntentsTables, type PackFiles } from '../src/index.ts'

/** A folder in memory: path → text. */
export function filesIn(texts: Map<string, string>): PackFiles {
  return {
    list: (path) => {
      const prefix = path === '' ? '' : `${path}/`
      const inside = [...texts.keys()]
        .filter((name) => name.startsWith(prefix))
        .map((name) => name.slice(prefix.length))
      return Promise.resolve([...new Set(inside.map((name) => name.replace(/\/.*/, '/')))])
    },
    read: (path) => {
      const text = texts.get(path)
      return text === undefined ? Promise.reject(new Error(`no ${path}`)) : Promise.resolve(text)
    },
    write: (path, text) => {
      texts.set(path, text)
      return Promise.resolve()
    },
  }
}

export function filesOnDisk(root: string): PackFiles {
  return {
    list: async (path) => {
      const entries = await readdir(join(root, path), { withFileTypes: true })
      return entries.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
    },
    read: (path) => readFile(join(root, path), 'utf8'),
    write: async (path, text) => {
      await mkdir(dirname(join(root, path)), { recursive: true })
      await writeFile(join(root, path), text)
    },
  }
}

export const samplePackPath = fileURLToPath(new URL('../../rejoin/sample-pack', import.meta.url))

const dataRoot =
  process.env['REJOIN_DATA'] ?? fileURLToPath(new URL('../../../../shared/data', import.meta.url))

/** The path of data that lies beside the project; where it does not, skips the test and says so. */
export function sharedData(context: TestContext, path: string): string {
  const full = join(dataRoot, path)
  if (!existsSync(full)) {
    const reason = `${full} is not there: put the data beside the project, or set REJOIN_DATA`
    console.warn(`skipped: ${reason}`)
    context.skip(reason)
  }
  return full
}

/** A document of one replica: what core decides, kept in maps. Each `apply` is a later moment than the one before. */
export class MemoryDocument implements Registers {
  readonly #tables = new Map<string, Map<KeyText, Register>>()
  #ms = 0
  /** Registers that commits have changed, for tests that count writes. */
  writeCount = 0

  get tables(): IntentsTables {
    return readTables(intents, this)
  }

  apply(...ops: IntentsOp[]): void {
    const hlc: Hlc = formatHlc({ ms: ++this.#ms, counter: 0, author: '-----' })
    for (const write of planWrites(intents, ops, this, hlc, 'required')) {
      const table = this.#tables.get(write.table) ?? new Map<KeyText, Register>()
      this.#tables.set(write.table, table)
      if (write.kind === 'remove') table.delete(keyText(write.key))
      else table.set(keyText(write.key), [{ table: write.table, key: write.key, value: write.value, hlc }])
      this.writeCount++
    }
  }

  /** What another replica wrote at the same time: both entries stay. */
  mergeConcurrent(other: MemoryDocument): void {
    for (const [name, theirs] of other.#tables) {
      const ours = this.#tables.get(name) ?? new Map<KeyText, Register>()
      this.#tables.set(name, ours)
      for (const [key, register] of theirs) {
        const later = register.map((entry) => ({ ...entry, hlc: `${entry.hlc.slice(0, -1)}z` as Hlc }))
        ours.set(key, [...(ours.get(key) ?? []), ...later].sort(compareEntries))
      }
    }
  }

  read(table: string, key: readonly string[]): Register {
    return this.#tables.get(table)?.get(keyText(key)) ?? []
  }

  *scan(table: string, prefix: readonly string[]): Iterable<Register> {
    const start = prefixText(prefix)
    const rows = [...(this.#tables.get(table) ?? [])].filter(([key]) => key.startsWith(start))
    for (const [, register] of rows.sort(([a], [b]) => (a < b ? -1 : 1))) yield register
  }

  *contested(): Iterable<Register> {
    for (const table of this.#tables.values()) {
      for (const register of table.values()) if (register.length > 1) yield register
    }
  }

  tableNames(): Iterable<string> {
    return this.#tables.keys()
  }
}

/** The code with which something is refused, or 'none'. */
export function codeOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof SyncError) return error.code
    throw error
  }
  return 'none'
}

export const intentText = '{"phrases": {"en": ["hello"]}}'

/** The files of a pack in memory, with a `_ns.json` unless given. */
export function packFiles(texts: Record<string, string>): Map<string, string> {
  return new Map(Object.entries({ '_ns.json': '{"name": "shop", "description": ""}', ...texts }))
}
