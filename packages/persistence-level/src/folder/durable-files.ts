/** What the small files beside a database have in common: they are read as whatever they are, and synced with their names. */
import { open } from 'node:fs/promises'

/** Null where it is no JSON. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** The names in it. Windows has no such thing; a rename there is as durable as it gets. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform !== 'win32') await syncFile(folder)
}
