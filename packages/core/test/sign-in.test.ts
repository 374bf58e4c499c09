// A sign-in that ends: by its time, or because it is taken back.
import { expect, test } from 'vitest'
import { onSignInEnd, signInEnd, SyncError, type Clock } from '../src/index.ts'

/** A clock whose sleeps are woken by hand. */
class HandClock implements Clock {
  ms = 0
  readonly sleeps: { readonly ms: number; readonly wake: () => void }[] = []
  now(): number {
    return this.ms
  }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.sleeps.push({ ms, wake: resolve })
      signal?.addEventListener('abort', () => resolve())
    })
  }
  random(count: number): Uint8Array {
    return new Uint8Array(count)
  }
  async pass(): Promise<void> {
    const { ms, wake } = this.sleeps.shift() ?? { ms: 0, wake: () => {} }
    this.ms += ms
    wake()
    await Promise.resolve()
  }
}

const never = new AbortController().signal

test('it holds until the millisecond it ends', () => {
  const signIn = { id: 'ada', expiresAt: 1_000, revoked: never }
  expect(signInEnd(signIn, 999)).toBeNull()
  expect(signInEnd(signIn, 1_000)).toMatchObject({ code: 'SIGN_IN_EXPIRED', retryable: true })
  expect(signInEnd({ ...signIn, expiresAt: null }, Infinity)).toBeNull()
})

test('taken back it ends with the reason that was given, or with one of its own', () => {
  const why = new SyncError('SIGN_IN_EXPIRED', 'changed')
  expect(signInEnd({ id: 'ada', expiresAt: null, revoked: AbortSignal.abort(why) }, 0)).toBe(why)
  expect(signInEnd({ id: 'ada', expiresAt: null, revoked: AbortSignal.abort() }, 0)).toMatchObject({
    code: 'UNAUTHENTICATED',
    retryable: false,
  })
})

test('no sleep is longer than a timer can count, however far the end; the last one ends with it', async () => {
  const clock = new HandClock()
  const ended: number[] = []
  const expiresAt = 90 * 86_400_000
  onSignInEnd({ id: 'ada', expiresAt, revoked: never }, clock, () => ended.push(clock.ms))
  expect(clock.sleeps[0]?.ms).toBe(60_000)
  clock.ms = expiresAt - 60_500
  while (ended.length === 0) await clock.pass()
  expect(ended).toEqual([expiresAt])
})

test('a clock that is set forward ends it at the next look', async () => {
  const clock = new HandClock()
  const ended: string[] = []
  onSignInEnd({ id: 'ada', expiresAt: 3_600_000, revoked: never }, clock, ({ code }) => ended.push(code))
  clock.ms = 3_600_000
  await clock.pass()
  expect(ended).toEqual(['SIGN_IN_EXPIRED'])
})

test('without an end nothing sleeps, and a revocation is heard at once, once', () => {
  const clock = new HandClock()
  const revoke = new AbortController()
  const ended: string[] = []
  onSignInEnd({ id: 'ada', expiresAt: null, revoked: revoke.signal }, clock, ({ code }) => ended.push(code))
  expect(clock.sleeps).toEqual([])
  revoke.abort()
  revoke.abort()
  expect(ended).toEqual(['UNAUTHENTICATED'])
})

test('who stopped listening hears nothing', async () => {
  const clock = new HandClock()
  const revoke = new AbortController()
  const ended: string[] = []
  const stop = onSignInEnd({ id: 'ada', expiresAt: 10, revoked: revoke.signal }, clock, ({ code }) =>
    ended.push(code),
  )
  stop()
  revoke.abort()
  await clock.pass()
  expect(ended).toEqual([])
})
