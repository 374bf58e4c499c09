/**
 * The public keys of an issuer of tokens: from a file, or from a URL, where they are fetched in the background. An issuer that
 * is away keeps nobody out who shows a token under a key that is known, for `STALE_MS_MAX`; and ends no live session.
 */
import { readFile } from 'node:fs/promises'
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type CryptoKey,
  type FlattenedJWSInput,
  type JSONWebKeySet,
  type JWSHeaderParameters,
} from 'jose'
import { SyncError, type Clock } from '@rejoin/core'
import { followFile } from './followed-file.ts'

export interface IssuerKeys {
  /** @throws SyncError UNAUTHENTICATED where no key fits, SIGN_IN_UNAVAILABLE where that cannot be known. */
  find(header: JWSHeaderParameters, input: FlattenedJWSInput): Promise<CryptoKey>
  close(): void
}

/** Milliseconds between two fetches in the background. */
const REFRESH_MS = 10 * 60_000
/** Milliseconds after which what was fetched counts no more. */
const STALE_MS_MAX = 24 * 60 * 60_000
/** Milliseconds for one fetch; signing in waits for it where a key is not known. */
const FETCH_MS_MAX = 4_000
/** Milliseconds before a key that is not known is asked for again: tokens under invented keys cost the issuer nothing. */
const COOLDOWN_MS = 30_000
const SET_BYTES_MAX = 1024 * 1024

type FindKey = ReturnType<typeof createLocalJWKSet>

/**
 * @param source an `https:` URL (`http:` on loopback), or a file.
 * @param failed hears each time that they cannot be had.
 * @throws SyncError INPUT_INVALID where the source can give none.
 */
export async function openIssuerKeys(
  source: string,
  clock: Clock,
  failed: (error: unknown) => void,
): Promise<IssuerKeys> {
  return /^https?:\/\//.test(source)
    ? fetched(urlOf(source), clock, failed)
    : await fromFile(source, clock, failed)
}

async function fromFile(path: string, clock: Clock, failed: (error: unknown) => void): Promise<IssuerKeys> {
  let find: FindKey = await readSet(path)
  const read = async (): Promise<void> => {
    find = await readSet(path)
  }
  const file = followFile(path, clock, read, failed)
  return { find: async (header, input) => await found(() => find(header, input)), close: () => file.stop() }
}

/** @throws SyncError INPUT_INVALID */
async function readSet(path: string): Promise<FindKey> {
  try {
    return createLocalJWKSet(JSON.parse(await readFile(path, 'utf8')) as JSONWebKeySet)
  } catch (error) {
    throw new SyncError('INPUT_INVALID', `${path} is not read as a set of public keys (JWK set)`, {
      cause: error,
    })
  }
}

function fetched(url: URL, clock: Clock, failed: (error: unknown) => void): IssuerKeys {
  const over = new AbortController()
  const find = createRemoteJWKSet(url, {
    timeoutDuration: FETCH_MS_MAX,
    cooldownDuration: COOLDOWN_MS,
    cacheMaxAge: STALE_MS_MAX,
    [customFetch]: async (address, init) => bounded(await fetch(address, init)),
  })
  const unavailable = (error: unknown): SyncError => {
    failed(error)
    return new SyncError('SIGN_IN_UNAVAILABLE', "the issuer's keys cannot be had now: try again", {
      cause: error,
    })
  }
  void (async () => {
    while (!over.signal.aborted) {
      await find.reload().catch(failed)
      await clock.sleep(REFRESH_MS, over.signal)
    }
  })()
  return {
    find: async (header, input) => await found(() => find(header, input), unavailable),
    close: () => over.abort(),
  }
}

/** That no key fits is the token's fault; anything else is not. */
async function found(
  find: () => Promise<CryptoKey>,
  unavailable: ((error: unknown) => SyncError) | null = null,
): Promise<CryptoKey> {
  try {
    return await find()
  } catch (error) {
    const isOfToken =
      error instanceof errors.JWKSNoMatchingKey ||
      error instanceof errors.JWKSMultipleMatchingKeys ||
      error instanceof errors.JOSENotSupported
    if (!isOfToken && unavailable !== null) throw unavailable(error)
    throw new SyncError('UNAUTHENTICATED', 'the token is not accepted: no key of its issuer fits', {
      cause: error,
    })
  }
}

/** Counted while it comes in. */
async function bounded(response: Response): Promise<Response> {
  const body: AsyncIterable<Uint8Array> | null = response.body
  if (response.status !== 200) {
    await response.body?.cancel()
    return response
  }
  const chunks: Uint8Array[] = []
  let bytes = 0
  if (body !== null) {
    for await (const chunk of body) {
      bytes += chunk.length
      if (bytes > SET_BYTES_MAX) throw new Error(`the set of keys has more than ${SET_BYTES_MAX} bytes`)
      chunks.push(chunk)
    }
  }
  return new Response(Buffer.concat(chunks))
}

/** @throws SyncError INPUT_INVALID: keys that anybody on the way could replace would let anybody in. */
function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  const isLoopback = url !== null && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)
  if (
    url === null ||
    (url.protocol !== 'https:' && !isLoopback) ||
    url.username !== '' ||
    url.password !== ''
  ) {
    throw new SyncError(
      'INPUT_INVALID',
      'keys of an issuer are fetched from an https: URL without credentials',
    )
  }
  return url
}
