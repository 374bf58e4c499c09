/**
 * What a room knows of its log besides the marks: from where on it is there, how much of it no checkpoint holds yet, and who
 * reads it. Nothing is known before the log was opened, and nothing any more once what was read of it does not follow.
 */
import { type Checkpointed } from './checkpointing.ts'
import { LogReaders } from './log-readers.ts'
import { type OpenedLog } from './opening.ts'

export class KnownLog {
  readonly readers: LogReaders
  #range: OpenedLog | null = null

  /** @param readerEnded is told whenever a catch-up is done. */
  constructor(readerEnded: () => void) {
    this.readers = new LogReaders(readerEnded)
  }

  /** Its range and checkpoint as far as was heard; null while they are not known. */
  get range(): OpenedLog | null {
    return this.#range
  }

  /** Of the records after the checkpoint. */
  get bytesAfterCheckpoint(): number {
    return this.#range?.bytesAfter ?? 0
  }

  /** Whether the log since the last checkpoint has outgrown it, and `bytesMin`. */
  isCheckpointDue(bytesMin: number): boolean {
    return this.bytesAfterCheckpoint > Math.max(bytesMin, this.#range?.checkpoint?.snapshotBytes ?? 0)
  }

  opened(range: OpenedLog): void {
    this.#range = range
  }

  forget(): void {
    this.#range = null
  }

  /** A record of so many bytes is the head now. */
  landed(bytes: number): void {
    if (this.#range === null) return
    this.#range = { ...this.#range, bytesAfter: this.#range.bytesAfter + bytes }
  }

  checkpointed({ seq, snapshotBytes, floor, bytesAfter, retained }: Checkpointed): void {
    if (this.#range === null) return
    this.#range = { ...this.#range, checkpoint: { seq, snapshotBytes }, floor, bytesAfter, retained }
  }
}
