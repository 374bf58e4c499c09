/** Reads a log from its file, to the end, in pieces of some blocks. */
import { open } from 'node:fs/promises'
import { BLOCK_BYTES, LogReading, type Content, type LogReport } from './log-reading.ts'

/** Of memory, while one file is read. */
const pieceBytes = 8 * BLOCK_BYTES

/** @param record as of `LogReading`. Errors are the system's. */
export async function readLog(
  path: string,
  content: Content,
  record?: (head: Uint8Array) => void,
): Promise<LogReport> {
  const reading = new LogReading(content, record)
  const file = await open(path, 'r')
  try {
    const piece = new Uint8Array(pieceBytes)
    for (;;) {
      const bytes = await fill(piece, async (into) => (await file.read(into, 0, into.length)).bytesRead)
      for (let at = 0; at < bytes; at += BLOCK_BYTES)
        reading.take(piece.subarray(at, Math.min(at + BLOCK_BYTES, bytes)))
      if (bytes < pieceBytes) return reading.end()
    }
  } finally {
    await file.close()
  }
}

/** As many bytes as there are still: a system may give less than it is asked for. */
async function fill(piece: Uint8Array, read: (into: Uint8Array) => Promise<number>): Promise<number> {
  let bytes = 0
  while (bytes < piece.length) {
    const more = await read(piece.subarray(bytes))
    if (more === 0) break
    bytes += more
  }
  return bytes
}
