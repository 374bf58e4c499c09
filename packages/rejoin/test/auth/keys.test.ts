// API keys: made, kept as hashes, compared in constant time, and followed by a hub that runs.
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { VirtualClock } from '@rejoin/testkit'
import { hashOf, isKeyOf, nameInKey, newKey } from '../../src/auth/api-key.ts'
import { editKeys, KEY_FILE, readKeys, type StoredKey } from '../../src/auth/key-file.ts'
import { KeyRing } from '../../src/auth/key-ring.ts'

/** Lengths of what was compared in constant time. */
const compared = vi.hoisted((): number[] => [])
vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>()
  const timingSafeEqual: typeof crypto.timingSafeEqual = (a, b) => {
    compared.push(a.byteLength)
    return crypto.timingSafeEqual(a, b)
  }
  return { ...crypto, timingSafeEqual }
})

let folder = ''
const rings: KeyRing[] = []
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'rejoin-keys-'))
})
afterEach(async () => {
  for (const ring of rings.splice(0)) ring.close()
  await rm(folder, { recursive: true, force: true })
})

const clock = new VirtualClock(1)

function stored(key: string, given: Partial<StoredKey> = {}): StoredKey {
  return {
    name: nameInKey(key) ?? '',
    subject: null,
    scopes: ['write:*'],
    hash: hashOf(key),
    createdAt: 0,
    expiresAt: null,
    revokedAt: null,
    ...given,
  }
}

async function keep(...keys: StoredKey[]): Promise<void> {
  await editKeys(folder, new VirtualClock(1, Date.now()), () => ({ keys, result: null }))
}

async function open(failed: (error: unknown) => void = () => {}): Promise<KeyRing> {
  const ring = new KeyRing(folder, (await readKeys(folder)) ?? [], clock, failed)
  rings.push(ring)
  await ring.look()
  return ring
}

function codeOf(act: () => unknown): string {
  try {
    act()
    return 'taken'
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('a key', () => {
  test('is 256 random bits behind a name, in a form that scanners find', () => {
    const keys = Array.from({ length: 100 }, () => newKey('laptop', clock))
    expect(new Set(keys).size).toBe(100)
    for (const key of keys) {
      expect(key).toMatch(/^rj_laptop_[0-9a-f]{64}$/)
      expect(nameInKey(key)).toBe('laptop')
    }
  })

  test.each([
    '',
    'rj_',
    'rj_a_',
    `rj_a_${'0'.repeat(63)}`,
    `rj_A_${'0'.repeat(64)}`,
    `rj_a_${'0'.repeat(64)}\n`,
  ])('%j is none', (text) => {
    expect(nameInKey(text)).toBeNull()
  })

  test('is compared in constant time, also where there is nothing to compare with', () => {
    const key = newKey('a', clock)
    compared.length = 0
    expect(isKeyOf(key, hashOf(key))).toBe(true)
    expect(isKeyOf(key, hashOf(newKey('a', clock)))).toBe(false)
    expect(isKeyOf(key, null)).toBe(false)
    expect(isKeyOf('', null)).toBe(false)
    // Always, and always as much.
    expect(compared).toEqual([32, 32, 32, 32])
  })
})

describe('keys.json', () => {
  test('is its owner’s alone, holds no key, and is replaced whole', async () => {
    const key = newKey('laptop', clock)
    await keep(stored(key))
    const file = path.join(folder, KEY_FILE)
    // Windows knows no such modes.
    expect((await stat(file)).mode & 0o777).toBe(process.platform === 'win32' ? 0o666 : 0o600)
    const text = await readFile(file, 'utf8')
    expect(text).not.toContain(key.slice(-64))
    expect(text).toContain(hashOf(key))
    expect(await readKeys(folder)).toEqual([stored(key)])
  })

  test('that does not exist is no file of no keys', async () => {
    expect(await readKeys(folder)).toBeNull()
  })

  test.each([
    ['half a file', '{"format":1,"keys":['],
    ['another format', '{"format":2,"keys":[]}'],
    [
      'a scope that is none',
      JSON.stringify({ format: 1, keys: [stored(newKey('a', clock), { scopes: ['root'] })] }),
    ],
    [
      'a name twice',
      JSON.stringify({ format: 1, keys: [stored(newKey('a', clock)), stored(newKey('a', clock))] }),
    ],
    [
      'a hash that is none',
      JSON.stringify({ format: 1, keys: [stored(newKey('a', clock), { hash: 'abc' })] }),
    ],
    [
      'a field too much',
      JSON.stringify({ format: 1, keys: [{ ...stored(newKey('a', clock)), admin: true }] }),
    ],
  ])('[13] with %s is reported, never read as fewer keys', async (_, text) => {
    await writeFile(path.join(folder, KEY_FILE), text)
    await expect(readKeys(folder)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  })

  test('is changed by one at a time; what a crash left behind is in nobody’s way', async () => {
    const draft = path.join(folder, 'keys.json.new')
    await writeFile(draft, 'half')
    const now = new VirtualClock(1, Date.now())
    const edit = () => editKeys(folder, now, (keys) => ({ keys, result: keys.length }))
    await expect(edit()).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    now.advance(60_000)
    expect(await edit()).toBe(0)
  })

  test('stays as it is where a change fails', async () => {
    const key = stored(newKey('a', clock))
    await keep(key)
    const failing = editKeys(folder, new VirtualClock(1, Date.now()), () => {
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(await readKeys(folder)).toEqual([key])
    await keep(key)
  })
})

describe('the keys of a running hub', () => {
  test('sign in who shows one, with its scopes', async () => {
    const key = newKey('laptop', clock)
    await keep(stored(key, { scopes: ['read:*', 'write:support-*'] }))
    const principal = (await open()).signIn(key)
    expect(principal).toMatchObject({ id: 'key:laptop', name: 'key:laptop', expiresAt: null })
    expect([principal.canRead('a'), principal.canWrite('a'), principal.canWrite('support-1')]).toEqual([
      true,
      false,
      true,
    ])
    expect(principal.canAdmin('support-1')).toBe(false)
  })

  test('of one subject sign in one principal, that of its tokens', async () => {
    const [one, two] = [newKey('one', clock), newKey('two', clock)]
    await keep(stored(one, { subject: 'ada' }), stored(two, { subject: 'ada' }))
    const ring = await open()
    expect([ring.signIn(one).id, ring.signIn(two).id]).toEqual(['user:ada', 'user:ada'])
  })

  test('tell a wrong secret, an unknown name, a revoked and an expired key from one that holds', async () => {
    const [key, revoked, expired] = [newKey('a', clock), newKey('b', clock), newKey('c', clock)]
    const now = clock.now()
    await keep(stored(key), stored(revoked, { revokedAt: 1 }), stored(expired, { expiresAt: now }))
    const ring = await open()
    const outcome = (token: string) => codeOf(() => ring.signIn(token))
    expect(outcome(key)).toBe('taken')
    const zeros = '0'.repeat(64)
    for (const token of [
      `rj_a_${zeros}`,
      `rj_x_${zeros}`,
      `${key}0`,
      key.toUpperCase(),
      'rj_',
      key.slice(0, -1),
    ]) {
      expect(outcome(token)).toBe('UNAUTHENTICATED')
    }
    expect(outcome(revoked)).toBe('UNAUTHENTICATED')
    expect(outcome(expired)).toBe('SIGN_IN_EXPIRED')
    // That a key was revoked or expired learns only who has it.
    for (const name of ['b', 'c', 'x']) {
      expect(() => ring.signIn(`rj_${name}_${zeros}`)).toThrow('not known here')
    }
  })

  test('are followed: a revocation reaches who is signed in, another key is not touched', async () => {
    const [one, two] = [newKey('one', clock), newKey('two', clock)]
    await keep(stored(one), stored(two))
    const ring = await open()
    const [first, second] = [ring.signIn(one), ring.signIn(two)]
    await keep(stored(one, { revokedAt: 5 }), stored(two))
    await ring.look()
    expect(first.revoked.aborted).toBe(true)
    expect(first.revoked.reason).toMatchObject({ code: 'UNAUTHENTICATED' })
    expect(second.revoked.aborted).toBe(false)
    expect(codeOf(() => ring.signIn(one))).toBe('UNAUTHENTICATED')
  })

  test('by a look every second', async () => {
    const key = newKey('one', clock)
    await keep(stored(key))
    const ring = await open()
    const { revoked } = ring.signIn(key)
    await keep(stored(key, { revokedAt: 5 }))
    const isRevoked = new Promise((resolve) => revoked.addEventListener('abort', resolve))
    await new Promise(setImmediate)
    clock.advance(1_000)
    await isRevoked
    expect(revoked.reason).toMatchObject({ code: 'UNAUTHENTICATED' })
  })

  test('that say something else now are worth another try', async () => {
    const key = newKey('one', clock)
    await keep(stored(key))
    const ring = await open()
    const before = ring.signIn(key)
    await keep(stored(key, { scopes: ['read:*'] }))
    await ring.look()
    expect(before.revoked.reason).toMatchObject({ code: 'SIGN_IN_EXPIRED' })
    expect(ring.signIn(key).canWrite('a')).toBe(false)
  })

  test('that are gone are revoked, and one made anew under a name is another', async () => {
    const [key, other] = [newKey('one', clock), newKey('one', clock)]
    await keep(stored(key))
    const ring = await open()
    const before = ring.signIn(key)
    await keep(stored(other))
    await ring.look()
    expect(before.revoked.reason).toMatchObject({ code: 'UNAUTHENTICATED' })
    const second = ring.signIn(other)
    await rm(path.join(folder, KEY_FILE))
    await ring.look()
    expect(second.revoked.reason).toMatchObject({ code: 'UNAUTHENTICATED' })
    expect(codeOf(() => ring.signIn(other))).toBe('UNAUTHENTICATED')
  })

  test('in a file that cannot be read let nobody new in, keep who is in, and are heard of', async () => {
    const key = newKey('one', clock)
    await keep(stored(key))
    const failures: unknown[] = []
    const ring = await open((error) => failures.push(error))
    const before = ring.signIn(key)
    await writeFile(path.join(folder, KEY_FILE), '{')
    await ring.look()
    expect(before.revoked.aborted).toBe(false)
    expect(codeOf(() => ring.signIn(key))).toBe('SIGN_IN_UNAVAILABLE')
    expect(failures).toMatchObject([{ code: 'STORE_CORRUPT' }])
    await rm(path.join(folder, KEY_FILE))
    await keep(stored(key))
    await ring.look()
    expect(codeOf(() => ring.signIn(key))).toBe('taken')
    expect(before.revoked.aborted).toBe(false)
  })
})
