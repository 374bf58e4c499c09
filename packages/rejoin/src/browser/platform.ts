/** Of a page, what is used here: this package is checked without the types of the DOM. */

/** `localStorage`, or what an app keeps small notes in where there is none, as in a worker. */
export interface NoteStorage {
  getItem(key: string): string | null
  setItem(key: string, value: string): void
}

export interface StorageManager {
  persisted(): Promise<boolean>
  persist(): Promise<boolean>
}

/** Null where there is none, or the page may not use it. */
export function localNotes(): NoteStorage | null {
  try {
    return (globalThis as { localStorage?: NoteStorage }).localStorage ?? null
  } catch {
    return null
  }
}

/** Undefined where a page is neither `https:` nor of loopback. */
export function storageManager(): StorageManager | undefined {
  return (globalThis as { navigator?: { readonly storage?: StorageManager } }).navigator?.storage
}
