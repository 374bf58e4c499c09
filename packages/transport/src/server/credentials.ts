/** Where credentials stand in a request: `authorization: Bearer TOKEN` or `x-api-key: TOKEN`; never in its URL. */
import { limits } from '@rejoin/core'

export function hasCredentials(headers: Headers): boolean {
  return headers.has('authorization') || headers.has('x-api-key')
}

/** The token that a request shows; null where it shows none, two different ones, or something that is none. */
export function tokenOf(headers: Headers): string | null {
  const authorization = headers.get('authorization')
  const apiKey = headers.get('x-api-key')
  const bearer = authorization === null ? null : (/^bearer +([\x21-\x7e]+)$/i.exec(authorization)?.[1] ?? '')
  if (bearer !== null && apiKey !== null && bearer !== apiKey) return null
  const token = bearer ?? apiKey ?? ''
  return /^[\x21-\x7e]+$/.test(token) && token.length <= limits.tokenCharsMax ? token : null
}

/** The same request as if it had shown `token`: for what signs in by its first frame. */
export function showing(headers: Headers, token: string): Headers {
  const shown = new Headers(headers)
  shown.delete('x-api-key')
  // A header holds no more than visible ASCII, and so does a token.
  shown.set('authorization', /^[\x21-\x7e]+$/.test(token) ? `Bearer ${token}` : 'Bearer')
  return shown
}
