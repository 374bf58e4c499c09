/**
 * The updates that make a document, one after the other, copied as they are read: a view would keep the whole record alive
 * that it stands in, which with its ops is several times as large, for as long as the document is being made.
 */

const BLOCK_BYTES = 256 * 1024

export class DocumentParts {
  readonly #parts: Uint8Array[] = []
  #block = new Uint8Array(0)
  #used = 0

  get all(): readonly Uint8Array[] {
    return this.#parts
  }

  add(update: Uint8Array): void {
    // It is most of its record.
    if (update.length > BLOCK_BYTES / 4) this.#parts.push(update)
    else this.#parts.push(this.#copied(update))
  }

  /** Another document takes its place. */
  clear(): void {
    this.#parts.length = 0
  }

  #copied(update: Uint8Array): Uint8Array {
    if (this.#used + update.length > this.#block.length) {
      this.#block = new Uint8Array(BLOCK_BYTES)
      this.#used = 0
    }
    const from = this.#used
    this.#used += update.length
    this.#block.set(update, from)
    return this.#block.subarray(from, this.#used)
  }
}
