/**
 * Signing in by JWT, checked by `jose`. What a token may be is pinned here and not taken from the token: the algorithms
 * (asymmetric ones alone, so a public key is never taken for a secret), issuer, audience, type; `exp` and `sub` are required.
 */
import { errors, jwtVerify, type JWTVerifyGetKey, type JWTPayload } from 'jose'
import { limits, SyncError, type Clock } from '@rejoin/core'
import type { Principal } from '@rejoin/hub'
import { z } from 'zod'
import type { IssuerKeys } from './issuer-keys.ts'
import { knownScopes } from './scope.ts'
import { idOfSubject, scopedPrincipal, SUBJECT_PATTERN } from './scoped-principal.ts'
import { TokenRevocations } from './token-revocations.ts'

export const algorithms = [
  'EdDSA',
  'Ed25519',
  'ES256',
  'ES384',
  'ES512',
  'PS256',
  'PS384',
  'PS512',
  'RS256',
  'RS384',
  'RS512',
] as const

const jwtOptionsSchema = z.strictObject({
  /** `iss` of every token, to the letter. */
  issuer: z.string().min(1),
  /** One of a token's `aud`. */
  audience: z.string().min(1),
  /** The issuer's public keys (a JWK set): an `https:` URL, or a file. */
  keys: z.string().min(1),
  algorithms: z.array(z.enum(algorithms)).min(1).default(['ES256', 'RS256']),
  /** `typ` of every token; `at+jwt` is that of access tokens (RFC 9068), many issuers write `JWT`. */
  type: z.string().min(1).default('at+jwt'),
  /** The claim that holds the scopes, as a text with spaces or as a list. */
  scopeClaim: z.string().min(1).default('scope'),
  /** Seconds that `nbf` may lie ahead of our clock. `exp` is kept to the letter. */
  toleranceSeconds: z.number().min(0).max(30).default(5),
})
/** What is left out is as the schema says. */
export type JwtOptions = z.input<typeof jwtOptionsSchema>
type CompleteOptions = z.output<typeof jwtOptionsSchema>

/** @param where they stand, for the message. @throws SyncError INPUT_INVALID */
export function jwtOptionsOf(given: unknown, where: string): CompleteOptions {
  const options = jwtOptionsSchema.safeParse(given)
  if (options.success) return options.data
  const [issue] = options.error.issues
  const what = issue === undefined ? '' : `: ${issue.path.join('.')}: ${issue.message}`
  throw new SyncError('INPUT_INVALID', `${where} does not say which tokens to take${what}`)
}

export class TokenVerifier {
  readonly #options: CompleteOptions
  readonly #keys: IssuerKeys
  readonly #clock: Clock
  readonly #revocations: TokenRevocations

  constructor(
    options: CompleteOptions,
    keys: IssuerKeys,
    clock: Clock,
    revocations: TokenRevocations = new TokenRevocations(clock),
  ) {
    this.#options = options
    this.#keys = keys
    this.#clock = clock
    this.#revocations = revocations
  }

  /** Its signal is aborted when the token is taken back. @throws SyncError UNAUTHENTICATED, SIGN_IN_EXPIRED or SIGN_IN_UNAVAILABLE */
  async signIn(token: string): Promise<Principal> {
    if (token.length > limits.tokenCharsMax) throw new SyncError('UNAUTHENTICATED', 'the token is too long')
    const { sub, exp, iat, jti, ...claims } = await this.#verify(token)
    if (typeof sub !== 'string' || !SUBJECT_PATTERN.test(sub)) throw notAccepted('its sub names nobody')
    if (exp === undefined) throw notAccepted('it has no exp')
    const expiresAt = exp * 1_000
    if (expiresAt <= this.#clock.now()) throw expired()
    const issuedAt = iat === undefined ? null : iat * 1_000
    const identity = { subject: sub, tokenId: jti ?? null, issuedAt, expiresAt }
    const signIn = { id: idOfSubject(sub), expiresAt, revoked: this.#revocations.signalOf(identity) }
    return scopedPrincipal(signIn, knownScopes(textsOf(claims[this.#options.scopeClaim])))
  }

  close(): void {
    this.#keys.close()
  }

  async #verify(token: string): Promise<JWTPayload> {
    const { issuer, audience, algorithms: allowed, type, toleranceSeconds } = this.#options
    try {
      const { payload } = await jwtVerify(token, this.#keyOf, {
        issuer,
        audience,
        typ: type,
        algorithms: [...allowed],
        requiredClaims: ['exp', 'sub'],
        clockTolerance: toleranceSeconds,
        currentDate: new Date(this.#clock.now()),
      })
      return payload
    } catch (error) {
      throw refusalOf(error)
    }
  }

  /** The algorithm is checked before a key is looked for; a key that is missing may be new at the issuer. */
  readonly #keyOf: JWTVerifyGetKey = (header, input) => this.#keys.find(header, input)
}

/** Says which rule was broken, and nothing of the token: claims are looked at after its signature. */
function refusalOf(error: unknown): SyncError {
  if (error instanceof SyncError) return error
  if (error instanceof errors.JWTExpired) return expired()
  if (error instanceof errors.JWTClaimValidationFailed)
    return notAccepted(`its ${error.claim} is not what this hub asks for`)
  if (error instanceof errors.JOSEAlgNotAllowed) return notAccepted('its alg is not one that this hub takes')
  if (error instanceof errors.JOSEError) return notAccepted('it cannot be verified')
  // Of a malformed key or header a platform may throw anything.
  return new SyncError('UNAUTHENTICATED', 'the token is not accepted: it cannot be verified', {
    cause: error,
  })
}

function notAccepted(why: string): SyncError {
  return new SyncError('UNAUTHENTICATED', `the token is not accepted: ${why}`)
}

function expired(): SyncError {
  return new SyncError('SIGN_IN_EXPIRED', 'the token has expired: sign in with a fresh one')
}

function textsOf(claim: unknown): readonly string[] {
  if (typeof claim === 'string') return claim.split(' ')
  return Array.isArray(claim) ? claim.filter((each) => typeof each === 'string') : []
}
