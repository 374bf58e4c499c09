/** Where a hub may listen, and why it cannot. */
import { asSyncError, SyncError } from '@rejoin/core'
import { isLoopback } from './gate.ts'

export interface ListeningOptions {
  readonly host: string
  readonly authenticate?: unknown
  readonly tls?: object
  readonly behindTlsProxy?: boolean
}

/** @throws SyncError FORBIDDEN where strangers could come in, or tokens be read on the way (`HAZARDS.md` G16). */
export function checkHost(options: ListeningOptions): void {
  const { host, authenticate, tls, behindTlsProxy = false } = options
  if (isLoopback(host)) return
  if (authenticate === undefined) {
    throw new SyncError(
      'FORBIDDEN',
      `a hub without authentication listens on loopback only, not on ${host}: use 127.0.0.1, or give it keys`,
    )
  }
  if (tls === undefined && !behindTlsProxy) {
    throw new SyncError(
      'FORBIDDEN',
      `without TLS tokens could be read on the way to ${host}: give a certificate, or say that a proxy has one`,
    )
  }
}

export function whyNotListening(error: NodeJS.ErrnoException, host: string, port: number): SyncError {
  const where = `${host}:${port}`
  switch (error.code) {
    case 'EADDRINUSE':
      return new SyncError(
        'PORT_IN_USE',
        `${where} is in use: stop what listens there, or choose another port`,
        {
          cause: error,
        },
      )
    case 'EACCES':
      return new SyncError('FORBIDDEN', `no right to listen on ${where}: choose a port above 1023`, {
        cause: error,
      })
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new SyncError('INPUT_INVALID', `${host} is no address of this machine: use 127.0.0.1`, {
        cause: error,
      })
    default:
      return asSyncError(error, 'INPUT_INVALID', `the hub cannot listen on ${where}`)
  }
}
