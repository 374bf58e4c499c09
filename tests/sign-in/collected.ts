/** A stream that keeps what is written to it. */
import { Writable } from 'node:stream'

export class Collected extends Writable {
  text = ''

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.text += chunk.toString()
    done()
  }
}
