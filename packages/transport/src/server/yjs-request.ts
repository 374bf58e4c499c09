/**
 * What the upgrade of a plain Yjs client asks for: `/yjs/NAMESPACE?domain=NAME&domainVersion=NUMBER`, the parameters only where
 * they are needed. A page has no headers to sign in by, so its token stands among the subprotocols that it offers, never
 * in the URL.
 */
import type { IncomingMessage } from 'node:http'
import { checkNamespace, SyncError, type PlainRequest } from '@rejoin/core'

export const YJS_PATH = '/yjs/'
/** Chosen where it is offered, as it has to be beside a token. */
export const YJS_PROTOCOL = 'rejoin.yjs'
const TOKEN_PREFIX = 'rejoin.token.'

export function isYjsPath(url: string | undefined): boolean {
  return url?.startsWith(YJS_PATH) === true
}

/** @throws SyncError NAMESPACE_INVALID or INPUT_INVALID; nothing of the parameters is in its message. */
export function plainRequestOf({ url = '' }: IncomingMessage): PlainRequest {
  const [path = '', query = ''] = url.split('?', 2)
  const parameters = new URLSearchParams(query)
  for (const name of parameters.keys()) {
    if (name === 'domain' || name === 'domainVersion') continue
    const why = 'the parameters of /yjs are domain and domainVersion'
    throw new SyncError('INPUT_INVALID', `${why}; a token goes into the provider's protocols, not its URL`)
  }
  const version = parameters.get('domainVersion')
  if (version !== null && !/^[1-9]\d{0,8}$/.test(version))
    throw new SyncError('INPUT_INVALID', 'domainVersion is a whole number from 1')
  return {
    namespace: checkNamespace(nameOf(path.slice(YJS_PATH.length))),
    domain: parameters.get('domain')?.slice(0, 64) ?? null,
    domainVersion: version === null ? null : Number(version),
  }
}

/** The token among the subprotocols; null where there is none, '' where there are several, or it is no base64url. */
export function offeredToken(request: IncomingMessage): string | null {
  const tokens = offered(request).filter((name) => name.startsWith(TOKEN_PREFIX))
  const [token] = tokens
  if (token === undefined) return null
  if (tokens.length > 1) return ''
  const text = token.slice(TOKEN_PREFIX.length)
  return /^[-_A-Za-z0-9]+$/.test(text) ? Buffer.from(text, 'base64url').toString('latin1') : ''
}

/** Never the one with the token: an answer goes through more hands than a request. */
export function chooseProtocol(names: ReadonlySet<string>): string | false {
  return names.has(YJS_PROTOCOL) ? YJS_PROTOCOL : false
}

function offered({ headers }: IncomingMessage): readonly string[] {
  return (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
}

function nameOf(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
