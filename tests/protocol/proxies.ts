/** What stands between a replica and a hub: a wire that counts, and a proxy that buffers whole bodies. */
import { createServer as createHttpServer, request as httpRequest } from 'node:http'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

export interface Counted {
  readonly url: string
  /** Bytes of every connection after its upgrade to a WebSocket, with its frames. */
  readonly bytes: { up: number; down: number }
  close(): Promise<void>
}

const headEnd = Buffer.from('\r\n\r\n')

/** A TCP wire to `url`. */
export async function countingWire(url: string): Promise<Counted> {
  const { hostname, port } = new URL(url)
  const bytes = { up: 0, down: 0 }
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect({ host: hostname, port: Number(port) })
    for (const [from, to, way] of [
      [near, far, 'up'],
      [far, near, 'down'],
    ] as const) {
      sockets.add(from)
      let isUpgraded = false
      from.on('data', (chunk: Buffer) => {
        const at = isUpgraded ? 0 : chunk.indexOf(headEnd) + headEnd.length
        if (isUpgraded || at >= headEnd.length) {
          isUpgraded = true
          bytes[way] += chunk.length - at
        }
        to.write(chunk)
      })
      from.on('close', () => to.destroy())
      from.on('error', () => to.destroy())
    }
  })
  await listening(server)
  return { url: urlOf(server), bytes, close: () => closed(server, sockets) }
}

export interface Buffering {
  readonly url: string
  /** Requests that passed, each whole. */
  readonly requests: { bytesUp: number; bytesDown: number; chunked: boolean }[]
  close(): Promise<void>
}

/** As a cautious proxy does it: the whole request before the hub hears of it, the whole answer before the caller does; no upgrade. */
export async function bufferingProxy(url: string): Promise<Buffering> {
  const requests: Buffering['requests'] = []
  const server = createHttpServer((incoming, outgoing) => {
    void (async () => {
      const body = await whole(incoming)
      const { host: _, connection: __, 'transfer-encoding': chunked, ...headers } = incoming.headers
      const upstream = httpRequest(new URL(incoming.url ?? '/', url), {
        method: incoming.method ?? 'GET',
        headers: { ...headers, 'content-length': body.length },
      })
      const answered = new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
        upstream.on('response', resolve)
        upstream.on('error', reject)
      })
      upstream.end(body)
      const response = await answered
      const answer = await whole(response)
      requests.push({ bytesUp: body.length, bytesDown: answer.length, chunked: chunked !== undefined })
      const { 'transfer-encoding': ___, ...given } = response.headers
      outgoing.writeHead(response.statusCode ?? 502, { ...given, 'content-length': answer.length })
      outgoing.end(answer)
    })().catch(() => outgoing.destroy())
  })
  await listening(server)
  return { url: urlOf(server), requests, close: () => closed(server, new Set()) }
}

async function whole(from: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of from) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function listening(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve))
}

function urlOf(server: Server): string {
  // A server that listens on a port has an address of this form.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function closed(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  const over = new Promise<void>((resolve) => server.close(() => resolve()))
  for (const socket of sockets) socket.destroy()
  if ('closeAllConnections' in server) (server as { closeAllConnections(): void }).closeAllConnections()
  await over
}
