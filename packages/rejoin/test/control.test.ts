// The control socket of a running hub: whatever who is connected does, the hub goes on and gives up what was asked.
import { createConnection, type Socket } from 'node:net'
import { mkdtemp, rm } from 'node:fs/promises'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { SyncError } from '@rejoin/core'
import { askForBackup } from '../src/wiring/control-client.ts'
import { serveControl, type BackUp } from '../src/wiring/control-server.ts'

const request = `${JSON.stringify({ op: 'backup', place: './b' })}\n`
const made = { path: './b', at: 1, values: 0, bytes: 0, namespaces: [], damaged: [] }

test('who asks for a backup and hangs up hurts nobody, and it is given up', async () => {
  const gone = new Gate()
  const reasons: unknown[] = []
  const backUp: BackUp = async (_, { onProgress, signal }) => {
    onProgress?.({ values: 1, bytes: 1 })
    await gone.opened
    // What is said into a socket that nobody holds any more comes back as an error.
    for (let i = 0; i < 100; i++) onProgress?.({ values: 1, bytes: 1 })
    while (signal?.aborted === false) {
      await new Promise(setImmediate)
      onProgress?.({ values: 1, bytes: 1 })
    }
    reasons.push(signal?.reason)
    throw signal?.reason
  }
  await withServer(backUp, async (data) => {
    const socket = await connected(data)
    socket.write(request)
    await once(socket, 'data')
    socket.destroy()
    await once(socket, 'close')
    gone.open()
    while (reasons.length === 0) await new Promise(setImmediate)
    expect(reasons).toMatchObject([{ code: 'INTERRUPTED' }])
  })
})

test('one that comes after it is served', async () => {
  await withServer(
    () => Promise.resolve(made),
    async (data) => {
      const first = await connected(data)
      first.write('half a li')
      first.destroy()
      expect(await askForBackup(data, './b', {})).toEqual(made)
    },
  )
})

test('who asks and is stopped is told why, and so is one whose hub goes away', async () => {
  const started = new Gate()
  const backUp: BackUp = (_, { signal }) => {
    started.open()
    return new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
  }
  await withServer(backUp, async (data) => {
    const stopping = new AbortController()
    const asked = askForBackup(data, './b', { signal: stopping.signal })
    await started.opened
    stopping.abort(new SyncError('INTERRUPTED', 'stopped'))
    await expect(asked).rejects.toMatchObject({ code: 'INTERRUPTED' })
  })
  const again = new Gate()
  let asked: Promise<unknown> = Promise.resolve()
  await withServer(
    (place, how) => {
      again.open()
      return backUp(place, how)
    },
    async (data) => {
      asked = askForBackup(data, './b', {}).catch((error: unknown) => error)
      await again.opened
    },
  )
  expect(await asked).toMatchObject({ code: 'CHANNEL_CLOSED' })
})

async function withServer(backUp: BackUp, use: (data: string) => Promise<void>): Promise<void> {
  const data = await mkdtemp(path.join(tmpdir(), 'rejoin-test-'))
  const server = await serveControl(data, backUp)
  try {
    await use(data)
  } finally {
    await server.close()
    await rm(data, { recursive: true, force: true })
  }
}

async function connected(data: string): Promise<Socket> {
  const socket = createConnection(path.join(data, 'rejoin.run', 'socket'))
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

class Gate {
  open: () => void = () => {}
  readonly opened = new Promise<void>((resolve) => (this.open = resolve))
}
