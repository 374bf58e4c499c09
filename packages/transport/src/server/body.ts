/**
 * Reads a request's body, bounded while it comes in. Node's own stream is read and not the platform's: `Readable.toWeb`
 * counts chunks instead of bytes, and so would hold far more than anyone counts.
 */
import type { IncomingMessage } from 'node:http'
import { SyncError } from '@rejoin/core'
import { BODY_BYTES_MAX, FrameStream } from '../frame-stream.ts'
import type { Place } from './intake.ts'

/**
 * What is left of a refused body is the HTTP server's to discard.
 * @throws SyncError MESSAGE_TOO_LARGE, RATE_LIMITED where `place` has to go, or CHANNEL_CLOSED where the caller left.
 */
export async function readBody(body: IncomingMessage, announced: number, place: Place): Promise<FrameStream> {
  if (announced > BODY_BYTES_MAX) throw tooLarge()
  const frames = new FrameStream()
  let bytes = 0
  let stop = () => {}
  try {
    await new Promise<void>((resolve, reject) => {
      const take = (chunk: Uint8Array) => {
        bytes += chunk.length
        if (bytes > BODY_BYTES_MAX) return reject(tooLarge())
        place.hold(chunk.length)
        if (place.stands) frames.push(chunk)
      }
      const cut = () => reject(new SyncError('CHANNEL_CLOSED', 'the caller left amid its request'))
      place.onEvicted = (why) => {
        stop()
        reject(why)
      }
      stop = () => {
        place.onEvicted = () => {}
        body.off('data', take).off('end', resolve).off('error', cut).off('close', cut).pause()
      }
      body.on('data', take).on('end', resolve).on('error', cut).on('close', cut)
      if (body.destroyed) cut()
    })
  } finally {
    stop()
  }
  return frames
}

function tooLarge(): SyncError {
  return new SyncError(
    'MESSAGE_TOO_LARGE',
    `a request has at most ${BODY_BYTES_MAX} bytes: push less at a time`,
  )
}
