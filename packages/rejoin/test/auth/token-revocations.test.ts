// Tokens that are taken back before their time: by their id, or all of a subject; told to whoever lives by them.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { SyncError } from '@rejoin/core'
import { VirtualClock } from '@rejoin/testkit'
import { editKeyFile, editKeys, KEY_FILE, readKeyFile, type RevokedToken } from '../../src/auth/key-file.ts'
import { KeyRing } from '../../src/auth/key-ring.ts'
import { TokenRevocations, type TokenIdentity } from '../../src/auth/token-revocations.ts'

const clock = new VirtualClock(1)
const now = clock.now()

function token(given: Partial<TokenIdentity> = {}): TokenIdentity {
  return { subject: 'ada', tokenId: 'one', issuedAt: now, expiresAt: now + 600_000, ...given }
}

function codeOf(act: () => unknown): string {
  try {
    act()
    return 'taken'
  } catch (error) {
    return (error as SyncError).code
  }
}

const cases: readonly [string, RevokedToken, Partial<TokenIdentity>, boolean][] = [
  ['its id', { tokenId: 'one', revokedAt: now }, {}, true],
  ['its id, issued later', { tokenId: 'one', revokedAt: now }, { issuedAt: now + 5_000 }, true],
  ['another id', { tokenId: 'two', revokedAt: now }, {}, false],
  ['an id, and it has none', { tokenId: 'null', revokedAt: now }, { tokenId: null }, false],
  ['its subject', { subject: 'ada', revokedAt: now + 500 }, {}, true],
  ['its subject, in the very second', { subject: 'ada', revokedAt: now }, {}, true],
  ['its subject, before it was issued', { subject: 'ada', revokedAt: now - 1 }, {}, false],
  [
    'its subject, and it does not say when it was issued',
    { subject: 'ada', revokedAt: now },
    { issuedAt: null },
    true,
  ],
  ['another subject', { subject: 'bob', revokedAt: now }, {}, false],
]

describe('a token is taken back by', () => {
  test.each(cases)('%s', (_, entry, given, isRevoked) => {
    const revocations = new TokenRevocations(clock)
    const signal = revocations.signalOf(token(given))
    expect(revocations.signalOf(token(given))).toBe(signal)
    revocations.take([entry])
    expect(signal.aborted).toBe(isRevoked)
    expect((signal.reason as SyncError | undefined)?.code).toBe(isRevoked ? 'UNAUTHENTICATED' : undefined)
    expect(codeOf(() => revocations.signalOf(token(given)))).toBe(isRevoked ? 'UNAUTHENTICATED' : 'taken')
  })
})

test('while the list cannot be read nobody new is let in, and who is in stays', () => {
  const revocations = new TokenRevocations(clock)
  const signal = revocations.signalOf(token())
  revocations.lose()
  expect(codeOf(() => revocations.signalOf(token()))).toBe('SIGN_IN_UNAVAILABLE')
  expect(signal.aborted).toBe(false)
  revocations.take([])
  expect(codeOf(() => revocations.signalOf(token()))).toBe('taken')
})

test('[14] tokens that have expired are forgotten', () => {
  const time = new VirtualClock(1)
  const revocations = new TokenRevocations(time)
  const first = revocations.signalOf(token({ tokenId: 'first' }))
  time.advance(600_000)
  for (let i = 0; i < 2_000; i++) revocations.signalOf(token({ tokenId: `${i}`, expiresAt: time.now() + 1 }))
  revocations.take([{ subject: 'ada', revokedAt: time.now() }])
  expect(first.aborted).toBe(false)
})

describe('keys.json', () => {
  let folder = ''
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'rejoin-revoked-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  async function revoke(...revokedTokens: RevokedToken[]): Promise<void> {
    const edit = () => ({ file: { keys: [], revokedTokens }, result: null })
    await editKeyFile(folder, new VirtualClock(1, Date.now()), edit)
  }

  test('holds them, keeps them when keys change, and is as before where there are none', async () => {
    await revoke({ tokenId: 'one', revokedAt: 1 }, { subject: 'ada', revokedAt: 2 })
    await editKeys(folder, clock, (keys) => ({ keys, result: null }))
    expect((await readKeyFile(folder))?.revokedTokens).toHaveLength(2)
    await revoke()
    expect(await readFile(path.join(folder, KEY_FILE), 'utf8')).not.toContain('revoked')
  })

  test('[14] holds 10,000 of them and no more', async () => {
    const many = (count: number): RevokedToken[] =>
      Array.from({ length: count }, (_, i) => ({ tokenId: `${i}`, revokedAt: 1 }))
    await revoke(...many(10_000))
    await expect(revoke(...many(10_001))).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    expect((await readKeyFile(folder))?.revokedTokens).toHaveLength(10_000)
  })

  test('is followed by a hub that runs: what is added ends who is in, a damaged file lets nobody in', async () => {
    const ring = new KeyRing(folder, [], clock, () => {})
    try {
      await ring.look()
      const signal = ring.tokens.signalOf(token())
      await revoke({ subject: 'ada', revokedAt: now })
      await ring.look()
      expect(signal.aborted).toBe(true)
      await writeFile(path.join(folder, KEY_FILE), '{"format":1,"keys":[],"revokedTokens":[{}]}')
      await ring.look()
      expect(codeOf(() => ring.tokens.signalOf(token({ subject: 'bob' })))).toBe('SIGN_IN_UNAVAILABLE')
    } finally {
      ring.close()
    }
  })
})
