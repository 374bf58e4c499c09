// Why a hub was not reached: one that answers with a certificate nobody trusts does answer.
import { expect, test } from 'vitest'
import { unreachable } from '../src/unreachable.ts'

const url = new URL('https://hub.example/v1/sync')
const failed = (code: string, message: string): Error => Object.assign(new Error(message), { code })

test.each([
  ['ECONNREFUSED', 'connect ECONNREFUSED', 'no hub answers at https://hub.example (connection refused)'],
  ['', 'other side closed', 'no hub answers at https://hub.example (other side closed)'],
  [
    'CERT_HAS_EXPIRED',
    'certificate has expired',
    'what answers at https://hub.example has a certificate that does not hold (certificate has expired)',
  ],
  [
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'self-signed certificate',
    'what answers at https://hub.example has a certificate that is not trusted here (self-signed certificate): name a file with it, or with the authority that issued it, in NODE_EXTRA_CA_CERTS',
  ],
])('%s is told in words, of a socket and of a fetch alike', (code, said, message) => {
  const error = failed(code, said)
  for (const each of [error, new TypeError('fetch failed', { cause: error })])
    expect(unreachable(url, each)).toMatchObject({ code: 'HUB_UNREACHABLE', message })
})
