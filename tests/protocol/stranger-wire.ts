/** How the stranger's messages travel: frames and fragments on one channel, by WebSocket and by HTTP. Also from the page alone. */
import { createHash } from 'node:crypto'
import * as from from 'lib0/decoding'
import * as to from 'lib0/encoding'
import { WebSocket } from 'ws'
import type { Said, Stranger } from './stranger.ts'

const PAYLOAD_BYTES_MAX = 262_112

/** A live connection. */
export class StrangeSocket {
  readonly said: Said[] = []
  readonly #socket: WebSocket
  #heard: () => void = () => {}

  private constructor(socket: WebSocket, stranger: Stranger) {
    const inbound = new Inbound()
    this.#socket = socket
    socket.on('message', (data) => {
      const whole = inbound.take(data as Buffer)
      if (whole === null) return
      this.said.push(stranger.hear(whole))
      this.#heard()
    })
  }

  static async open(url: string, stranger: Stranger): Promise<StrangeSocket> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/live`, ['rejoin.1'])
    const opened = new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    const made = new StrangeSocket(socket, stranger)
    await opened
    made.say(stranger.hello())
    return made
  }

  say(payload: Uint8Array): void {
    for (const frame of framesOf(payload)) this.#socket.send(frame)
  }

  /** Resolves once so many messages of this type came. */
  async until(type: Said['type'], count = 1): Promise<void> {
    while (this.said.filter((each) => each.type === type).length < count)
      await new Promise<void>((resolve) => (this.#heard = resolve))
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#socket.once('close', resolve))
    this.#socket.close(1000)
    await closed
  }
}

/** One exchange over HTTP: everything up, everything down. */
export async function exchange(url: string, stranger: Stranger): Promise<readonly Said[]> {
  const messages = stranger.outbox.size === 0 ? [stranger.hello()] : [stranger.hello(), stranger.push()]
  const body = to.createEncoder()
  for (const frame of [...messages.flatMap((each) => [...framesOf(each)]), Uint8Array.of(1, 3)])
    to.writeVarUint8Array(body, frame)
  const headers = { 'content-type': 'application/vnd.rejoin.frames' }
  const response = await fetch(`${url}/v1/sync`, {
    method: 'POST',
    headers,
    body: new Uint8Array(to.toUint8Array(body)),
  })
  const input = from.createDecoder(new Uint8Array(await response.arrayBuffer()))
  const inbound = new Inbound()
  const said: Said[] = []
  while (from.hasContent(input)) {
    const whole = inbound.take(from.readVarUint8Array(input))
    if (whole !== null) said.push(stranger.hear(whole))
  }
  return said
}

/** The frames of one message on channel 1. */
function* framesOf(payload: Uint8Array): Iterable<Uint8Array> {
  if (payload.length <= PAYLOAD_BYTES_MAX) {
    yield Buffer.concat([Buffer.of(1, 0), payload])
    return
  }
  for (let at = 0; at < payload.length; at += PAYLOAD_BYTES_MAX) {
    const piece = payload.subarray(at, at + PAYLOAD_BYTES_MAX)
    const out = to.createEncoder()
    for (const byte of [1, at === 0 ? 1 : 2]) to.writeUint8(out, byte)
    if (at === 0) {
      to.writeVarUint(out, payload.length)
      to.writeUint8Array(out, createHash('sha256').update(payload).digest().subarray(0, 8))
    }
    to.writeUint8Array(out, piece)
    yield to.toUint8Array(out)
  }
}

/** Puts messages together again; null while one is not whole, and for frames that carry none. */
class Inbound {
  #missing = 0
  #pieces: Uint8Array[] = []

  take(frame: Uint8Array): Uint8Array | null {
    const input = from.createDecoder(frame)
    from.readVarUint(input)
    const kind = from.readUint8(input)
    if (kind === 0) return from.readTailAsUint8Array(input)
    if (kind > 2) return null
    if (kind === 1) {
      this.#missing = from.readVarUint(input)
      from.readUint8Array(input, 8)
    }
    const piece = from.readTailAsUint8Array(input)
    this.#pieces.push(piece)
    this.#missing -= piece.length
    return this.#missing > 0 ? null : Buffer.concat(this.#pieces.splice(0))
  }
}
