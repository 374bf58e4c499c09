/** Asks the hub that has a data folder open for a backup of it. */
import { createConnection, type Socket } from 'node:net'
import { once } from 'node:events'
import { SyncError } from '@rejoin/core'
import type { CopyProgress, HubBackup } from '@rejoin/persistence-level/node'
import { findControlAddress } from './control-address.ts'
import { answerSchema, errorOf, lineOf, readLine } from './control-messages.ts'

export interface Asked {
  readonly onProgress?: (progress: CopyProgress) => void
  /** Hangs up, and the hub ends what it does. */
  readonly signal?: AbortSignal
  /** As of `BackupOptions`. */
  readonly staysPartial?: boolean
}

/**
 * Null where no hub can be asked: none runs, or one without a control socket.
 * @throws SyncError what the hub refuses, CHANNEL_CLOSED where it ends meanwhile, or why the signal aborted.
 */
export async function askForBackup(data: string, place: string, asked: Asked): Promise<HubBackup | null> {
  const address = await findControlAddress(data)
  const socket = address === null ? null : await connect(address)
  if (socket === null) return null
  const hangUp = (): void => void socket.destroy()
  asked.signal?.addEventListener('abort', hangUp)
  try {
    // While it was connecting.
    asked.signal?.throwIfAborted()
    socket.write(lineOf({ op: 'backup', place, staysPartial: asked.staysPartial ?? false }))
    for await (const line of linesOf(socket)) {
      const answer = readLine(answerSchema, line)
      if ('error' in answer) throw errorOf(answer.error)
      if ('backup' in answer) return answer.backup
      asked.onProgress?.(answer.progress)
    }
    asked.signal?.throwIfAborted()
    throw new SyncError('CHANNEL_CLOSED', 'the hub ended before the backup was made; nothing of it is left')
  } finally {
    asked.signal?.removeEventListener('abort', hangUp)
    socket.destroy()
  }
}

/** Up to the end of the connection, in order or not: what was still to come says that, by not being there. */
async function* linesOf(socket: Socket): AsyncGenerator<string, void, undefined> {
  let text = ''
  try {
    for await (const chunk of socket.setEncoding('utf8')) {
      text += chunk as string
      const lines = text.split('\n')
      text = lines.pop() ?? ''
      yield* lines
    }
  } catch {
    return
  }
}

async function connect(path: string): Promise<Socket | null> {
  const socket = createConnection(path)
  try {
    await once(socket, 'connect')
  } catch {
    return null
  }
  socket.on('error', () => {})
  return socket
}
