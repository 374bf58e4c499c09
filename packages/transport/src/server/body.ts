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
export async function readBody(body: IncomingMessage, place: Place): Promise<FrameStream> {
  const frames = new FrameStream()
  await receive(body, { bytesMax: BODY_BYTES_MAX, place, take: (chunk) => frames.push(chunk) })
  return frames
}

/** The same as bytes, for what is read whole. */
export async function readBytes(body: IncomingMessage, bytesMax: number, place: Place): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  await receive(body, { bytesMax, place, take: (chunk) => void chunks.push(chunk) })
  return Buffer.concat(chunks)
}

interface Receiving {
  readonly bytesMax: number
  readonly place: Place
  readonly take: (chunk: Uint8Array) => void
}

async function receive(body: IncomingMessage, { bytesMax, place, take: keep }: Receiving): Promise<void> {
  let bytes = 0
  let stop = () => {}
  try {
    await new Promise<void>((resolve, reject) => {
      const take = (chunk: Uint8Array) => {
        bytes += chunk.length
        if (bytes > bytesMax) return reject(tooLarge(bytesMax))
        place.hold(chunk.length)
        if (place.stands) keep(chunk)
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
}

/** Before a place is taken for it: none would ever be large enough. @throws SyncError MESSAGE_TOO_LARGE */
export function checkAnnounced(announced: number, bytesMax: number): void {
  if (announced > bytesMax) throw tooLarge(bytesMax)
}

function tooLarge(bytesMax: number): SyncError {
  return new SyncError('MESSAGE_TOO_LARGE', `a request has at most ${bytesMax} bytes: send less at a time`)
}
