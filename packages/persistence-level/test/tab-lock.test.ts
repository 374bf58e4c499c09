// The lock of a browser's database, over a lock manager that the test speaks for; the real one is in tests/browser.
import { VirtualClock } from '@rejoin/testkit'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { takeTabLock } from '../src/browser/tab-lock.ts'
import { openReplicaDatabase } from '../src/browser.ts'

afterEach(() => vi.unstubAllGlobals())

/** One request, granted or ended when the test says so. */
class Locks {
  grant: () => Promise<void> = () => Promise.resolve()
  end: (error: Error) => void = () => {}
  signal = new AbortController().signal
  requests = 0

  constructor() {
    vi.stubGlobal('navigator', { locks: this })
  }

  request(_name: string, { signal }: { signal: AbortSignal }, granted: () => Promise<void>): Promise<void> {
    this.requests += 1
    this.signal = signal
    this.grant = granted
    return new Promise((_, reject) => (this.end = reject))
  }
}

const aborted = (): Error => new DOMException('The request was aborted.', 'AbortError')

async function turn(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

describe('the lock of a tab', () => {
  test('is held until it is released, and says when it is stolen', async () => {
    const locks = new Locks()
    const taking = takeTabLock('rejoin-shop', new VirtualClock(1))
    const held = locks.grant()
    const lock = await taking
    expect(locks.signal.aborted).toBe(false)
    lock.release()
    await held
    locks.end(aborted())
    expect(await lock.stolen).toMatchObject({ code: 'STORE_LOCKED' })
  })

  test('[14] is waited for no longer than a second, and given back where it comes later', async () => {
    const clock = new VirtualClock(1)
    const locks = new Locks()
    const taking = takeTabLock('rejoin-shop', clock)
    clock.advance(999)
    await turn()
    expect(locks.signal.aborted).toBe(false)
    clock.advance(1)
    await expect(taking).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    expect(locks.signal.aborted).toBe(true)
    // Resolves: nobody holds it.
    await locks.grant()
  })

  test('that the browser refuses, or does not know, is STORE_UNAVAILABLE', async () => {
    const locks = new Locks()
    const taking = takeTabLock('rejoin-shop', new VirtualClock(1))
    locks.end(new DOMException('Access is denied.', 'SecurityError'))
    await expect(taking).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    vi.stubGlobal('navigator', {})
    await expect(takeTabLock('rejoin-shop', new VirtualClock(1))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('https:') as string,
    })
  })
})

test('options that make no sense are refused before anything is locked', async () => {
  const locks = new Locks()
  const clock = new VirtualClock(1)
  const refused = { code: 'INPUT_INVALID' }
  await expect(openReplicaDatabase('', { clock })).rejects.toMatchObject(refused)
  await expect(openReplicaDatabase('shop', { clock, sync: 'sometimes' as never })).rejects.toMatchObject(
    refused,
  )
  expect(locks.requests).toBe(0)
})
