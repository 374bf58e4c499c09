/**
 * How a hub finds out who is asking: by API key or by JWT, whichever the token is. Knows nothing of sockets; the server asks
 * it, and the hub gets a principal.
 */
import { SyncError, type Clock } from '@rejoin/core'
import type { Principal } from '@rejoin/hub'
import { tokenOf, type Authenticate } from '@rejoin/transport/server'
import { looksLikeKey } from './api-key.ts'
import { openIssuerKeys } from './issuer-keys.ts'
import { readKeys } from './key-file.ts'
import { KeyRing } from './key-ring.ts'
import { jwtOptionsOf, TokenVerifier, type JwtOptions } from './token-verifier.ts'

export interface HubSignIn {
  readonly authenticate: Authenticate<Principal>
  close(): void
}

/**
 * By the keys in the hub's folder where there are any, and by tokens where `jwt` says which; null where by neither.
 * @param failed hears each time that keys cannot be read or fetched.
 * @throws SyncError STORE_CORRUPT, INPUT_INVALID
 */
export async function openSignIn(
  folder: string,
  jwt: JwtOptions | null,
  clock: Clock,
  failed: (error: unknown) => void,
): Promise<HubSignIn | null> {
  const keys = await readKeys(folder)
  if (keys === null && jwt === null) return null
  // With tokens alone too: the first key may be made, or a token taken back, while the hub runs.
  const ring = new KeyRing(folder, keys ?? [], clock, failed)
  await ring.look()
  const tokens = jwt === null ? null : await openVerifier(jwt, ring, clock, failed)
  return {
    authenticate: ({ headers }) => {
      const token = tokenOf(headers)
      if (token === null) return null
      if (looksLikeKey(token)) return ring.signIn(token)
      if (tokens === null) throw new SyncError('UNAUTHENTICATED', 'this hub takes API keys: send one')
      return tokens.signIn(token)
    },
    close: () => {
      ring.close()
      tokens?.close()
    },
  }
}

async function openVerifier(
  jwt: JwtOptions,
  ring: KeyRing,
  clock: Clock,
  failed: (error: unknown) => void,
): Promise<TokenVerifier> {
  try {
    const options = jwtOptionsOf(jwt, '`jwt`')
    const keys = await openIssuerKeys(options.keys, clock, failed)
    return new TokenVerifier(options, keys, clock, ring.tokens)
  } catch (error) {
    ring.close()
    throw error
  }
}
