/** Backups of a running hub: one at a time, asked for by the app or over the control socket, ended when the hub closes. */
import { SyncError } from '@rejoin/core'
import type { HubLogEvent } from '@rejoin/hub'
import type { BackupOptions, HubBackup, HubFolder } from '@rejoin/persistence-level/node'
import { KEY_FILE } from '../auth/key-file.ts'
import { serveControl, type ControlServer } from './control-server.ts'
import { systemClock } from './system-clock.ts'

/** What a hub keeps in its folder beside its store: a hub without its keys would ask nobody who they are. */
export const besideStore: readonly string[] = [KEY_FILE]

export type HubBackupOptions = Omit<BackupOptions, 'at' | 'beside'>

export class BackupDesk {
  readonly #folder: HubFolder
  readonly #closing = new AbortController()
  #running: Promise<unknown> | null = null
  #control: ControlServer | null = null

  private constructor(folder: HubFolder) {
    this.#folder = folder
  }

  /** A hub without a control socket serves on, and says so. */
  static async open(folder: HubFolder, log: (event: HubLogEvent) => void): Promise<BackupDesk> {
    const desk = new BackupDesk(folder)
    try {
      desk.#control = await serveControl(folder.path, (place, options) => desk.backUp(place, options))
    } catch (error) {
      const message = `${folder.path} has no control socket, so \`rejoin backup\` cannot ask this hub for a backup`
      log({ level: 'warn', namespace: null, message, error })
    }
    return desk
  }

  async backUp(place: string, options: HubBackupOptions = {}): Promise<HubBackup> {
    if (this.#closing.signal.aborted) throw closed()
    if (this.#running !== null)
      throw new SyncError(
        'STORE_UNAVAILABLE',
        'a backup of this hub is being made: try again when it is done',
      )
    const { signal: asked, ...rest } = options
    const signal = asked === undefined ? this.#closing.signal : AbortSignal.any([asked, this.#closing.signal])
    const running = this.#folder.backUp(place, {
      ...rest,
      signal,
      at: systemClock.now(),
      beside: besideStore,
    })
    this.#running = running.finally(() => (this.#running = null)).catch(() => {})
    return await running
  }

  async close(): Promise<void> {
    this.#closing.abort(closed())
    await this.#control?.close()
    await this.#running
  }
}

function closed(): SyncError {
  return new SyncError('HUB_CLOSING', 'the hub is closing, and the backup was ended; nothing of it is left')
}
