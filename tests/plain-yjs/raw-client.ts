/** A socket on `/yjs` that says what a test wants it to, and keeps what it hears. */
import { once } from 'node:events'
import { createEncoder, toUint8Array, writeUint8Array, writeVarUint, writeVarUint8Array } from 'lib0/encoding'
import { createDecoder, readVarString, readVarUint, readVarUint8Array } from 'lib0/decoding'
import { WebSocket } from 'ws'
import * as Y from 'yjs'
import { until } from '../support/until.ts'
import { NAMESPACE } from './world.ts'

export type Heard =
  | { readonly type: 'step1' | 'step2' | 'update' | 'awareness'; readonly bytes: Uint8Array }
  | { readonly type: 'denied'; readonly reason: string }

const steps = ['step1', 'step2', 'update'] as const

export class RawClient {
  readonly socket: WebSocket
  readonly heard: Heard[] = []
  closed: { readonly code: number; readonly reason: string } | null = null

  private constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('message', (data: Buffer) => this.heard.push(read(data)))
    socket.on('error', () => {})
    socket.on('close', (code, reason) => (this.closed = { code, reason: reason.toString() }))
  }

  static async open(url: string, options: RawOptions = {}): Promise<RawClient> {
    const { namespace = NAMESPACE, query = '', protocols = [], headers = {} } = options
    const address = `${url.replace('http', 'ws')}/yjs/${namespace}${query}`
    const socket = new WebSocket(address, [...protocols], { headers })
    const client = new RawClient(socket)
    await once(socket, 'open')
    return client
  }

  send(bytes: Uint8Array): this {
    this.socket.send(bytes)
    return this
  }

  step1(stateVector: Uint8Array): this {
    return this.send(sync(0, stateVector))
  }

  step2(update: Uint8Array): this {
    return this.send(sync(1, update))
  }

  update(update: Uint8Array): this {
    return this.send(sync(2, update))
  }

  awareness(update: Uint8Array): this {
    const out = createEncoder()
    writeVarUint(out, 1)
    writeVarUint8Array(out, update)
    return this.send(toUint8Array(out))
  }

  of(type: Heard['type']): readonly Heard[] {
    return this.heard.filter((heard) => heard.type === type)
  }

  /** Greets as a provider of `doc` does, and answers what it is asked: from then on its updates are taken. */
  async greet(doc: Y.Doc): Promise<this> {
    this.step1(Y.encodeStateVector(doc))
    await until('the hub has asked', () => this.closed !== null || this.of('step1').length > 0)
    for (const heard of this.heard)
      if (heard.type === 'step2' || heard.type === 'update') Y.applyUpdate(doc, heard.bytes)
    const asked = this.of('step1').at(-1)
    if (asked?.type === 'step1') this.step2(Y.encodeStateAsUpdate(doc, asked.bytes))
    return this
  }

  async whenClosed(): Promise<{ readonly code: number; readonly reason: string }> {
    await until('the socket is closed', () => this.closed !== null)
    if (this.closed === null) throw new Error('it is closed')
    return this.closed
  }
}

export interface RawOptions {
  readonly namespace?: string
  readonly query?: string
  readonly protocols?: readonly string[]
  readonly headers?: Readonly<Record<string, string>>
}

export function sync(step: number, bytes: Uint8Array): Uint8Array {
  const out = createEncoder()
  writeVarUint(out, 0)
  writeVarUint(out, step)
  writeVarUint8Array(out, bytes)
  return toUint8Array(out)
}

/** A message with `more` behind it. */
export function followedBy(message: Uint8Array, more: Uint8Array): Uint8Array {
  const out = createEncoder()
  writeUint8Array(out, message)
  writeUint8Array(out, more)
  return toUint8Array(out)
}

function read(data: Buffer): Heard {
  const from = createDecoder(new Uint8Array(data))
  const type = readVarUint(from)
  if (type === 1) return { type: 'awareness', bytes: readVarUint8Array(from) }
  if (type === 2) {
    readVarUint(from)
    return { type: 'denied', reason: readVarString(from) }
  }
  const step = steps[readVarUint(from)]
  if (type !== 0 || step === undefined) throw new Error(`the hub said something unknown: ${type}`)
  return { type: step, bytes: readVarUint8Array(from) }
}
