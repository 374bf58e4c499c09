/**
 * The first frame of a live socket that signs in by it (`HAZARDS.md` G2): within 5 s and 16 KiB, counted while they come in,
 * and nothing else is taken before the hub has answered.
 */
import type { Duplex } from 'node:stream'
import { limits, SyncError, type Clock } from '@rejoin/core'
import type { RawData, WebSocket } from 'ws'
import { decodeSignIn } from '../sign-in-frame.ts'
import { after } from '../socket.ts'

/** Counts what a socket receives, from its upgrade on: also what `ws` takes in without showing it, such as pings. */
export class BytesBound {
  onExceeded: () => void = () => {}
  readonly #socket: Duplex
  readonly #count: (chunk: Buffer) => void
  #bytes = 0

  /** Made before the upgrade is answered. */
  constructor(socket: Duplex) {
    this.#socket = socket
    this.#count = (chunk) => {
      this.#bytes += chunk.length
      if (this.#bytes > limits.signInBytesMax) this.onExceeded()
    }
    socket.on('data', this.#count)
  }

  release(): void {
    this.#socket.off('data', this.#count)
  }
}

/**
 * What comes after it is refused until the listeners of `message` are taken off.
 * @throws SyncError UNAUTHENTICATED, TIMED_OUT, MESSAGE_TOO_LARGE, or CHANNEL_CLOSED where the peer left.
 */
export async function receiveToken(webSocket: WebSocket, bytes: BytesBound, clock: Clock): Promise<string> {
  let cancel = () => {}
  try {
    return await new Promise<string>((resolve, reject) => {
      const fail = (error: unknown) => {
        // Nothing more is read of who sent that.
        webSocket.removeAllListeners('message')
        reject(error)
      }
      cancel = after(clock, limits.signInMsMax, () =>
        fail(new SyncError('TIMED_OUT', `no sign-in came within ${limits.signInMsMax} ms`)),
      )
      bytes.onExceeded = () =>
        fail(
          new SyncError(
            'MESSAGE_TOO_LARGE',
            `before a sign-in a socket sends at most ${limits.signInBytesMax} bytes`,
          ),
        )
      webSocket.on('error', () =>
        fail(new SyncError('CHANNEL_CLOSED', 'the socket failed before it signed in')),
      )
      webSocket.on('close', () => fail(new SyncError('CHANNEL_CLOSED', 'the peer left before it signed in')))
      webSocket.once('message', (data, isBinary) => {
        webSocket.on('message', () => {
          webSocket.close(1008, 'MESSAGE_UNEXPECTED: wait for the answer to the sign-in')
        })
        try {
          resolve(tokenIn(data, isBinary))
        } catch (error) {
          fail(error)
        }
      })
    })
  } finally {
    cancel()
    bytes.release()
  }
}

function tokenIn(data: RawData, isBinary: boolean): string {
  if (!isBinary)
    throw new SyncError('UNAUTHENTICATED', 'the first frame is binary, and the one that signs in')
  const buffer = Array.isArray(data) ? Buffer.concat(data) : data
  return decodeSignIn(new Uint8Array(buffer))
}
