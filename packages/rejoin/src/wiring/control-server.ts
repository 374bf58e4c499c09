/** The control socket of a running hub: takes one request a connection, and does one thing at a time. */
import { createServer, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { asSyncError, SyncError } from '@rejoin/core'
import type { BackupOptions, HubBackup } from '@rejoin/persistence-level/node'
import { makeControlAddress } from './control-address.ts'
import { lineBytesMax, lineOf, readLine, requestSchema, type ControlAnswer } from './control-messages.ts'

/** Who is connected at once; the rest is turned away. */
const connectionsMax = 8
/** Milliseconds in which a request must have come. */
const requestMsMax = 10_000

export interface ControlServer {
  close(): Promise<void>
}

export type BackUp = (place: string, options: Omit<BackupOptions, 'at' | 'beside'>) => Promise<HubBackup>

/** @throws Error where this file system holds no sockets, or the folder cannot be written. */
export async function serveControl(data: string, backUp: BackUp): Promise<ControlServer> {
  const address = await makeControlAddress(data)
  const connections = new Map<Socket, Promise<void>>()
  const server: Server = createServer((socket) => {
    const served = serve(socket, backUp).finally(() => connections.delete(socket))
    connections.set(socket, served)
  })
  server.maxConnections = connectionsMax
  try {
    server.listen(address.path)
    await once(server, 'listening')
  } catch (error) {
    await address.remove()
    throw error
  }
  return {
    close: async () => {
      server.close()
      for (const socket of connections.keys()) socket.destroy()
      await Promise.all(connections.values())
      await address.remove()
    },
  }
}

async function serve(socket: Socket, backUp: BackUp): Promise<void> {
  const gone = new AbortController()
  // Nothing that who is connected does may hurt the hub: its end is all that counts.
  socket.on('error', () => {})
  socket.on('close', () =>
    gone.abort(new SyncError('INTERRUPTED', 'who asked for it is gone; nothing of it is left')),
  )
  const say = (answer: ControlAnswer): void => {
    if (socket.writable) socket.write(lineOf(answer))
  }
  try {
    const { place, staysPartial = false } = readLine(requestSchema, await requestLine(socket))
    const onProgress: BackupOptions['onProgress'] = (progress) => say({ progress })
    const backup = await backUp(place, { onProgress, signal: gone.signal, staysPartial })
    say({ backup: { ...backup, namespaces: [...backup.namespaces], damaged: [...backup.damaged] } })
  } catch (error) {
    const { code, message } = asSyncError(error, 'HUB_INTERNAL', 'the hub could not do it')
    say({ error: { code, message } })
  }
  socket.end()
}

/**
 * Read by hand: a readline interface hands on the socket's errors, and one that nobody hears ends the process.
 * @throws SyncError MESSAGE_TOO_LARGE, TIMED_OUT, or CHANNEL_CLOSED where there is none.
 */
function requestLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = Buffer.alloc(0)
    let isRead = false
    socket.setTimeout(requestMsMax, () => reject(new SyncError('TIMED_OUT', 'no request came')))
    socket.on('close', () => reject(new SyncError('CHANNEL_CLOSED', 'no request came')))
    // Whatever comes after it is read and dropped, so that its end is seen.
    socket.on('data', (chunk: Buffer) => {
      if (isRead) return
      text = Buffer.concat([text, chunk])
      const end = text.indexOf('\n')
      isRead = end >= 0 || text.length > lineBytesMax
      if (end < 0 ? isRead : end > lineBytesMax)
        reject(new SyncError('MESSAGE_TOO_LARGE', 'the request is too long'))
      if (!isRead) return
      socket.setTimeout(0)
      resolve(text.toString('utf8', 0, Math.max(end, 0)))
    })
  })
}
