/**
 * WebSockets of the platform, for browsers: what `websocket-node.ts` is for Node. A page can neither pause a socket nor
 * set headers, and hears no reason when an upgrade is refused; when bytes are taken it must ask.
 */
import { SyncError, type CloseReason } from '@rejoin/core'
import type { Socket, SocketHandler } from './socket.ts'
import { closeTextOf, reasonOf, SUBPROTOCOL } from './websocket-close.ts'
import type { OpenOptions } from './websocket-node.ts'

export const sendsHeaders: boolean = false

/** Milliseconds between two looks at what the network has taken. */
const TAKEN_CHECK_MS = 20

/** Of the platform's WebSocket, what is used here: this package is checked without the types of the DOM. */
interface PlatformWebSocket {
  binaryType: string
  readonly bufferedAmount: number
  onopen: (() => void) | null
  onmessage: ((event: { data: unknown }) => void) | null
  onerror: (() => void) | null
  onclose: ((event: { code: number; reason: string }) => void) | null
  send(bytes: Uint8Array): void
  close(status?: number, text?: string): void
}

declare const WebSocket: new (url: string, protocols: string[]) => PlatformWebSocket

/** @throws SyncError HUB_UNREACHABLE */
export function openWebSocket(url: URL, options: OpenOptions): Promise<Socket> {
  const { signal, subprotocols } = options
  return new Promise((resolve, reject) => {
    const webSocket = new WebSocket(url.href, [SUBPROTOCOL, ...subprotocols])
    webSocket.binaryType = 'arraybuffer'
    // Says nothing; the close that follows says what there is to know.
    webSocket.onerror = () => {}
    const giveUp = () => webSocket.close()
    signal.addEventListener('abort', giveUp)
    webSocket.onclose = () => {
      signal.removeEventListener('abort', giveUp)
      reject(
        new SyncError('HUB_UNREACHABLE', `no hub answers at ${url.origin} (the browser does not say why)`),
      )
    }
    webSocket.onopen = () => {
      signal.removeEventListener('abort', giveUp)
      resolve(socketOf(webSocket))
    }
  })
}

function socketOf(webSocket: PlatformWebSocket): Socket {
  let handler: SocketHandler | null = null
  let over = false
  const waiting: { readonly upTo: number; readonly taken: () => void }[] = []
  let bytesSent = 0
  let checking = false
  const lose = (reason: CloseReason) => {
    if (over) return
    over = true
    waiting.length = 0
    handler?.closed(reason)
  }
  const check = () => {
    checking = false
    const bytesTaken = bytesSent - webSocket.bufferedAmount
    for (let next = waiting[0]; next !== undefined && next.upTo <= bytesTaken; next = waiting[0]) {
      waiting.shift()
      next.taken()
    }
    if (waiting.length > 0) checkLater(TAKEN_CHECK_MS)
  }
  const checkLater = (ms: number) => {
    if (checking) return
    checking = true
    setTimeout(check, ms)
  }
  webSocket.onmessage = ({ data }) => {
    if (!over && data instanceof ArrayBuffer) handler?.frame(new Uint8Array(data))
  }
  webSocket.onclose = ({ code, reason }) => lose(reasonOf(code, reason))
  return {
    pausable: false,
    handle: (given) => {
      handler = given
    },
    send: (frame, taken) => {
      if (over) return
      bytesSent += frame.length
      waiting.push({ upTo: bytesSent, taken })
      webSocket.send(frame)
      checkLater(0)
    },
    // A page may close with 1000 or from 3000 to 4999 only; the text says the rest.
    close: (reason) => webSocket.close(reason.code === null ? 1000 : 4000, closeTextOf(reason)),
    pause: () => {},
    resume: () => {},
  }
}
