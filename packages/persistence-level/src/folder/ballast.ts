/**
 * `rejoin.ballast`: room that is kept for opening the database on a full disk. Opening LevelDB writes what is in its log
 * into tables before it deletes the log (`HAZARDS.md` F9), so a full disk would keep a folder shut even for readers.
 */
import { randomBytes } from 'node:crypto'
import { open, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

export const BALLAST = 'rejoin.ballast'
export const PROBE = 'rejoin.probe'

/** Two of LevelDB's write buffers: one may wait for its table while the next one fills. */
export const ballastBytesDefault = 8 * 1024 * 1024

export class Ballast {
  readonly #path: string
  readonly #probePath: string
  readonly #bytes: number

  /** `bytes` 0: none is kept. */
  constructor(folder: string, bytes: number) {
    this.#path = join(folder, BALLAST)
    this.#probePath = join(folder, PROBE)
    this.#bytes = bytes
  }

  /** Makes it where it is missing. Without room for it there is none, which is no error. */
  async keep(): Promise<void> {
    await rm(this.#probePath, { force: true }).catch(() => {})
    const found = await stat(this.#path).catch(() => null)
    if (this.#bytes === 0 || found?.size === this.#bytes) return
    await writeBytes(this.#path, this.#bytes).catch(() => this.release().catch(() => {}))
  }

  async release(): Promise<void> {
    await rm(this.#path, { force: true })
  }

  /** Rejects with what the system says where `bytes` cannot be written beside the ballast now. */
  async probe(bytes: number): Promise<void> {
    try {
      await writeBytes(this.#probePath, bytes)
    } finally {
      await rm(this.#probePath, { force: true }).catch(() => {})
    }
  }
}

const pieceBytes = 1024 * 1024

/** Bytes that no file system makes smaller. */
async function writeBytes(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'w')
  try {
    for (let at = 0; at < bytes; at += pieceBytes) {
      await file.writeFile(randomBytes(Math.min(pieceBytes, bytes - at)))
    }
    await file.sync()
  } finally {
    await file.close()
  }
}
