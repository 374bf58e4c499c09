/** TCP connections in the test's own hands, and WebSocket frames as nobody honest writes them. */
import { connect, type Socket } from 'node:net'
import { within } from '../support/until.ts'

/** What was received last, at most. */
const KEPT_BYTES_MAX = 64 * 1_024

export class Raw {
  readonly socket: Socket
  readonly closed: Promise<void>
  #received = Buffer.alloc(0)
  #bytesReceived = 0
  #heard: () => void = () => {}

  constructor(url: string) {
    this.socket = connect(Number(new URL(url).port), '127.0.0.1')
    this.socket.on('error', () => {})
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()))
    this.socket.on('data', (chunk: Buffer) => {
      this.#bytesReceived += chunk.length
      this.#received = Buffer.concat([this.#received, chunk]).subarray(-KEPT_BYTES_MAX)
      this.#heard()
    })
    this.socket.once('close', () => this.#heard())
  }

  get received(): Buffer {
    return this.#received
  }

  get bytesReceived(): number {
    return this.#bytesReceived
  }

  get isClosed(): boolean {
    return this.socket.closed
  }

  /** Once `holds` of what was received, or the connection is closed. */
  async until(holds: (received: Buffer) => boolean): Promise<void> {
    const held = (async () => {
      while (!this.isClosed && !holds(this.#received))
        await new Promise<void>((resolve) => (this.#heard = resolve))
    })()
    await within('an answer', held, 20_000)
  }

  /** Writes as fast as it is taken, up to so many times. False where the other side has closed before. */
  async write(bytes: Uint8Array, times = 1): Promise<boolean> {
    for (let i = 0; i < times; i++) {
      if (this.socket.destroyed || !this.socket.writable) return false
      if (this.socket.write(bytes)) continue
      await new Promise<void>((resolve) => {
        const done = (): void => {
          this.socket.off('drain', done).off('close', done)
          resolve()
        }
        this.socket.once('drain', done).once('close', done)
      })
    }
    return true
  }

  /** The status of the answer to a request, 0 where there was none. */
  get status(): number {
    return Number(/^HTTP\/1\.1 (\d{3})/.exec(this.#received.toString('latin1'))?.[1] ?? 0)
  }

  /** The status of the close frame after an upgrade's answer; 0 where there is none. */
  get closeStatus(): number {
    const end = this.#received.indexOf('\r\n\r\n')
    for (let at = end + 4; end >= 0 && at + 4 <= this.#received.length;) {
      const [first = 0, second = 0] = this.#received.subarray(at)
      if (first === 0x88) return this.#received.readUInt16BE(at + 2)
      const long = second === 126 ? 2 : 0
      const length = long === 2 ? this.#received.readUInt16BE(at + 2) : second
      at += 2 + long + length
    }
    return 0
  }

  close(): void {
    this.socket.destroy()
  }
}

/** @param token null: to be shown in the first frame. */
export async function upgraded(url: string, token: string | null, path = '/v1/live'): Promise<Raw> {
  const raw = new Raw(url)
  raw.socket.write(upgradeHead(token, path))
  await raw.until((received) => received.includes('\r\n\r\n'))
  return raw
}

export function upgradeHead(token: string | null, path = '/v1/live', more: readonly string[] = []): string {
  const protocols = path === '/v1/live' ? `rejoin.1${token === null ? ', rejoin.sign-in' : ''}` : 'rejoin.yjs'
  const lines = [
    `GET ${path} HTTP/1.1`,
    'host: 127.0.0.1',
    'connection: Upgrade',
    'upgrade: websocket',
    'sec-websocket-version: 13',
    `sec-websocket-key: ${Buffer.alloc(16, 1).toString('base64')}`,
    `sec-websocket-protocol: ${protocols}`,
    ...(token === null ? [] : [`authorization: Bearer ${token}`]),
    ...more,
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** A masked frame, its mask zeros. @param first the byte with opcode and flags. */
export function frame(first: number, payload: Uint8Array, announced = payload.length): Buffer {
  const head = Buffer.alloc(announced < 126 ? 6 : announced < 65_536 ? 8 : 14)
  head[0] = first
  if (announced < 126) head[1] = 0x80 | announced
  else if (announced < 65_536) {
    head[1] = 0x80 | 126
    head.writeUInt16BE(announced, 2)
  } else {
    head[1] = 0x80 | 127
    head.writeBigUInt64BE(BigInt(announced), 2)
  }
  return Buffer.concat([head, payload])
}
