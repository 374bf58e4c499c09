/** WebSockets in Node, by `ws`: both ends of `/v1/live`. In browsers `websocket-browser.ts` stands in its place. */
import type { IncomingMessage } from 'node:http'
import { limits, type CloseReason, type SyncError } from '@rejoin/core'
import { WebSocket, type RawData } from 'ws'
import { refusalOf } from './refusal.ts'
import type { Socket, SocketHandler } from './socket.ts'
import { codeOf, unreachable } from './unreachable.ts'
import { closeTextOf, reasonOf, statusOf, SUBPROTOCOL } from './websocket-close.ts'

/** Here a token travels in the head of the upgrade; a browser needs a frame for it. */
export const sendsHeaders: boolean = true

export interface OpenOptions {
  /** Offered beside our own. */
  readonly subprotocols: readonly string[]
  /** Sent with the upgrade request, e.g. `authorization`. */
  readonly headers: Readonly<Record<string, string>>
  /** Gives up when aborted. */
  readonly signal: AbortSignal
}

/** `ws` counts the payload alone; nothing of ours is larger. Compression is off on both sides (`HAZARDS.md` G5). */
export const socketOptions = {
  maxPayload: limits.frameBytesMax,
  perMessageDeflate: false,
  maxFragments: limits.socketFragmentsMax,
  maxBufferedChunks: limits.socketChunksMax,
  maxPendingAutoPongs: limits.socketPongsMax,
} as const

/** @throws SyncError HUB_UNREACHABLE, UNAUTHENTICATED, FORBIDDEN, or what else the hub's refusal names */
export function openWebSocket(url: URL, options: OpenOptions): Promise<Socket> {
  const { headers, signal, subprotocols } = options
  return new Promise((resolve, reject) => {
    const webSocket = new WebSocket(url, [SUBPROTOCOL, ...subprotocols], {
      ...socketOptions,
      headers,
      followRedirects: false,
    })
    const giveUp = () => webSocket.terminate()
    const settle = () => signal.removeEventListener('abort', giveUp)
    signal.addEventListener('abort', giveUp)
    webSocket.on('error', (error) => {
      settle()
      reject(unreachable(url, error))
    })
    webSocket.on('unexpected-response', (_, response) => {
      settle()
      void refusedWith(url, response).then(reject)
    })
    webSocket.on('open', () => {
      settle()
      resolve(socketOf(webSocket))
    })
  })
}

/** An open WebSocket of either side. */
export function socketOf(webSocket: WebSocket): Socket {
  let handler: SocketHandler | null = null
  let over = false
  const lose = (reason: CloseReason) => {
    if (over) return
    over = true
    handler?.closed(reason)
  }
  webSocket.on('message', (data, isBinary) => {
    if (over) return
    if (isBinary) return handler?.frame(bytesOf(data))
    const reason = { code: 'MESSAGE_MALFORMED', message: 'frames are binary, not text' } as const
    webSocket.close(1003, closeTextOf(reason))
    lose(reason)
  })
  // Frames that break RFC 6455 or a limit of `ws`: it has sent its close frame, and this side is done at once.
  webSocket.on('error', (error) => lose(reasonOfFault(error)))
  webSocket.on('close', (status, text) => lose(reasonOf(status, text.toString())))
  return {
    pausable: true,
    handle: (given) => {
      handler = given
    },
    send: (frame, taken) =>
      webSocket.send(frame, { binary: true }, (error) => {
        if (error === undefined || error === null) taken()
      }),
    close: (reason) => webSocket.close(statusOf(reason), closeTextOf(reason)),
    pause: () => webSocket.pause(),
    resume: () => webSocket.resume(),
  }
}

/** The bytes as a plain `Uint8Array`, whose `slice` copies. */
function bytesOf(data: RawData): Uint8Array {
  if (data instanceof ArrayBuffer) return new Uint8Array(data)
  const buffer = Array.isArray(data) ? Buffer.concat(data) : data
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)
}

function reasonOfFault(error: Error): CloseReason {
  const code = codeOf(error)
  if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH')
    return { code: 'MESSAGE_TOO_LARGE', message: error.message }
  if (code.startsWith('WS_ERR_')) return { code: 'MESSAGE_MALFORMED', message: error.message }
  return { code: null, message: `the socket failed (${code === '' ? error.message : code})` }
}

async function refusedWith(url: URL, response: IncomingMessage): Promise<SyncError> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > 4_096) break
      chunks.push(chunk)
    }
  } catch {
    // A refusal that is cut off is judged by its status.
  }
  response.destroy()
  return refusalOf(url, response.statusCode ?? 0, Buffer.concat(chunks).toString())
}
