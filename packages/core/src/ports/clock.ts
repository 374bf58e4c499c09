/** Time and chance as arguments, so that one seed replays any failure (invariant 15). */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00Z. May jump and stand still. */
  now(): number
  /** Resolves after `ms` milliseconds, or at once when `signal` is aborted. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** `count` bytes that nobody can guess (in a simulation: that the seed gives). */
  random(count: number): Uint8Array
}

/** A number from 0 up to but without 1, of 32 random bits. */
export function randomUnit(clock: Pick<Clock, 'random'>): number {
  return randomUint32(clock) / 2 ** 32
}

export function randomUint32(clock: Pick<Clock, 'random'>): number {
  const bytes = clock.random(4)
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0)
}
