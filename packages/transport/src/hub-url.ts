/** One URL names a hub, whatever the transport: `http://127.0.0.1:4400` serves HTTP and WebSocket alike. */
import { SyncError } from '@rejoin/core'

export const LIVE_PATH = 'v1/live'
export const SYNC_PATH = 'v1/sync'

/** The URL of a hub's live socket. @throws SyncError INPUT_INVALID */
export function liveUrl(url: string): URL {
  const live = resolve(url, LIVE_PATH)
  live.protocol = live.protocol === 'https:' || live.protocol === 'wss:' ? 'wss:' : 'ws:'
  return live
}

/** The URL of a hub's one-shot exchange. @throws SyncError INPUT_INVALID */
export function syncUrl(url: string): URL {
  const sync = resolve(url, SYNC_PATH)
  sync.protocol = sync.protocol === 'https:' || sync.protocol === 'wss:' ? 'https:' : 'http:'
  return sync
}

function resolve(url: string, path: string): URL {
  if (!URL.canParse(url)) throw notAHub(url)
  const base = new URL(url)
  if (!['http:', 'https:', 'ws:', 'wss:'].includes(base.protocol)) throw notAHub(url)
  // Not shown: URLs are logged wherever they pass.
  if (base.username !== '' || base.password !== '') {
    throw new SyncError('INPUT_INVALID', `a hub's URL holds no credentials: give ${base.origin} and a token`)
  }
  // A hub may live below a path of a proxy.
  if (!base.pathname.endsWith('/')) base.pathname += '/'
  base.search = ''
  base.hash = ''
  return new URL(path, base)
}

function notAHub(url: string): SyncError {
  return new SyncError(
    'INPUT_INVALID',
    `${JSON.stringify(url.slice(0, 200))} is no hub's URL: give one such as http://127.0.0.1:4400`,
  )
}
