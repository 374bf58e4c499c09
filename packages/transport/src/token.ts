/** The token with which a replica signs in: asked for anew at each connection, so that a fresh one is used once there is one. */
import { limits, SyncError } from '@rejoin/core'

/** Gives the token, e.g. an API key or a JWT. Called for each connection. */
export type TokenSource = () => string | Promise<string>

/**
 * @throws SyncError SIGN_IN_UNAVAILABLE where the source fails or is given up, INPUT_INVALID where it gives no token, or the
 * SyncError that the source throws.
 */
export async function askToken(source: TokenSource, signal: AbortSignal): Promise<string> {
  const token = await Promise.race([asked(source), givenUp(signal)])
  // Neither a token nor what a platform says of a bad header may reach a message.
  if (typeof token === 'string' && token.length <= limits.tokenCharsMax && /^[\x21-\x7e]+$/.test(token)) {
    return token
  }
  throw new SyncError(
    'INPUT_INVALID',
    `a token is one word of up to ${limits.tokenCharsMax} visible ASCII characters: correct what gives it`,
  )
}

async function asked(source: TokenSource): Promise<string> {
  try {
    return await source()
  } catch (error) {
    if (error instanceof SyncError) throw error
    throw new SyncError('SIGN_IN_UNAVAILABLE', 'the token could not be had: what gives it failed', {
      cause: error,
    })
  }
}

function givenUp(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const late = () => reject(new SyncError('SIGN_IN_UNAVAILABLE', 'no token was given in time'))
    if (signal.aborted) late()
    signal.addEventListener('abort', late, { once: true })
  })
}
