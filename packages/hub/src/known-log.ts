/**
 * What a room knows of its log besides the marks: from where on it is there, how much of it no checkpoint holds yet, and who
 * reads it. Nothing is known before the log was opened, and nothing any more once what was read of it does not follow.
 */
import { type DocumentWeight } from '@rejoin/core'
import { type Checkpointed } from './checkpointing.ts'
import { clientsMax, isWeighingDue, type WeighedClients } from './fresh-clients.ts'
import { LogReaders } from './log-readers.ts'
import { type OpenedLog } from './opening.ts'

export class KnownLog {
  readonly readers: LogReaders
  #range: OpenedLog | null = null
  /** What its checkpoint weighs, where that was made here. */
  #weight: DocumentWeight | null = null

  /** @param readerEnded is told whenever a catch-up is done. */
  constructor(readerEnded: () => void) {
    this.readers = new LogReaders(readerEnded)
  }

  /** Of the newest checkpoint, snapshot and marks. */
  get checkpointBytes(): number {
    const { snapshotBytes, marksBytes } = this.#range?.checkpoint ?? { snapshotBytes: 0, marksBytes: 0 }
    return snapshotBytes + marksBytes
  }

  /** Its range and checkpoint as far as was heard; null while they are not known. */
  get range(): OpenedLog | null {
    return this.#range
  }

  /** Of the records after the checkpoint. */
  get bytesAfterCheckpoint(): number {
    return this.#range?.bytesAfter ?? 0
  }

  /** As `clientsMax` of what is known, and of so many bytes that wait; while nothing is known nothing is admitted either. */
  clientsMax(waitingBytes: number): number {
    const weighed = this.#weighedClients
    return clientsMax({ ...weighed, bytesAfter: weighed.bytesAfter + waitingBytes })
  }

  /**
   * Whether the log since the last checkpoint has outgrown its snapshot and its marks, since both are written anew with each,
   * and `bytesMin`; or so many clients have begun in it.
   * @param clientCount client ids by now.
   */
  isCheckpointDue(bytesMin: number, clientCount: number): boolean {
    const { snapshotBytes, marksBytes } = this.#range?.checkpoint ?? { snapshotBytes: 0, marksBytes: 0 }
    if (this.bytesAfterCheckpoint > Math.max(bytesMin, snapshotBytes, marksBytes)) return true
    return isWeighingDue(this.#weighedClients, clientCount)
  }

  opened(range: OpenedLog): void {
    this.#range = range
    this.#weight = null
  }

  forget(): void {
    this.#range = null
    this.#weight = null
  }

  /** A record of so many bytes is the head now. */
  landed(bytes: number): void {
    if (this.#range === null) return
    this.#range = { ...this.#range, bytesAfter: this.#range.bytesAfter + bytes }
  }

  checkpointed({ seq, floor, bytesAfter, retained, weighed, ...of }: Checkpointed): void {
    if (this.#range === null) return
    if (weighed !== null) this.#weight = weighed.weight
    // Another hub's, which nobody has weighed here.
    else if (seq !== this.#range.checkpoint?.seq) this.#weight = null
    const { snapshotBytes, marksBytes, clients } = of
    const checkpoint = { seq, snapshotBytes, marksBytes, clients }
    this.#range = { ...this.#range, checkpoint, floor, bytesAfter, retained }
  }

  get #weighedClients(): WeighedClients {
    const { clients, snapshotBytes } = this.#range?.checkpoint ?? { clients: 0, snapshotBytes: 0 }
    return { clients, snapshotBytes, weight: this.#weight, bytesAfter: this.bytesAfterCheckpoint }
  }
}
