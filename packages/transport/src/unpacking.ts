/**
 * Snapshots that travel packed: who can read them says so in its greeting, and whoever takes messages from a channel gets
 * them as they were. Inflation is bounded by the size that the message says, and that by what a message may have.
 */
import { SyncError, type Capability, type DownMessage, type Snapshot, type UpMessage } from '@rejoin/core'
import { canInflate, inflated } from '#zlib'

const ZLIB: Capability = 'zlib'

/** The greeting says what this side's codec can read; nothing else is changed. */
export function withOffer(message: UpMessage): UpMessage {
  if (!canInflate || message.type !== 'Hello' || message.capabilities.includes(ZLIB)) return message
  return { ...message, capabilities: [...message.capabilities, ZLIB] }
}

/** Null where there is nothing to unpack. */
export function unpackDown(message: DownMessage): Promise<DownMessage> | null {
  return message.type === 'Snapshot' && message.inflatesTo !== undefined
    ? unpack(message, message.inflatesTo)
    : null
}

/** @throws SyncError MESSAGE_MALFORMED */
async function unpack({ type, cursor, snapshot: packed }: Snapshot, bytes: number): Promise<Snapshot> {
  const snapshot = await inflated(packed, bytes).catch((cause: unknown) => {
    throw new SyncError('MESSAGE_MALFORMED', `a packed snapshot does not inflate to ${bytes} bytes`, {
      cause,
    })
  })
  if (snapshot.length === bytes) return { type, cursor, snapshot }
  throw new SyncError(
    'MESSAGE_MALFORMED',
    `a packed snapshot inflates to ${snapshot.length} bytes, not ${bytes}`,
  )
}
