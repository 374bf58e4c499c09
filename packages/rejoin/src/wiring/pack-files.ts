/** Pack folders on this machine's disk. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { PackFiles } from '@rejoin/intents'

export function nodePackFiles(folder: string): PackFiles {
  return {
    list: async (path) => {
      const items = await readdir(join(folder, path), { withFileTypes: true }).catch((error: unknown) => {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
        throw error
      })
      return items.map((item) => (item.isDirectory() ? `${item.name}/` : item.name))
    },
    read: (path) => readFile(join(folder, path), 'utf8'),
    write: async (path, text) => {
      const file = join(folder, path)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, text)
    },
  }
}
