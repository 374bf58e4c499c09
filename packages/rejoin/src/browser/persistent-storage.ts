/** Asks the browser to keep what is stored for this origin until people clear it themselves (`HAZARDS.md` F12). */
import { storageManager } from './platform.ts'

/**
 * `granted`: nothing of this origin is evicted. `denied`: it may be, when the disk fills or, in some browsers, when nobody has
 * visited for days. `unknown`: the browser cannot be asked here.
 */
export type StoragePersistence = 'granted' | 'denied' | 'unknown'

/** Some browsers ask their user, who may take their time: nothing waits for this. Never rejects. */
export async function askForPersistence(): Promise<StoragePersistence> {
  const storage = storageManager()
  if (storage === undefined) return 'unknown'
  try {
    return (await storage.persisted()) || (await storage.persist()) ? 'granted' : 'denied'
  } catch {
    return 'unknown'
  }
}
