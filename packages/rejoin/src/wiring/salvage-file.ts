/**
 * Where a repair puts what it takes out of a folder, before it takes it out: one JSON document a line, each with a value's key
 * and its bytes as they stood there. Made when it is first needed; on the disk once `kept` resolves.
 */
import { open, type FileHandle } from 'node:fs/promises'

export class SalvageFile {
  readonly path: string
  #handle: FileHandle | null = null
  #values = 0

  constructor(path: string) {
    this.path = path
  }

  get values(): number {
    return this.#values
  }

  /** @param what it is, where it can be read. */
  async add(key: string, bytes: Uint8Array, what: object = {}): Promise<void> {
    // A file of an earlier repair is not written over.
    this.#handle ??= await open(this.path, 'wx', 0o600)
    const line = { key, ...what, sealed: Buffer.from(bytes).toString('base64') }
    await this.#handle.writeFile(`${JSON.stringify(line)}\n`)
    this.#values += 1
  }

  async kept(): Promise<void> {
    await this.#handle?.sync()
  }

  async close(): Promise<void> {
    await this.#handle?.close()
    this.#handle = null
  }
}
