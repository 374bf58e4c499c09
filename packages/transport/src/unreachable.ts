/** Why a hub was not reached, as a platform tells it, in words that say what to do. */
import { SyncError } from '@rejoin/core'

/** @returns SyncError HUB_UNREACHABLE */
export function unreachable(url: URL, error: unknown): SyncError {
  // Platforms hide why a fetch failed in its cause.
  const cause = error instanceof Error ? (error.cause ?? error) : error
  return new SyncError('HUB_UNREACHABLE', sentence(url, cause), { cause: error })
}

function sentence(url: URL, cause: unknown): string {
  const code = codeOf(cause)
  const message = cause instanceof Error ? cause.message : String(cause)
  const why = code === 'ECONNREFUSED' ? 'connection refused' : message === '' ? code : message
  if (untrusted.has(code)) {
    const cure = 'name a file with it, or with the authority that issued it, in NODE_EXTRA_CA_CERTS'
    return `what answers at ${url.origin} has a certificate that is not trusted here (${why}): ${cure}`
  }
  if (unfit.has(code)) return `what answers at ${url.origin} has a certificate that does not hold (${why})`
  return `no hub answers at ${url.origin} (${why})`
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** Codes that Node gives: nobody known here vouches for the certificate. */
const untrusted: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_UNTRUSTED',
])

/** It is for another time or another host, whoever vouches for it. */
const unfit: ReadonlySet<string> = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REVOKED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])
