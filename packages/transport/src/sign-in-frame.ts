/**
 * Signing in by a frame of a live socket, `[0][6][text]`. As the first one, for browsers, which cannot set headers and hear no
 * reason when an upgrade is refused: up with the token, down without text once the hub knows who it is. Later, to stay when a
 * token ends: down without text asks for a fresh one, up brings it.
 */
import { SyncError, type CloseReason } from '@rejoin/core'
import { Reader } from './codec/reader.ts'
import { Writer } from './codec/writer.ts'
import type { Socket } from './socket.ts'

/** Offered as a second subprotocol by whoever will sign in so; else it is done by headers, or not at all. */
export const SIGN_IN_PROTOCOL = 'rejoin.sign-in'

/** Offered beside it by whoever can bring a fresh token while its socket lives, and wants to be asked for it. */
export const RENEW_PROTOCOL = 'rejoin.renew'

const SIGN_IN_KIND = 6

export function encodeSignIn(token: string): Uint8Array {
  const out = new Writer()
  out.uint(0)
  out.byte(SIGN_IN_KIND)
  out.text(token)
  return out.finish()
}

/** @throws SyncError UNAUTHENTICATED where it is another frame, or none. */
export function decodeSignIn(bytes: Uint8Array): string {
  const from = new Reader(bytes, 'the frame that signs in')
  if (from.uint('channel') !== 0 || from.byte('kind') !== SIGN_IN_KIND) {
    throw new SyncError('UNAUTHENTICATED', 'the first frame is the one that signs in')
  }
  const token = from.text('token')
  from.end()
  return token
}

/**
 * Signs in, and in the same turn gives the socket to `begin`.
 * @throws SyncError what the hub closes the socket with: UNAUTHENTICATED, SIGN_IN_EXPIRED, SIGN_IN_UNAVAILABLE, …; or
 * HUB_UNREACHABLE where it answers something else, or `signal` is aborted.
 */
export function signInOn<Begun>(
  socket: Socket,
  token: string,
  signal: AbortSignal,
  begin: () => Begun,
): Promise<Begun> {
  return new Promise((resolve, reject) => {
    const lose = (reason: CloseReason) => {
      signal.removeEventListener('abort', giveUp)
      reject(new SyncError(reason.code ?? 'HUB_UNREACHABLE', reason.message))
    }
    const giveUp = () => {
      const reason = { code: null, message: 'dialing was given up' }
      socket.close(reason)
      lose(reason)
    }
    const take = (bytes: Uint8Array) => {
      if (!isSignedIn(bytes)) {
        const reason = { code: 'MESSAGE_UNEXPECTED', message: 'the hub did not answer the sign-in' } as const
        socket.close(reason)
        return lose(reason)
      }
      signal.removeEventListener('abort', giveUp)
      resolve(begin())
    }
    signal.addEventListener('abort', giveUp)
    socket.handle({ frame: take, closed: lose })
    socket.send(encodeSignIn(token), () => {})
  })
}

/** The socket without the frames that sign in, once it has begun: `take` gets those. */
export function withoutSignIns(socket: Socket, take: (bytes: Uint8Array) => void): Socket {
  return {
    pausable: socket.pausable,
    send: (frame, taken) => socket.send(frame, taken),
    close: (reason) => socket.close(reason),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    handle: (handler) =>
      socket.handle({
        frame: (bytes) => (bytes[0] === 0 && bytes[1] === SIGN_IN_KIND ? take(bytes) : handler.frame(bytes)),
        closed: (reason) => handler.closed(reason),
      }),
  }
}

function isSignedIn(bytes: Uint8Array): boolean {
  try {
    return decodeSignIn(bytes) === ''
  } catch {
    return false
  }
}
