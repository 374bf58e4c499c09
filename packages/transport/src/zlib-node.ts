/** Snapshots in the zlib format (RFC 1950), by Node and off its main thread. */
import { deflate, inflate } from 'node:zlib'

/** Whether this platform can read them. */
export const canInflate: boolean = true

/** At most `bytesMax` bytes are ever made. Rejects where there are more, or the bytes are none of that format. */
export function inflated(bytes: Uint8Array, bytesMax: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) =>
    inflate(bytes, { maxOutputLength: bytesMax }, (error, result) =>
      error === null
        ? resolve(new Uint8Array(result.buffer, result.byteOffset, result.length))
        : reject(error),
    ),
  )
}

/** What a hub's snapshots are packed with: Yjs updates gain little from more effort than the least. */
export function deflated(bytes: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) =>
    deflate(bytes, { level: 3 }, (error, result) =>
      error === null
        ? resolve(new Uint8Array(result.buffer, result.byteOffset, result.length))
        : reject(error),
    ),
  )
}
